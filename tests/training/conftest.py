import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from models.landmark_image import LandmarkImageConfig, LandmarkRenderer

FACE_PX = 32


@dataclass(frozen=True)
class FaceBatch:
    """Two frames i and j of each of B people: the same colours, independent motion."""

    image_i_B3HW: Tensor
    image_j_B3HW: Tensor
    landmarks_i_B3HW: Tensor
    """Pictures of the landmarks."""
    landmarks_j_B3HW: Tensor
    colours_B6: Tensor
    """Skin and background."""
    motion_i_B3: Tensor
    motion_j_B3: Tensor
    """Shift of the face in x and y, and how far the mouth is open."""


class ProceduralFaces:
    """Drawn faces of 16 people in 32x32 pixels; people differ in colours alone, frames in shift and mouth alone."""

    def __init__(self) -> None:
        bright_face_dark_wall = torch.tensor([0.6, 0.3, 0.1, -0.5, -0.4, -0.1])
        spread = torch.rand(16, 6, generator=torch.Generator().manual_seed(1)) * 0.8 - 0.4
        self.colours_P6 = bright_face_dark_wall + spread
        self._renderer = LandmarkRenderer(LandmarkImageConfig(scheme="ibug68", radius_px=6.0, image_px=FACE_PX))

    def pairs(self, n: int, seed: int) -> FaceBatch:
        """Draw n people with two frames each."""
        random = torch.Generator().manual_seed(seed)
        colours_B6 = self.colours_P6[torch.randint(16, (n,), generator=random)]
        low, high = torch.tensor([-5.0, -4.0, 0.0]), torch.tensor([5.0, 4.0, 1.0])
        motion_i_B3, motion_j_B3 = (low + (high - low) * torch.rand(n, 3, generator=random) for _ in range(2))
        return FaceBatch(
            self.image(colours_B6, motion_i_B3),
            self.image(colours_B6, motion_j_B3),
            self.landmark_image(motion_i_B3),
            self.landmark_image(motion_j_B3),
            colours_B6,
            motion_i_B3,
            motion_j_B3,
        )

    def image(self, colours_B6: Tensor, motion_B3: Tensor) -> Tensor:
        """(B, 3, H, W) in -1 to 1."""
        picture = colours_B6[:, 3:, None, None].expand(-1, -1, FACE_PX, FACE_PX)
        picture = self._paint(picture, colours_B6[:, :3], motion_B3, (0.0, 0.0), (9.0, 11.0))
        dark = torch.full_like(colours_B6[:, :3], -0.9)
        for side in (-1.0, 1.0):
            picture = self._paint(picture, dark, motion_B3, (side * 3.5, -3.0), (1.6, 1.1))
        return self._paint(picture, dark, motion_B3, (0.0, 5.0), (3.5, self.mouth_height_px(motion_B3)))

    @staticmethod
    def mouth_height_px(motion_B3: Tensor) -> Tensor:
        """(B, 1, 1) half of the height."""
        return (0.6 + 2.4 * motion_B3[:, 2])[:, None, None]

    @staticmethod
    def _paint(
        picture: Tensor,
        colour_B3: Tensor,
        motion_B3: Tensor,
        centre: tuple[float, float],
        radius: tuple[float, float | Tensor],
    ) -> Tensor:
        """Paint an ellipse with soft edges at `centre`, px from the middle of the face."""
        grid = torch.arange(FACE_PX) + 0.5
        x = grid[None, None, :] - 16.0 - centre[0] - motion_B3[:, 0, None, None]
        y = grid[None, :, None] - 16.0 - centre[1] - motion_B3[:, 1, None, None]
        from_centre = torch.sqrt((x / radius[0]) ** 2 + (y / radius[1]) ** 2 + 1e-6)
        cover = torch.sigmoid(10.0 * (1.0 - from_centre))[:, None]
        return cover * colour_B3[:, :, None, None] + (1.0 - cover) * picture

    def landmark_image(self, motion_B3: Tensor) -> Tensor:
        """(B, 3, H, W) in -1 to 1, of the 68 points."""
        mouth_px_B1 = self.mouth_height_px(motion_B3)[:, 0]
        one_B1, turn = torch.ones_like(mouth_px_B1), math.pi
        parts = [
            self._arc(17, (0.0, 0.0), 9.0, 11.0 * one_B1, (turn, 0.0)),  # jaw, over the chin
            *(self._arc(5, (x, -5.5), 2.0, 0.5 * one_B1, (-turn, 0.0)) for x in (-3.5, 3.5)),  # brows
            self._arc(9, (0.0, 0.0), 1.0, 2.0 * one_B1, (turn, 0.0)),  # nose
            *(self._arc(6, (x, -3.0), 1.6, 1.1 * one_B1, (turn, -turn * 2 / 3)) for x in (-3.5, 3.5)),  # eyes
            self._arc(12, (0.0, 5.0), 3.5, mouth_px_B1, (turn, -turn * 5 / 6)),  # lips
            self._arc(8, (0.0, 5.0), 2.8, 0.8 * mouth_px_B1, (turn, -turn * 3 / 4)),
        ]
        points_B68_2 = torch.cat(parts, dim=1) + motion_B3[:, None, :2] + 16.0
        return self._renderer(points_B68_2, torch.ones(points_B68_2.shape[:2], dtype=torch.bool))

    @staticmethod
    def _arc(
        n: int, centre: tuple[float, float], width_px: float, height_px_B1: Tensor, angles: tuple[float, float]
    ) -> Tensor:
        """(B, n, 2) points on an ellipse, px from the middle of the face, from one angle to another."""
        angle_N = torch.linspace(*angles, n)
        y_BN = centre[1] + height_px_B1 * angle_N.sin()
        return torch.stack([(centre[0] + width_px * angle_N.cos()).expand_as(y_BN), y_BN], dim=-1)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Networks as small as those of the tests are faster on one thread, and two test processes share two cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def procedural_faces() -> ProceduralFaces:
    return ProceduralFaces()
