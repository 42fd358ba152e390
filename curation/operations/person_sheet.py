"""One picture with a person's photograph and a frame of each video in which the person was found."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.operations.find_person import FoundPerson, PersonVideo
from foundation.array_types import RgbImage
from foundation.storage.path_text import path_of_text, plain_path
from foundation.storage.private_folder import new_private_file
from foundation.text import clock_text, printable
from manifests.dataset import Dataset

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["write_person_sheet"]

_TILE_PX, _CAPTION_PX, _BORDER_PX, _COLUMNS = 176, 34, 4, 6

_MOST_VIDEOS = 119
"""Most videos that are drawn: the list in text has all."""

_FOUND, _PERHAPS, _PHOTO = "firebrick", "darkgrey", "black"
"""Borders of the tiles: of videos to be removed, of those that stay, of the photograph."""


def write_person_sheet(path: Path, found: FoundPerson) -> None:
    """Write a PNG that only its owner can read: the photograph's face, then a frame of each video with its distance.

    A frame is the middle one of the first clip that shows the person; a video without such a clip has an empty tile.

    Args:
        path: the file, which is replaced.
        found: the person.

    Raises:
        MediaError: a clip is damaged.
        DatasetError: a clip is gone.
        OSError: the file cannot be written.
    """
    from PIL import Image

    dataset = Dataset(found.dataset)
    tiles = [_tile(found.face, [f"photograph: {found.photo.name}"], _PHOTO)]
    videos = [*((one, _FOUND) for one in found.videos), *((one, _PERHAPS) for one in found.perhaps)]
    tiles += [_tile(_frame_of(dataset, video), _caption(video), colour) for video, colour in videos[:_MOST_VIDEOS]]
    width, height = _TILE_PX, _TILE_PX + _CAPTION_PX
    n_columns = min(_COLUMNS, len(tiles))
    sheet = Image.new("RGB", (n_columns * width, -(-len(tiles) // n_columns) * height), "white")
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % n_columns * width, number // n_columns * height))
    content = io.BytesIO()
    sheet.save(content, "PNG")
    path.unlink(missing_ok=True)
    try:
        with os.fdopen(new_private_file(path), "wb") as file:
            file.write(content.getvalue())
    except BaseException:
        path.unlink(missing_ok=True)  # half a sheet shows faces, too
        raise


def _frame_of(dataset: Dataset, video: PersonVideo) -> RgbImage | None:
    if not video.clips:
        return None
    clip = dataset.clip(video.clips[0])
    (frame,) = clip.frames([len(clip) // 2])
    return np.ascontiguousarray(frame)


def _caption(video: PersonVideo) -> list[str]:
    name = printable(plain_path(path_of_text(video.path)).name)
    return [f"{video.distance:.2f}  at {clock_text(video.first_s)}", name]


def _tile(picture: RgbImage | None, caption: Sequence[str], colour: str) -> "Image":
    """Return a picture with a border and lines of text under it."""
    from PIL import Image, ImageDraw, ImageOps

    inside = _TILE_PX - 2 * _BORDER_PX
    tile = Image.new("RGB", (_TILE_PX, _TILE_PX + _CAPTION_PX), "white")
    pen = ImageDraw.Draw(tile)
    pen.rectangle((0, 0, _TILE_PX - 1, _TILE_PX - 1), outline=colour, width=_BORDER_PX)
    if picture is None:
        pen.text((_TILE_PX // 2, _TILE_PX // 2), "seen in no clip", fill="black", anchor="mm")
    else:
        shown = ImageOps.contain(Image.fromarray(picture), (inside, inside))
        tile.paste(shown, ((_TILE_PX - shown.width) // 2, (_TILE_PX - shown.height) // 2))
    for number, line in enumerate(caption):
        pen.text((_BORDER_PX, _TILE_PX + 2 + number * 15), line, fill="black")
    return tile
