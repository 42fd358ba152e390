"""Convolutional blocks of the VAE (GAIA section 4.2 and appendix B.1: "traditional convolutional residual blocks").

The paper refers to Rombach et al. (2022), whose block this is: group norm, SiLU, 3x3 convolution, twice, and a skip.
There is no attention. Shapes: B images, C channels, H rows, W columns.
"""

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Downsample", "ResBlock", "Upsample", "group_norm"]


def group_norm(channels: int, groups: int) -> nn.GroupNorm:
    """Return a group norm; `groups` must divide `channels`."""
    return nn.GroupNorm(groups, channels, eps=1e-6)


class ResBlock(nn.Module):
    """x + F(x), where F is twice group norm, SiLU and a 3x3 convolution; the skip is a 1x1 convolution if C changes."""

    def __init__(self, channels_in: int, channels_out: int, groups: int) -> None:
        super().__init__()
        self.norm1 = group_norm(channels_in, groups)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.norm2 = group_norm(channels_out, groups)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.skip = nn.Identity() if channels_in == channels_out else nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C_in, H, W) -> (B, C_out, H, W)."""
        h_BCHW = self.conv1(functional.silu(self.norm1(x_BCHW)))
        h_BCHW = self.conv2(functional.silu(self.norm2(h_BCHW)))
        y_BCHW: Tensor = self.skip(x_BCHW) + h_BCHW
        return y_BCHW


class Downsample(nn.Module):
    """3x3 convolution of stride 2, padded by a pixel at the right and the bottom only, so that sizes halve exactly."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H / 2, W / 2)."""
        y_BCHW: Tensor = self.conv(functional.pad(x_BCHW, (0, 1, 0, 1)))
        return y_BCHW


class Upsample(nn.Module):
    """Upsampling by repetition of pixels, 2x2, then a 3x3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 2 H, 2 W)."""
        y_BCHW: Tensor = self.conv(functional.interpolate(x_BCHW, scale_factor=2.0, mode="nearest"))
        return y_BCHW
