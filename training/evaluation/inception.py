"""The Inception-v3 of FID: features of pictures (Szegedy et al., 2016; Heusel et al., 2017).

It is the network of TensorFlow's release of 2015-12-05, whose weights pytorch-fid converted; the names of the tensors
are those of that file. It differs from torchvision's Inception-v3: average pooling leaves padding out of its mean, and
the last block pools by the maximum. Pictures are scaled to 299x299 bilinearly, as there, without a filter against
aliasing; larger pictures therefore alias, equally on both sides. The features are the 2,048 means over the last maps.

Shapes: B or T pictures, C channels, H rows, W columns, D features.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from foundation.array_types import Float32Array, UInt8Array
from foundation.errors import UsageError
from training.evaluation.metric_weights import load_named, metric_tensors

__all__ = ["N_FEATURES", "Inception", "inception_features", "inception_network"]

N_FEATURES = 2048
"""Features of a picture."""

_SIDE_PX = 299


class _Conv(nn.Module):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(
        self, channels: int, width: int, kernel: int | tuple[int, int], *, stride: int = 1, padding: bool = True
    ) -> None:
        super().__init__()
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        around = (sides[0] // 2, sides[1] // 2) if padding else (0, 0)
        self.conv = nn.Conv2d(channels, width, sides, stride=stride, padding=around, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=0.001)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x_BCHW)))


def _average(x_BCHW: Tensor) -> Tensor:
    return functional.avg_pool2d(x_BCHW, 3, 1, 1, count_include_pad=False)


class _BlockA(nn.Module):
    """35x35 maps: kernels of 1, 5 and twice 3, and a mean."""

    def __init__(self, channels: int, pool_width: int) -> None:
        super().__init__()
        self.branch1x1 = _Conv(channels, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = _Conv(channels, 48, 1), _Conv(48, 64, 5)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Conv(channels, 64, 1), _Conv(64, 96, 3)
        self.branch3x3dbl_3 = _Conv(96, 96, 3)
        self.branch_pool = _Conv(channels, pool_width, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        fives = self.branch5x5_2(self.branch5x5_1(x_BCHW))
        threes = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x_BCHW)))
        return torch.cat([self.branch1x1(x_BCHW), fives, threes, self.branch_pool(_average(x_BCHW))], 1)


class _BlockB(nn.Module):
    """From 35x35 to 17x17 maps."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3 = _Conv(channels, 384, 3, stride=2, padding=False)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Conv(channels, 64, 1), _Conv(64, 96, 3)
        self.branch3x3dbl_3 = _Conv(96, 96, 3, stride=2, padding=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        threes = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x_BCHW)))
        return torch.cat([self.branch3x3(x_BCHW), threes, functional.max_pool2d(x_BCHW, 3, 2)], 1)


class _BlockC(nn.Module):
    """17x17 maps: kernels of 1 row and 7 columns, and 7 rows and 1 column, and a mean."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        across, down = (1, 7), (7, 1)
        self.branch1x1 = _Conv(channels, 192, 1)
        self.branch7x7_1, self.branch7x7_2 = _Conv(channels, width, 1), _Conv(width, width, across)
        self.branch7x7_3 = _Conv(width, 192, down)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = _Conv(channels, width, 1), _Conv(width, width, down)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = _Conv(width, width, across), _Conv(width, width, down)
        self.branch7x7dbl_5 = _Conv(width, 192, across)
        self.branch_pool = _Conv(channels, 192, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x_BCHW)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x_BCHW)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x_BCHW), once, twice, self.branch_pool(_average(x_BCHW))], 1)


class _BlockD(nn.Module):
    """From 17x17 to 8x8 maps."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3_1 = _Conv(channels, 192, 1)
        self.branch3x3_2 = _Conv(192, 320, 3, stride=2, padding=False)
        self.branch7x7x3_1, self.branch7x7x3_2 = _Conv(channels, 192, 1), _Conv(192, 192, (1, 7))
        self.branch7x7x3_3 = _Conv(192, 192, (7, 1))
        self.branch7x7x3_4 = _Conv(192, 192, 3, stride=2, padding=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        threes = self.branch3x3_2(self.branch3x3_1(x_BCHW))
        sevens = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x_BCHW))))
        return torch.cat([threes, sevens, functional.max_pool2d(x_BCHW, 3, 2)], 1)


