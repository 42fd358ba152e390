"""Drawn landmarks: x_m, the input of the motion encoder (GAIA section 4.2, equation 1).

The paper gives the shape, H x W x 3, and that it "is supposed to only contain the locations of key facial features".
Drawn in full pixels, as usual, a point that moves by a tenth of a pixel stays or jumps by one, and such jumps make the
motion latent tremble. Here brightness falls off linearly at the edge of a dot or line, so that the image moves as
smoothly as the points, and is differentiable in them.

Shapes: B images, K landmarks, E edges, S spots, P pixels of a spot's patch, H x W the canvas. Landmarks are in
pixels; the centre of the top left pixel is at (0.5, 0.5). Everything runs on the device of the landmarks, without a
loop over points: each spot scatters its patch of 5x5 pixels (at 256 px), and the brightest one wins.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from manifests.landmarks import LandmarkScheme, landmark_scheme

__all__ = ["LandmarkImageConfig", "LandmarkRenderer"]

FULL_PX = 256
"""Size at which `radius_px` is given; in images of other sizes dots and lines scale with it."""

OTHER_COLOUR = (1.0, 1.0, 1.0)
"""Red, green, blue of points of no region: nose, brows, cheeks, irises."""

TINY_SQUARED_PX = 1e-12
"""Keeps the gradient of a distance finite where it is zero."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LandmarkImageConfig:
    """Style of the drawing."""

    scheme: str
    """Name in `manifests.landmarks`."""
    style: Literal["dots", "regions", "lines"] = "dots"
    """White dots; dots with a colour for each of eyes, lips and jaw; white lines along the scheme's contours."""
    radius_px: float = 1.0
    """Radius of a dot and half the width of a line in an image of 256x256."""
    image_px: int = FULL_PX

    def __post_init__(self) -> None:
        if not self.radius_px > 0.0:
            raise ValueError(f"LandmarkImageConfig.radius_px is {self.radius_px}; give pixels above 0, such as 1.0")


