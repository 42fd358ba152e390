"""Evidence of a long video's windows and of its sound, on disk until the video is decided."""

import dataclasses
import io
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.evidence.joining import stitch
from curation.evidence.measures import AudioEvidence, Faces, FrameEvidence
from curation.output.video_files import WINDOWS, VideoFiles
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.leases import require_lease
from foundation.storage.locations import read_all
from foundation.text import count_text
from manifests.files.names import files_of
from manifests.schema.face_measures import FACE_MEASURES
from manifests.timeline import Window

__all__ = [
    "read_sound",
    "read_window",
    "read_windows",
    "remove_windows",
    "unmeasured",
    "write_sound",
    "write_window",
]

_WINDOW_BYTES = 8 << 30
"""Most that the evidence of a window can have: of an hour, several faces in each tick, some 500 points of each."""


_FLAGS = ("grid", "measured")
"""Optional fields of `FrameEvidence`."""


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
    arrays |= {name: values for name in _FLAGS if (values := getattr(evidence, name)) is not None}
    for field in dataclasses.fields(Faces):
        values = getattr(evidence.faces, field.name)
        if values is not None:
            arrays[f"faces.{field.name}"] = values
    _write(files, files.step(window, ".npz"), arrays)


def write_sound(files: VideoFiles, sound: AudioEvidence, spent_s: float) -> None:
    """Write the evidence of the sound of a long video, and the time of its measurement, seconds.

    Raises:
        OSError: the disk refused; no incomplete file is left.
    """
    columns = {"speech_prob": sound.speech_prob, "loudness_dbfs": sound.loudness_dbfs}
    measured = {name: values for name, values in columns.items() if values is not None}
    _write(files, files.sound, measured | {"spent_s": np.array(spent_s)})


def read_sound(files: VideoFiles) -> tuple[AudioEvidence, float]:
    """Return the evidence of the sound of a long video, and the time of its measurement, seconds.

    Raises:
        OSError: it is missing or cannot be read.
    """
    with _opened(files.sound, "its sound") as arrays:
        sound = AudioEvidence(
            speech_prob=arrays.get("speech_prob", None), loudness_dbfs=arrays.get("loudness_dbfs", None)
        )
        return sound, float(arrays["spent_s"])


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
    measurements = [_read(files, window, large=large) for window in windows]
    return stitch([evidence for evidence, _ in measurements]), sum(spent_s for _, spent_s in measurements)


def read_window(files: VideoFiles, window: Window) -> FrameEvidence:
    """Return all evidence of a window.

    Raises:
        OSError: its evidence is missing or cannot be read.
    """
    return _read(files, window, large=True)[0]


def remove_windows(dataset: Path, video_ids: Collection[str] | None) -> None:
    """Remove the intermediate files of unfinished long videos: evidence of windows, and files made from it.

    Args:
        dataset: the folder.
        video_ids: of these videos; None: of all.

    Raises:
        OSError: the folder cannot be listed, or a file not removed.
    """
    for path in files_of(dataset, WINDOWS, ""):
        if video_ids is None or path.name.partition("-")[0] in video_ids:
            require_lease(dataset)
            path.unlink(missing_ok=True)


def _read(files: VideoFiles, window: Window, *, large: bool) -> tuple[FrameEvidence, float]:
    with _opened(files.step(window, ".npz"), "this window") as arrays:
        return _evidence(arrays, window, large=large)


def _write(files: VideoFiles, path: Path, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    require_lease(files.dataset)
    write_bytes_atomic(path, content.getvalue())


@contextmanager
def _opened(path: Path, what: str) -> Iterator[Mapping[str, Any]]:
    """Open a file of arrays.

    Raises:
        OSError: it is missing or cannot be read, or what it holds cannot be used.
    """
    content = io.BytesIO(*read_all([path], _WINDOW_BYTES))
    try:
        _require_uncompressed(content)
        with np.load(content, allow_pickle=False) as arrays:
            yield arrays
    except (ValueError, TypeError, KeyError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise OSError(f"{path} is damaged: {error}; remove it, and the same command measures {what} again") from error


def _require_uncompressed(content: io.BytesIO) -> None:
    """Refuse arrays that unpack to more than their file holds: they are written as they are.

    Raises:
        ValueError: they do.
    """
    with zipfile.ZipFile(content) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > content.getbuffer().nbytes:
        raise ValueError(f"it claims to hold {unpacked:,} bytes")


def _evidence(arrays: Mapping[str, Any], window: Window, *, large: bool) -> tuple[FrameEvidence, float]:
    """Return what arrays hold of a window, and the time of its measurement.

    Raises:
        ValueError, KeyError: they are no evidence of this window.
    """
    columns: dict[str, Any] = {"tick": arrays["faces.tick"], "parted": arrays.get("faces.parted", None)}
    for measure in FACE_MEASURES:
        columns[measure.field] = (
            arrays.get(f"faces.{measure.field}", None)
            if large or not measure.large
            else measure.unmeasured(len(columns["tick"]))
        )
    flags = {name: arrays.get(name, None) for name in _FLAGS}
    evidence = FrameEvidence(decoded=arrays["decoded"], faces=Faces(**columns), cut_score=arrays["cut_score"], **flags)
    tick, n_ticks = evidence.faces.tick, window.n_ticks
    by_tick = (evidence.decoded, evidence.cut_score, *(values for values in flags.values() if values is not None))
    if any(values.shape != (n_ticks,) for values in by_tick):
        raise ValueError(f"it holds other ticks than the {n_ticks} of its window")
    if tick.ndim != 1 or np.any((tick < 0) | (tick >= n_ticks)):
        raise ValueError(f"it holds faces outside the {count_text(n_ticks, 'tick')} of its window")
    if any(values is not None and len(values) != len(tick) for values in columns.values()):
        raise ValueError("its measures are of different numbers of faces")
    return evidence, float(arrays["spent_s"])
