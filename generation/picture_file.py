"""Portraits as users have them: any format and size, turned by EXIF, grey, with alpha, 16 bits deep."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from generation.errors import GenerationError
from manifests.arrays import RgbImage

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["read_picture"]

_BACKGROUND = (255, 255, 255)
"""What shows through transparent parts. Ours: cut-out portraits are made to lie on white."""

_MIN_PX = 16
"""Shorter sides than this hold no face."""


def read_picture(path: Path) -> RgbImage:
    """Return the picture in a file as a viewer shows it: upright, 8 bits, transparent parts white.

    Args:
        path: JPEG, PNG, WebP, TIFF or whatever else Pillow reads; of an animation the first picture is taken.

    Raises:
        GenerationError: there is no such file, it is no picture, is cut short, or is too large or too small.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            picture = _eight_bits(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError as error:
        raise GenerationError(f"--portrait {path}: no picture that can be read; give a JPEG or PNG file") from error
    except Image.DecompressionBombError as error:
        raise GenerationError(f"--portrait {path}: {error}; make the picture smaller") from error
    except (OSError, SyntaxError, ValueError) as error:  # a damaged PNG is a SyntaxError
        raise GenerationError(f"--portrait {path}: cannot be read: {error}") from error
    if min(picture.size) < _MIN_PX:
        raise GenerationError(f"--portrait {path}: is {picture.width}x{picture.height} pixels; give a larger picture")
    return np.ascontiguousarray(np.asarray(picture, dtype=np.uint8))


def _eight_bits(picture: "Image") -> "Image":
    """Return `picture` as RGB."""
    from PIL import Image

    if picture.mode.startswith("I;16") or picture.mode == "I":
        # Pillow clips 16-bit grey at 255 where it converts it
        return Image.fromarray((np.asarray(picture).astype(np.int64) // 257).clip(0, 255).astype(np.uint8)).convert(
            "RGB"
        )
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    cut_out = picture.convert("RGBA")
    behind = Image.new("RGBA", cut_out.size, (*_BACKGROUND, 255))
    behind.alpha_composite(cut_out)
    return behind.convert("RGB")