class _BlockE(nn.Module):
    """8x8 maps: kernels of 1, and of 3 along rows and columns side by side; a mean, or in the last block a maximum."""

    def __init__(self, channels: int, *, is_last: bool) -> None:
        super().__init__()
        self._is_last = is_last
        self.branch1x1 = _Conv(channels, 320, 1)
        self.branch3x3_1 = _Conv(channels, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = _Conv(384, 384, (1, 3)), _Conv(384, 384, (3, 1))
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Conv(channels, 448, 1), _Conv(448, 384, 3)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = _Conv(384, 384, (1, 3)), _Conv(384, 384, (3, 1))
        self.branch_pool = _Conv(channels, 192, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        once, twice = self.branch3x3_1(x_BCHW), self.branch3x3dbl_2(self.branch3x3dbl_1(x_BCHW))
        pooled = functional.max_pool2d(x_BCHW, 3, 1, 1) if self._is_last else _average(x_BCHW)
        outputs = [
            self.branch1x1(x_BCHW),
            *(self.branch3x3_2a(once), self.branch3x3_2b(once)),
            *(self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice)),
            self.branch_pool(pooled),
        ]
        return torch.cat(outputs, 1)


class Inception(nn.Module):
    """Pictures to features; the classifier of the file is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Conv(3, 32, 3, stride=2, padding=False)
        self.Conv2d_2a_3x3, self.Conv2d_2b_3x3 = _Conv(32, 32, 3, padding=False), _Conv(32, 64, 3)
        self.Conv2d_3b_1x1, self.Conv2d_4a_3x3 = _Conv(64, 80, 1), _Conv(80, 192, 3, padding=False)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _BlockA(192, 32), _BlockA(256, 64), _BlockA(288, 64)
        self.Mixed_6a = _BlockB(288)
        self.Mixed_6b, self.Mixed_6c = _BlockC(768, 128), _BlockC(768, 160)
        self.Mixed_6d, self.Mixed_6e = _BlockC(768, 160), _BlockC(768, 192)
        self.Mixed_7a = _BlockD(768)
        self.Mixed_7b, self.Mixed_7c = _BlockE(1280, is_last=False), _BlockE(2048, is_last=True)

    def forward(self, pictures_BCHW: Tensor) -> Tensor:
        """Return (B, 2048) features of (B, 3, H, W) pictures in 0 to 1."""
        side = (_SIDE_PX, _SIDE_PX)
        h_BCHW = functional.interpolate(pictures_BCHW, side, mode="bilinear", align_corners=False) * 2.0 - 1.0
        h_BCHW = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(h_BCHW)))
        h_BCHW = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(functional.max_pool2d(h_BCHW, 3, 2)))
        h_BCHW = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(functional.max_pool2d(h_BCHW, 3, 2))))
        h_BCHW = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(h_BCHW)))
        h_BCHW = self.Mixed_6e(self.Mixed_6d(h_BCHW))
        h_BCHW = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(h_BCHW)))
        features_BD: Tensor = h_BCHW.mean((2, 3))
        return features_BD


def inception_network(device: torch.device) -> Inception:
    """Return the network with its published weights.

    Raises:
        MissingAssetsError: the file is not on this machine.
        AssetError: the file has another digest, or holds more than tensors.
    """
    network = Inception()
    load_named(network, metric_tensors("fid")[0])
    return network.to(device)


@torch.inference_mode()
def inception_features(network: Inception, pictures_THW3: UInt8Array) -> Float32Array:
    """Return (T, 2048) features.

    Args:
        network: of `inception_network`.
        pictures_THW3: (T, H, W, 3) pictures of 8 bits, RGB, as many as fit into memory at once; of any size.

    Raises:
        UsageError: the array is of no pictures.
    """
    if pictures_THW3.dtype != np.uint8 or pictures_THW3.ndim != 4 or pictures_THW3.shape[-1] != 3:
        raise UsageError(
            f"pictures are {pictures_THW3.dtype} of shape {pictures_THW3.shape}; give (T, H, W, 3) of 8 bits, RGB"
        )
    device = next(network.parameters()).device
    pictures = torch.from_numpy(np.ascontiguousarray(pictures_THW3)).to(device).permute(0, 3, 1, 2)
    features: Float32Array = network(pictures.float() / 255.0).cpu().numpy()
    return features
