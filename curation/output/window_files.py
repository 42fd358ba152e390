"""Evidence of a long video's windows, on disk until the video is decided."""

import dataclasses
import io
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.evidence.joining import stitch
from curation.evidence.measures import Faces, PictureEvidence
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.locations import files_in, read_all
from manifests.schema.face_measures import FACE_MEASURES
from manifests.timeline import Window

__all__ = ["read_window", "read_windows", "remove_windows", "window_path", "write_window"]

FOLDER = "windows"
"""In the dataset; empty once all videos are done."""


def window_path(dataset: Path, video_id: str, window: Window) -> Path:
    """Return where the evidence of a window lies until its video is done."""
    return dataset / FOLDER / f"{video_id}-{window.first_tick:07d}-{window.end_tick:07d}.npz"


def write_window(path: Path, seen: PictureEvidence, spent_s: float) -> None:
    """Write what was measured of the pictures of a window, and the seconds that it took.

    Raises:
        OSError: the disk refused; no half of a file is left.
    """
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "decoded": seen.decoded,
        "cut_score": seen.cut_score,
        "spent_s": np.array(spent_s),
    }
    for field in dataclasses.fields(Faces):
        values = getattr(seen.faces, field.name)
        if values is not None:
            arrays[f"faces.{field.name}"] = values
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    write_bytes_atomic(path, content.getvalue())


def read_windows(
    dataset: Path, video_id: str, windows: Sequence[Window], *, whole: bool = False
) -> tuple[PictureEvidence, float]:
    """Return the evidence of windows, given in order, as one stretch, and the seconds they took.

    Unless `whole`, landmarks and blendshapes, nine tenths of it, stay on disk, for no built-in rule reads them:
    `landmarks_px` has no points, `blendshapes` is None.

    Raises:
        OSError: a window's evidence is missing or cannot be read.
    """
    parts = [_read(window_path(dataset, video_id, window), whole=whole) for window in windows]
    return stitch([seen for seen, _ in parts]), sum(spent_s for _, spent_s in parts)


def read_window(dataset: Path, video_id: str, window: Window) -> PictureEvidence:
    """Return all that was measured in a window.

    Raises:
        OSError: its evidence is missing or cannot be read.
    """
    return _read(window_path(dataset, video_id, window), whole=True)[0]


def remove_windows(dataset: Path, video_ids: Collection[str]) -> None:
    """Remove all that videos in windows have left on their way: evidence, and what came of it.

    Raises:
        OSError: the folder cannot be listed, or a file not removed.
    """
    for path in files_in(dataset / FOLDER, ""):
        if path.name.partition("-")[0] in video_ids:
            path.unlink(missing_ok=True)


def _read(path: Path, *, whole: bool) -> tuple[PictureEvidence, float]:
    with np.load(io.BytesIO(*read_all([path])), allow_pickle=False) as arrays:
        columns: dict[str, Any] = {"tick": arrays["faces.tick"]}
        for measure in FACE_MEASURES:
            columns[measure.field] = (
                arrays.get(f"faces.{measure.field}", None)
                if whole or not measure.large
                else measure.unmeasured(len(columns["tick"]))
            )
        seen = PictureEvidence(decoded=arrays["decoded"], faces=Faces(**columns), cut_score=arrays["cut_score"])
        return seen, float(arrays["spent_s"])
