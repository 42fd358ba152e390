"""Conversion of images between bytes, 0 to 255, and floating point, -1 to 1."""

import torch
from torch import Tensor

from foundation.array_types import RgbImage

__all__ = ["to_float", "to_uint8"]


def to_float(image_BCHW: Tensor) -> Tensor:
    """Return uint8 images as float32 in -1 to 1, on the device where they are."""
    return image_BCHW.float() / 127.5 - 1.0


def to_uint8(image_BCHW: Tensor) -> list[RgbImage]:
    """Return images in -1 to 1, clamped to that range, as (H, W, 3) bytes on the CPU."""
    bytes_BCHW = ((image_BCHW.float().clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)
    return list(bytes_BCHW.permute(0, 2, 3, 1).cpu().numpy())
