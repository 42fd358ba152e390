"""Perceptual distance between images: LPIPS (Zhang et al., 2018), version 0.1, on features of VGG-16 or AlexNet.

Features of VGG-16 are taken after the last ReLU before each pooling, and the last one of all; those of AlexNet after
each of its five ReLUs. At each position they are scaled to length 1; their squared differences are weighted by channel,
summed over channels, averaged over positions, and the five numbers are added up. The names of the tensors are those of
torchvision's networks and of the `lpips` package. VGG-16 serves the training loss; both serve as metrics.

Shapes: B images, C channels, H rows, W columns; images are RGB in -1 to 1.
"""

from collections.abc import Mapping
from itertools import accumulate
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["Backbone", "Lpips", "seeded_lpips"]

Backbone = Literal["vgg16", "alexnet"]
"""Network whose features are compared."""

_WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of the convolutions of each of VGG-16's five blocks; a pooling halves the image between two of them."""

_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Shift and scale that bring images in -1 to 1 to the mean and standard deviation of both networks' training."""

_SMALLEST_SQUARED = 1e-20
"""Added to a squared norm, so that features that are all 0 stay 0 and have a gradient."""


class Lpips(nn.Module):
    """Perceptual distance; it is not trained, so it has none of the dropout that the `lpips` package trains with."""

    shift_3HW: Tensor
    scale_3HW: Tensor

    def __init__(self, backbone: Backbone = "vgg16") -> None:
        super().__init__()
        blocks = _vgg16_blocks() if backbone == "vgg16" else _alexnet_blocks()
        self.features = nn.Sequential(*(layer for block in blocks for layer in block))
        self._taken = {number - 1 for number in accumulate(len(block) for block in blocks)}
        self._widths = tuple(_last_width(block) for block in blocks)
        self.heads = nn.ParameterList([nn.Parameter(torch.ones(width)) for width in self._widths])
        self.register_buffer("shift_3HW", torch.tensor(_SHIFT)[:, None, None], persistent=False)
        self.register_buffer("scale_3HW", torch.tensor(_SCALE)[:, None, None], persistent=False)

    def load_published(self, backbone: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> None:
        """Load the published weights.

        Args:
            backbone: torchvision's network, `features.N.weight` and `.bias`; its classifier is not needed.
            heads: those of the `lpips` package, `lin0.model.1.weight` (1, C, 1, 1) to `lin4...`.

        Raises:
            KeyError: a tensor is missing.
            RuntimeError: a tensor has another shape.
        """
        self.features.load_state_dict({name: backbone[f"features.{name}"] for name in self.features.state_dict()})
        self.heads.load_state_dict(
            {str(n): heads[f"lin{n}.model.1.weight"].flatten() for n in range(len(self._widths))}
        )

    def forward(self, image_BCHW: Tensor, target_BCHW: Tensor) -> Tensor:
        """Return the (B,) distances of images from targets; targets get no gradient."""
        with torch.no_grad():
            targets = self._features(target_BCHW)
        distance_B = torch.zeros(len(image_BCHW), device=image_BCHW.device)
        for ours_BCHW, theirs_BCHW, head_C in zip(self._features(image_BCHW), targets, self.heads, strict=True):
            squares_BCHW = (_of_length_1(ours_BCHW) - _of_length_1(theirs_BCHW)).square()
            distance_B = distance_B + (squares_BCHW * head_C[:, None, None]).sum(1).mean((1, 2))
        return distance_B

    def _features(self, image_BCHW: Tensor) -> list[Tensor]:
        h_BCHW = (image_BCHW - self.shift_3HW) / self.scale_3HW
        found = []
        for number, layer in enumerate(self.features):
            h_BCHW = layer(h_BCHW)
            if number in self._taken:
                found.append(h_BCHW.float())
        return found


def _vgg16_blocks() -> list[list[nn.Module]]:
    """Return VGG-16's layers; features are taken after the last one of each block."""
    blocks: list[list[nn.Module]] = []
    channels = 3
    for widths in _WIDTHS:
        blocks.append([nn.MaxPool2d(2)] if blocks else [])
        for width in widths:
            blocks[-1] += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return blocks


def _alexnet_blocks() -> list[list[nn.Module]]:
    """Return AlexNet's layers (torchvision's variant of Krizhevsky, 2014), likewise."""
    return [
        [nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU()],
        [nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU()],
        [nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()],
        [nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()],
        [nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()],
    ]


def _last_width(block: list[nn.Module]) -> int:
    return [layer.out_channels for layer in block if isinstance(layer, nn.Conv2d)][-1]


def _of_length_1(features_BCHW: Tensor) -> Tensor:
    return features_BCHW / torch.sqrt(features_BCHW.square().sum(1, keepdim=True) + _SMALLEST_SQUARED)


def seeded_lpips(seed: int) -> Lpips:
    """Return the distance with random features (He et al., 2015) from `seed`, all channels weighted 1.

    They react to edges and texture, but not as people do; numbers are not comparable with those of LPIPS.
    """
    network, random = Lpips(), torch.Generator().manual_seed(seed)
    for layer in network.features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=random)
            nn.init.zeros_(layer.bias if layer.bias is not None else torch.empty(0))
    return network
