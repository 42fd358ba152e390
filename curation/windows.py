"""Long videos in windows: which there are, what was measured in each, and the video's evidence put together from them.

A window is measured like a video of its own, by any worker. Whatever needs neighbours is decided later, on all windows
of a video at once, so the seams leave no trace in the decisions.
"""

import dataclasses
import io
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from curation.evidence import Faces, PictureEvidence
from curation.settings import Settings
from curation.trims import Stretch
from manifests.files import write_bytes_atomic
from manifests.storage import files_in, read_all
from manifests.timeline import TICK_RATE_HZ

__all__ = [
    "Window",
    "WindowSettings",
    "plan_windows",
    "read_window",
    "read_windows",
    "remove_windows",
    "stitch",
    "window_path",
    "windows_within",
    "write_window",
]

FOLDER = "windows"
"""In the dataset; empty once all videos are done."""

_LARGE = ("landmarks_px", "blendshapes")
"""What no rule looks at."""


class WindowSettings(Settings):
    """How long videos are divided among workers."""

    length_s: int = Field(default=180, ge=8, le=3600)
    """Longest stretch that one worker measures at a time, s; whole seconds, so that it begins on a tick on which all
    strides begin. Longer ones take more memory, shorter ones repeat more of what lies around the seams."""

    @property
    def length_ticks(self) -> int:
        """The same in ticks."""
        return int(self.length_s * TICK_RATE_HZ)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Ticks ``[first_tick, end_tick)`` of a video."""

    first_tick: int
    end_tick: int

    @property
    def n_ticks(self) -> int:
        """How many they are."""
        return self.end_tick - self.first_tick


def plan_windows(n_ticks: int, settings: WindowSettings) -> list[Window]:
    """Divide a video of `n_ticks` ticks.

    >>> [(window.first_tick, window.end_tick) for window in plan_windows(500, WindowSettings(length_s=8))]
    [(0, 200), (200, 400), (400, 500)]
    """
    length = settings.length_ticks
    return [Window(first_tick=k, end_tick=min(k + length, n_ticks)) for k in range(0, n_ticks, length)]


def windows_within(stretches: Sequence[Stretch], settings: WindowSettings) -> list[Window]:
    """Divide stretches of a video where the whole video would be divided.

    >>> [(window.first_tick, window.end_tick) for window in windows_within([(190, 250)], WindowSettings(length_s=8))]
    [(190, 200), (200, 250)]
    """
    return [
        Window(first_tick=max(first, window.first_tick), end_tick=window.end_tick)
        for first, end in stretches
        for window in plan_windows(end, settings)
        if window.end_tick > first
    ]


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


def read_windows(dataset: Path, video_id: str, windows: Sequence[Window]) -> tuple[PictureEvidence, float]:
    """Return what rules need of the evidence of windows, given in order, as one stretch, and the seconds they took.

    Landmarks and blendshapes, nine tenths of it, stay on disk: `landmarks_px` has no points, `blendshapes` is None.

    Raises:
        OSError: a window's evidence is missing or cannot be read.
    """
    parts = [_read(window_path(dataset, video_id, window), whole=False) for window in windows]
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


def stitch(parts: Sequence[PictureEvidence]) -> PictureEvidence:
    """Return the evidence of adjacent stretches as that of one."""
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    columns: dict[str, Any] = {
        field.name: _joined([getattr(part.faces, field.name) for part in parts], [len(part.faces) for part in parts])
        for field in dataclasses.fields(Faces)
        if field.name != "tick"
    }
    tick = np.concatenate([part.faces.tick + start for part, start in zip(parts, starts, strict=True)])
    return PictureEvidence(
        decoded=np.concatenate([part.decoded for part in parts]),
        faces=Faces(tick=tick, **columns),
        cut_score=np.concatenate([part.cut_score for part in parts]),
    )


def _joined(blocks: Sequence[npt.NDArray[np.generic] | None], n_faces: Sequence[int]) -> npt.NDArray[np.generic] | None:
    """Return the rows of all blocks; None where the model that measures them has none.

    A stretch without a face cannot tell whether the model has them.
    """
    telling = [block for block, n in zip(blocks, n_faces, strict=True) if n]
    present = [block for block in telling or blocks if block is not None]
    return np.concatenate(present) if present and len(present) == len(telling or blocks) else None


def _read(path: Path, *, whole: bool) -> tuple[PictureEvidence, float]:
    with np.load(io.BytesIO(*read_all([path])), allow_pickle=False) as arrays:
        columns: dict[str, Any] = {
            field.name: arrays.get(f"faces.{field.name}", None)
            for field in dataclasses.fields(Faces)
            if whole or field.name not in _LARGE
        }
        if not whole:
            columns |= {"landmarks_px": np.zeros((len(columns["tick"]), 0, 2), np.float32), "blendshapes": None}
        seen = PictureEvidence(decoded=arrays["decoded"], faces=Faces(**columns), cut_score=arrays["cut_score"])
        return seen, float(arrays["spent_s"])
