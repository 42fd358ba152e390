"""Pictures in files of any common format, as they are displayed."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foundation.array_types import RgbImage
from foundation.errors import UsageError
from foundation.storage.regular_files import open_regular

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["PictureError", "read_picture"]


class PictureError(UsageError):
    """A file is no picture that can be read."""


_BACKGROUND = (255, 255, 255)
"""Background of transparent pixels. Ours: cut-out portraits are made for a white background."""

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
"""Formats of pictures. Pillow has more, among them one that starts another program (EPS), and ones of text."""

_MAX_PX = 64_000_000
"""Pixels of the largest picture: decoding and turning one takes up to 25 bytes a pixel."""

_MIN_PX = 16
"""Shorter sides than this hold no face."""


def read_picture(path: Path) -> RgbImage:
    """Return the image in a file as displayed: upright, 8 bits, transparent pixels white.

    Args:
        path: JPEG, PNG, WebP, TIFF, BMP, GIF, PPM, JPEG 2000 or AVIF; of an animation the first image is taken.

    Raises:
        PictureError: there is no such file, it is no image, is cut short, or is too large or too small.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.init()
    try:
        formats = [name for name in _FORMATS if name in Image.OPEN]
        with open_regular(path) as file, Image.open(file, formats=formats) as opened:
            _require_size(opened)
            image = _eight_bits(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError as error:
        raise PictureError(f"{path}: no picture that can be read; give a JPEG or PNG file") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"{path}: {error}; make the picture smaller") from error
    except (OSError, SyntaxError, ValueError) as error:  # a damaged PNG is a SyntaxError
        raise PictureError(f"{path}: cannot be read: {error}") from error
    if min(image.size) < _MIN_PX:
        raise PictureError(f"{path}: is {image.width}x{image.height} pixels; give a larger picture")
    return np.ascontiguousarray(np.asarray(image, dtype=np.uint8))


def _require_size(opened: "Image") -> None:
    """Refuse a picture that is too large by its header, before anything of it is decoded."""
    from PIL.Image import DecompressionBombError

    if opened.width * opened.height > _MAX_PX:
        raise DecompressionBombError(
            f"is {opened.width}x{opened.height} pixels, and {_MAX_PX:,} are the most that is read"
        )


def _eight_bits(image: "Image") -> "Image":
    """Return `image` as RGB."""
    from PIL import Image

    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow clips 16-bit grey at 255 where it converts it
        return Image.fromarray((np.asarray(image).astype(np.int64) // 257).clip(0, 255).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    cut_out = image.convert("RGBA")
    behind = Image.new("RGBA", cut_out.size, (*_BACKGROUND, 255))
    behind.alpha_composite(cut_out)
    return behind.convert("RGB")
