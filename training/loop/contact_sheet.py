"""Contact sheet of a run: its preview images of early and late steps, one above the other."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from foundation.array_types import RgbImage
from foundation.storage.atomic import replacing
from foundation.storage.regular_files import open_regular

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["write_contact_sheet", "write_preview"]

MAX_PREVIEWS = 6
"""Images of each name on the sheet: the first, the newest, and others between them."""

_CAPTION_PX = 20

_MAX_PX = 16 << 20
"""Pixels of the largest preview: eight columns of 1024 px with two rows of them."""


class _Preview(NamedTuple):
    """An image file and its caption."""

    caption: str
    path: Path


def write_preview(folder: Path, name: str, step: int, preview: RgbImage) -> None:
    """Write a preview image of step `step`: PNG, under the name of its series."""
    from PIL import Image

    with replacing(folder / name / f"step_{step:08d}.png") as stream:
        Image.fromarray(preview).save(stream, format="PNG")


def write_contact_sheet(folder: Path, sheet: Path) -> None:
    """Write one sheet of the images under `folder`: each series in a column of rows, early steps first.

    Args:
        folder: has NAME/step_N.png of `write_preview`.
        sheet: PNG to write.
    """
    from PIL import Image, ImageDraw

    listed = [
        _Preview(f"{named.name}, step {int(path.stem.removeprefix('step_')):,}", path)
        for named in sorted(folder.iterdir())
        for path in _evenly_spaced(sorted(named.glob("step_" + "[0-9]" * 8 + ".png")))
    ]
    read = [(item, image) for item in listed if (image := _image(item.path)) is not None]
    if not read:
        return
    previews, images = zip(*read, strict=True)
    size = (max(p.width for p in images), sum(p.height + _CAPTION_PX for p in images))
    sheet_image = Image.new("RGB", size, "white")
    draw, top = ImageDraw.Draw(sheet_image), 0
    for item, image in zip(previews, images, strict=True):
        draw.text((4, top + 4), item.caption, fill="black")
        sheet_image.paste(image, (0, top + _CAPTION_PX))
        top += image.height + _CAPTION_PX
    with replacing(sheet) as stream:
        sheet_image.save(stream, format="PNG")


def _image(path: Path) -> "Image | None":
    """Return an image that `write_preview` wrote; None for anything else, which a received run folder may hold."""
    from PIL import Image, UnidentifiedImageError

    try:
        with open_regular(path) as file, Image.open(file, formats=["PNG"]) as opened:
            if opened.width * opened.height > _MAX_PX:
                return None
            return opened.convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError):
        return None


def _evenly_spaced(paths: Sequence[Path]) -> list[Path]:
    """Return at most `MAX_PREVIEWS` of the paths, evenly spaced, with the first and the last.

    >>> [path.name for path in _evenly_spaced([Path(str(n)) for n in range(11)])]
    ['0', '2', '4', '6', '8', '10']
    """
    if len(paths) <= MAX_PREVIEWS:
        return list(paths)
    return [paths[round(number * (len(paths) - 1) / (MAX_PREVIEWS - 1))] for number in range(MAX_PREVIEWS)]
