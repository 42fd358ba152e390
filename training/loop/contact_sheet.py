"""Contact sheet of a run: its preview images of early and late steps, one above the other."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from foundation.array_types import RgbImage
from foundation.storage.atomic import replacing
from foundation.storage.regular_files import open_regular

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["write_contact_sheet", "write_preview", "write_previews"]

MAX_PREVIEWS = 6
"""Images of each name on the sheet: the first, the newest, and others between them."""

MAX_SERIES = 16
"""Names on the sheet."""

MAX_PIXELS = 2**25
"""Largest image that is read."""

_CAPTION_PX = 20

_STEP = re.compile(r"step_([0-9]{8,15})")


class _Preview(NamedTuple):
    """An image file and its caption."""

    caption: str
    path: Path


def write_previews(folder: Path, sheet: Path, step: int, previews: Mapping[str, RgbImage]) -> None:
    """Write the preview images of a step, and the contact sheet anew; nothing where there are none.

    Args:
        folder: of the preview images of a run.
        sheet: PNG file.
        step: steps that were done.
        previews: by name.
    """
    for name, preview in previews.items():
        write_preview(folder, name, step, preview)
    if previews:
        write_contact_sheet(folder, sheet)


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

    previews = [
        _Preview(f"{named.name}, step {step:,}", path)
        for named in sorted(path for path in folder.iterdir() if path.is_dir())[:MAX_SERIES]
        for step, path in _evenly_spaced(_images_of(named))
    ]
    images = [image for image in map(_read, previews) if image is not None]
    if not images:
        return
    size = (max(p.width for _, p in images), sum(p.height + _CAPTION_PX for _, p in images))
    sheet_image = Image.new("RGB", size, "white")
    draw, top = ImageDraw.Draw(sheet_image), 0
    for caption, image in images:
        draw.text((4, top + 4), caption, fill="black")
        sheet_image.paste(image, (0, top + _CAPTION_PX))
        top += image.height + _CAPTION_PX
    with replacing(sheet) as stream:
        sheet_image.save(stream, format="PNG")


def _images_of(folder: Path) -> list[tuple[int, Path]]:
    """Return step and file of each preview in a folder, early ones first."""
    found = ((_STEP.fullmatch(path.stem), path) for path in folder.glob("step_*.png"))
    return sorted((int(step[1]), path) for step, path in found if step is not None)


def _read(preview: _Preview) -> "tuple[str, Image] | None":
    """Return caption and image; None: it is damaged, or larger than previews are."""
    from PIL import Image

    try:
        with open_regular(preview.path, follow_links=False) as stream, Image.open(stream, formats=["PNG"]) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            return preview.caption, image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # whatever PIL raises for a damaged PNG
        return None


def _evenly_spaced(previews: Sequence[tuple[int, Path]]) -> list[tuple[int, Path]]:
    """Return at most `MAX_PREVIEWS` of the previews, evenly spaced, with the first and the last.

    >>> [step for step, _ in _evenly_spaced([(n, Path("p.png")) for n in range(11)])]
    [0, 2, 4, 6, 8, 10]
    """
    if len(previews) <= MAX_PREVIEWS:
        return list(previews)
    return [previews[round(number * (len(previews) - 1) / (MAX_PREVIEWS - 1))] for number in range(MAX_PREVIEWS)]
