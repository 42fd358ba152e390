"""Evidence of a long video's windows, on disk until the video is decided."""

import dataclasses
import io
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.evidence.joining import stitch
from curation.evidence.measures import Faces, FrameEvidence
from curation.output.video_files import WINDOWS, VideoFiles
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.leases import require_lease
from foundation.storage.locations import read_all
from manifests.files.names import files_of
from manifests.schema.face_measures import FACE_MEASURES
from manifests.timeline import Window

__all__ = ["read_window", "read_windows", "remove_windows", "unmeasured", "write_window"]

_WINDOW_BYTES = 8 << 30
"""Most that the evidence of a window can have: of an hour, several faces in each tick, some 500 points of each."""


def write_window(files: VideoFiles, window: Window, evidence: FrameEvidence, spent_s: float) -> None:
    """Write the evidence of the frames of a window, and the time of its measurement, seconds.

    Raises:
        OSError: the disk refused; no incomplete file is left.
    """
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "decoded": evidence.decoded,
        "cut_score": evidence.cut_score,
        "spent_s": np.array(spent_s),
    }
    for field in dataclasses.fields(Faces):
        values = getattr(evidence.faces, field.name)
        if values is not None:
            arrays[f"faces.{field.name}"] = values
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    require_lease(files.dataset)
    write_bytes_atomic(files.step(window, ".npz"), content.getvalue())


def unmeasured(files: VideoFiles, windows: Iterable[Window]) -> list[Window]:
    """Return the windows without written evidence."""
    return [window for window in windows if not files.step(window, ".npz").exists()]


def read_windows(files: VideoFiles, windows: Iterable[Window], *, large: bool = False) -> tuple[FrameEvidence, float]:
    """Return the evidence of windows, given in order, as one stretch, and the time of their measurement, seconds.

    Unless `large`, landmarks and blendshapes, nine tenths of it, stay on disk, because no built-in rule reads them:
    `landmarks_px` has no points, `blendshapes` is None.

    Raises:
        OSError: a window's evidence is missing or cannot be read.
    """
    measurements = [_read(files.step(window, ".npz"), large=large) for window in windows]
    return stitch([evidence for evidence, _ in measurements]), sum(spent_s for _, spent_s in measurements)


def read_window(files: VideoFiles, window: Window) -> FrameEvidence:
    """Return all evidence of a window.

    Raises:
        OSError: its evidence is missing or cannot be read.
    """
    return _read(files.step(window, ".npz"), large=True)[0]


def remove_windows(dataset: Path, video_ids: Collection[str]) -> None:
    """Remove the intermediate files of unfinished long videos: evidence of windows, and files made from it.

    Raises:
        OSError: the folder cannot be listed, or a file not removed.
    """
    for path in files_of(dataset, WINDOWS, ""):
        if path.name.partition("-")[0] in video_ids:
            require_lease(dataset)
            path.unlink(missing_ok=True)


def _read(path: Path, *, large: bool) -> tuple[FrameEvidence, float]:
    with np.load(io.BytesIO(*read_all([path], _WINDOW_BYTES)), allow_pickle=False) as arrays:
        columns: dict[str, Any] = {"tick": arrays["faces.tick"]}
        for measure in FACE_MEASURES:
            columns[measure.field] = (
                arrays.get(f"faces.{measure.field}", None)
                if large or not measure.large
                else measure.unmeasured(len(columns["tick"]))
            )
        evidence = FrameEvidence(decoded=arrays["decoded"], faces=Faces(**columns), cut_score=arrays["cut_score"])
        return evidence, float(arrays["spent_s"])
