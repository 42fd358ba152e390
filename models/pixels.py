"""Pixels between bytes and floating point levels."""

import torch
from torch import Tensor

from foundation.array_types import RgbImage

__all__ = ["levels_of_pictures", "pictures_of_bytes"]


def pictures_of_bytes(image_BCHW: Tensor) -> Tensor:
    """Return uint8 pictures as float32 in -1 to 1, on the device where they are."""
    return image_BCHW.float() / 127.5 - 1.0


def levels_of_pictures(image_BCHW: Tensor) -> list[RgbImage]:
    """Return pictures in -1 to 1, cut off there, as (H, W, 3) bytes."""
    levels_BCHW = ((image_BCHW.float().clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)
    return list(levels_BCHW.permute(0, 2, 3, 1).cpu().numpy())
