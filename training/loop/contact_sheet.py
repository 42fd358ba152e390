"""The pictures of a run on one sheet: how they came to be, and how they are now."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from foundation.array_types import RgbImage
from foundation.storage.atomic import replacing

__all__ = ["write_contact_sheet", "write_picture"]

SHOWN = 6
"""Pictures of each name that are shown: the first, the newest, and others between them."""

_CAPTION_PX = 20


class _Placed(NamedTuple):
    """A picture with its place in the run."""

    caption: str
    path: Path


def write_picture(folder: Path, name: str, step: int, picture: RgbImage) -> None:
    """Write a picture that was made after `step` steps."""
    from PIL import Image

    with replacing(folder / name / f"step_{step:08d}.png") as stream:
        Image.fromarray(picture).save(stream, format="PNG")


def write_contact_sheet(folder: Path, sheet: Path) -> None:
    """Write a sheet of the pictures under `folder`: those of a name one above the other, early ones first.

    Args:
        folder: has NAME/step_N.png of `write_picture`.
        sheet: PNG to write.
    """
    from PIL import Image, ImageDraw

    placed = [
        _Placed(f"{named.name}, step {int(path.stem.removeprefix('step_')):,}", path)
        for named in sorted(folder.iterdir())
        for path in _chosen(sorted(named.glob("step_*.png")))
    ]
    pictures = [Image.open(item.path).convert("RGB") for item in placed]
    if not pictures:
        return
    size = (max(p.width for p in pictures), sum(p.height + _CAPTION_PX for p in pictures))
    whole = Image.new("RGB", size, "white")
    pen, top = ImageDraw.Draw(whole), 0
    for item, picture in zip(placed, pictures, strict=True):
        pen.text((4, top + 4), item.caption, fill="black")
        whole.paste(picture, (0, top + _CAPTION_PX))
        top += picture.height + _CAPTION_PX
    with replacing(sheet) as stream:
        whole.save(stream, format="PNG")


def _chosen(paths: Sequence[Path]) -> list[Path]:
    """Return at most `SHOWN` of the paths, evenly spaced, with the first and the last.

    >>> [path.name for path in _chosen([Path(str(n)) for n in range(11)])]
    ['0', '2', '4', '6', '8', '10']
    """
    if len(paths) <= SHOWN:
        return list(paths)
    return [paths[round(place * (len(paths) - 1) / (SHOWN - 1))] for place in range(SHOWN)]