class LandmarkRenderer(nn.Module):
    """Renderer of landmarks; it has no parameters, and its tables move with `.to(device)`."""

    colour_K3: Tensor
    edge_2E: Tensor
    step_N: Tensor
    patch_P2: Tensor

    def __init__(self, config: LandmarkImageConfig) -> None:
        super().__init__()
        self.config = config
        scheme = landmark_scheme(config.scheme)
        self.n_points = scheme.n_points
        self.radius_px = config.radius_px * config.image_px / FULL_PX
        reach = math.ceil(self.radius_px + 0.5)
        offsets = torch.arange(-reach, reach + 1, dtype=torch.float32)
        patch_P2 = torch.cartesian_prod(offsets, offsets)
        # spots along a line at most 2 px apart: their patches cover the line and its edge without a gap
        spots = math.ceil(config.image_px / 4)
        self.register_buffer("patch_P2", patch_P2, persistent=False)
        self.register_buffer("colour_K3", torch.tensor(_colours(scheme)), persistent=False)
        self.register_buffer("edge_2E", torch.tensor(_edges(scheme)).T.contiguous(), persistent=False)
        self.register_buffer("step_N", (torch.arange(spots) + 0.5) / spots, persistent=False)

    def forward(self, landmarks_BK2: Tensor, valid_BK: Tensor) -> Tensor:
        """Return the (B, 3, H, W) images in -1 (black) to 1.

        Args:
            landmarks_BK2: (B, K, 2) x and y in pixels of the image; they may lie outside of it.
            valid_BK: (B, K) False where a point was not found; it is not drawn, whatever its coordinates are, and no
                line leads to it. A point with a coordinate that is not a number is not drawn either.

        Raises:
            ValueError: there are more or fewer points than the scheme has.
        """
        if landmarks_BK2.shape[1:] != (self.n_points, 2):
            raise ValueError(
                f"landmarks have shape {tuple(landmarks_BK2.shape)}; the scheme {self.config.scheme!r} needs "
                f"(B, {self.n_points}, 2)"
            )
        seen_BK = valid_BK & landmarks_BK2.isfinite().all(-1)
        points_BK2 = torch.where(seen_BK[..., None], landmarks_BK2.float(), 0.0)
        if self.config.style == "lines":
            return self._lines(points_BK2, seen_BK)
        return self._dots(points_BK2, seen_BK)

    def _dots(self, points_BK2: Tensor, seen_BK: Tensor) -> Tensor:
        pixels_BKP2 = self._patches(points_BK2)
        light_BKP = self._light((pixels_BKP2 + 0.5 - points_BK2[:, :, None]).square().sum(-1), seen_BK)
        if self.config.style == "dots":
            return self._canvas(pixels_BKP2, light_BKP).expand(-1, 3, -1, -1)
        channels = [self._canvas(pixels_BKP2, light_BKP * self.colour_K3[:, c, None]) for c in range(3)]
        return torch.cat(channels, dim=1)

    def _lines(self, points_BK2: Tensor, seen_BK: Tensor) -> Tensor:
        """Spots along each edge select the pixels near it; brightness follows from the distance to the edge."""
        start_BE2, end_BE2 = points_BK2[:, self.edge_2E[0]], points_BK2[:, self.edge_2E[1]]
        seen_BE = seen_BK[:, self.edge_2E[0]] & seen_BK[:, self.edge_2E[1]]
        along_BE2 = end_BE2 - start_BE2
        spots_BEN2 = start_BE2[:, :, None] + along_BE2[:, :, None] * self.step_N[:, None]
        pixels_BSP2 = self._patches(spots_BEN2.flatten(1, 2))
        n_spots = len(self.step_N)
        from_start_BSP2 = pixels_BSP2 + 0.5 - _repeated(start_BE2, n_spots)[:, :, None]
        along_BS2 = _repeated(along_BE2, n_spots)
        squared_BS = along_BS2.square().sum(-1).clamp_min(TINY_SQUARED_PX)
        share_BSP = ((from_start_BSP2 * along_BS2[:, :, None]).sum(-1) / squared_BS[..., None]).clamp(0.0, 1.0)
        squared_BSP = (from_start_BSP2 - share_BSP[..., None] * along_BS2[:, :, None]).square().sum(-1)
        light_BSP = self._light(squared_BSP, _repeated(seen_BE, n_spots))
        return self._canvas(pixels_BSP2, light_BSP).expand(-1, 3, -1, -1)

    def _patches(self, spots_BS2: Tensor) -> Tensor:
        """Return (B, S, P, 2) column and row, as float, of the pixels around each spot."""
        # a point far away is clamped to just outside, so that its index fits into an integer
        near_BS2 = spots_BS2.detach().clamp(-10.0 * FULL_PX, 10.0 * FULL_PX + self.config.image_px)
        return near_BS2.floor()[:, :, None] + self.patch_P2

    def _light(self, squared_px_BSP: Tensor, seen_BS: Tensor) -> Tensor:
        """Return 1 on a dot, falling to 0 from half a pixel inside its edge to half a pixel outside."""
        distance_px_BSP = torch.sqrt(squared_px_BSP + TINY_SQUARED_PX)
        return (self.radius_px + 0.5 - distance_px_BSP).clamp(0.0, 1.0) * seen_BS[..., None]

    def _canvas(self, pixels_BSP2: Tensor, light_BSP: Tensor) -> Tensor:
        """Return the (B, 1, H, W) image in -1 to 1 of the brightest light on each pixel."""
        size = self.config.image_px
        inside_BSP = ((pixels_BSP2 >= 0) & (pixels_BSP2 < size)).all(-1)
        column_BSP, row_BSP = pixels_BSP2.unbind(-1)
        index_BSP = torch.where(inside_BSP, row_BSP * size + column_BSP, 0.0).long()
        canvas_BN = light_BSP.new_zeros(len(light_BSP), size * size)
        lit_BN = canvas_BN.scatter_reduce(1, index_BSP.flatten(1), (light_BSP * inside_BSP).flatten(1), "amax")
        return 2.0 * lit_BN.reshape(-1, 1, size, size) - 1.0


def _repeated(edges_BE: Tensor, n_spots: int) -> Tensor:
    """Return the values of each edge (B, E, ...) repeated for each of its spots (B, S, ...)."""
    return edges_BE.repeat_interleave(n_spots, dim=1)


def _colours(scheme: LandmarkScheme) -> list[tuple[float, float, float]]:
    """Return red, green and blue, 0 to 1, of each point."""
    colours = [OTHER_COLOUR] * scheme.n_points
    for indices, colour in (
        (scheme.jaw, (1.0, 1.0, 0.0)),
        (scheme.right_eye, (0.0, 1.0, 0.0)),
        (scheme.left_eye, (0.0, 0.0, 1.0)),
        (scheme.outer_lips, (1.0, 0.0, 0.0)),
        (scheme.inner_lips, (1.0, 0.0, 1.0)),
    ):
        for index in indices:
            colours[index] = colour
    return colours


def _edges(scheme: LandmarkScheme) -> list[tuple[int, int]]:
    """Return the pairs of points that lines join: round the eyes and lips, and along the jaw."""
    rounds = (scheme.right_eye, scheme.left_eye, scheme.outer_lips, scheme.inner_lips)
    closed = [(a, b) for contour in rounds for a, b in zip(contour, (*contour[1:], contour[0]), strict=True)]
    return [*closed, *zip(scheme.jaw[:-1], scheme.jaw[1:], strict=True)]
