"""Random access to the clips of a selection, their arrays and frames, and a log of damaged clips."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from foundation.errors import GaiaError, ProblemsFoundError
from foundation.text import count_text
from manifests.files.media import MediaError, frames_at
from manifests.files.tables import table_files
from manifests.files.tar import read_member
from manifests.landmarks import landmark_scheme
from manifests.limits import MAX_CLIP_FRAMES
from manifests.packing.one_state import ChangingDatasetError
from manifests.schema.clips import CLIPS
from training.data.rows import ClipRow, NotFiniteError, RowReader
from training.data.selection import ARRAYS, ClipIndex, located_again

__all__ = ["ClipError", "ClipReader", "DamageLog", "DamagedDataError", "RemovedClipError"]

_LOG = logging.getLogger(__name__)

REMOVED = "it was removed from the dataset while it was used"
"""End of the message of a `RemovedClipError`."""

_FIELDS = {name: CLIPS.column(name).field for name in ARRAYS}

_LOOKS = 5
"""Looks at the place of a clip that is moved again while it is read."""


class ClipError(ProblemsFoundError):
    """A clip cannot be read; the message begins with its name and says why."""


class RemovedClipError(ClipError):
    """A clip was removed from the dataset after it had been selected."""


class DamagedDataError(ProblemsFoundError):
    """More clips are damaged than a run tolerates; the message names some, and how to look further."""

    several_lines = True


class ClipReader:
    """Reader of a selection; clips are numbered by their order in it."""

    def __init__(self, index: ClipIndex) -> None:
        self.index = index
        self._rows = RowReader()
        self._now = index
        """The same clips where they were found last."""
        self._last: tuple[int, ClipRow] | None = None
        """The clip that was read last, which is often read again, and where it was found."""
        self._points = landmark_scheme(index.landmark_scheme).n_points
        self._inner = {"landmarks": (self._points, 2), "pose_deg": (3,), "speech_features": (None,)}
        """By column, the sizes of its array after the first; None: any."""
        self._finite: dict[str, npt.NDArray[np.bool_]] = {}
        """By column, the clips whose numbers were found finite: they are looked at once, not once an epoch."""

    def array(self, clip: int, column: str, frames: Sequence[int] | None = None) -> npt.NDArray[Any]:
        """Return the array that a clip has in `column` of the manifest, such as (N, K, 2) of `landmarks`.

        Args:
            clip: its number.
            column: one of `training.data.selection.ARRAYS`.
            frames: frames whose rows are returned, in their order; None: all.

        Raises:
            ClipError: the value is null, of another shape than the clip's, or holds numbers that are not finite; or the
                file cannot be read.
        """
        return self._where_it_is(clip, lambda row: self._array(clip, row, column, frames))

    def _array(self, clip: int, row: ClipRow, column: str, frames: Sequence[int] | None) -> npt.NDArray[Any]:
        finite = self._finite.setdefault(column, np.zeros(len(self.index), dtype=np.bool_))
        field, inner, new = _FIELDS[column], self._inner[column], not finite[clip]
        try:
            array = self._rows.array(row.arrays[column], field, inner, row.n_frames, frames, finite=new)
        except NotFiniteError:
            raise ClipError(f"{row.clip_id}: {row.file}: column {column} holds numbers that are not finite") from None
        except (pa.ArrowException, ValueError, OSError, KeyError) as error:
            raise ClipError(f"{row.clip_id}: {row.file}: column {column} cannot be read: {error}") from error
        if array is None:
            raise ClipError(f"{row.clip_id}: {row.file}: it has no {column}")
        if len(array) != (row.n_frames if frames is None else len(frames)):
            raise ClipError(
                f"{row.clip_id}: {row.file}: column {column} has {count_text(len(array), 'row')} for "
                f"{count_text(row.n_frames, 'frame')}"
            )
        if column == "landmarks" and array.shape[1] != self._points:
            raise ClipError(
                f"{row.clip_id}: {row.file}: column landmarks has {array.shape[1]} points a frame, "
                f"{self.index.landmark_scheme} has {self._points}"
            )
        finite[clip] = True
        return array

    def frames(self, clip: int, numbers: Sequence[int], size_px: int) -> npt.NDArray[np.uint8]:
        """Return frames of a clip, scaled to (n, size_px, size_px, 3); `numbers` are in ascending order.

        Raises:
            ClipError: a frame is missing or damaged, the clip has another size than those of the dataset, or the tar
                cannot be read.
        """
        return self._where_it_is(clip, lambda row: self._frames(row, numbers, size_px))

    def _frames(self, row: ClipRow, numbers: Sequence[int], size_px: int) -> npt.NDArray[np.uint8]:
        try:
            mp4 = read_member(self.index.dataset, row.media, row.mp4)
            return frames_at(mp4, numbers, size_px, clip_px=self.index.clip_px)
        except MediaError as error:
            raise ClipError(f"{row.clip_id}: {row.media}: {error}") from error

    def look_again(self, clip: int) -> bool:
        """Find out where the clips are now, after one could not be read; return whether there is anything new.

        Raises:
            RemovedClipError: the clip was removed from the dataset.
            OSError, GaiaError: the dataset cannot be read.
        """
        is_new = False
        if tuple(table_files(self.index.dataset, "clips")) != self._now.files:  # names follow from content
            self._now, self._last, is_new = located_again(self.index), None, True
        if not self._now.has(clip):
            raise RemovedClipError(f"{self.index.row(clip).clip_id}: {REMOVED}")
        return is_new

    def _where_it_is(self, clip: int, read: Callable[[ClipRow], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return what `read` reads of a clip where it was, or where a command has put it since.

        Raises:
            RemovedClipError: it was removed from the dataset.
            ClipError: it is damaged.
        """
        looks = 0
        while True:
            if self._last is None or self._last[0] != clip:
                if not self._now.has(clip):  # it may be back
                    self._may_have_moved(clip, RemovedClipError(f"{self.index.row(clip).clip_id}: {REMOVED}"))
                self._last = clip, self._row(clip)
            try:
                return read(self._last[1])
            except ClipError as error:
                looks += 1
                moved = self._may_have_moved(clip, error)
                if looks > _LOOKS or not (moved or looks == 1):  # the first time it may have been moved there and back
                    raise

    def _may_have_moved(self, clip: int, damage: ClipError) -> bool:
        try:
            return self.look_again(clip)
        except ClipError:
            raise
        except ChangingDatasetError:  # it is gone for the moment at least
            raise RemovedClipError(f"{self.index.row(clip).clip_id}: {REMOVED}") from damage
        except (GaiaError, OSError):  # nothing can be said but that the clip cannot be read
            raise damage from None

    def _row(self, clip: int) -> ClipRow:
        row = self._now.row(clip)
        if not 0 < row.n_frames <= MAX_CLIP_FRAMES:
            raise ClipError(f"{row.clip_id}: n_frames is {row.n_frames}, clips have 1 to {MAX_CLIP_FRAMES} frames")
        return row


class DamageLog:
    """Damaged and removed clips of a run: each is logged once, and too many damaged ones stop the run."""

    def __init__(self, index: ClipIndex) -> None:
        self._n_clips = len(index)
        self._max_share = index.config.max_damaged_share
        self._reasons: dict[str, str] = {}
        self._removed: set[str] = set()

    def __len__(self) -> int:
        """Return the number of damaged clips."""
        return len(self._reasons)

    def record(self, damaged: Iterable[str]) -> None:
        """Count the damaged clips that the messages of `ClipError` in a batch name.

        Raises:
            DamagedDataError: more than `data.max_damaged_share` of the clips are damaged, and more than one.
        """
        for reason in damaged:
            clip_id = reason.split(":", 1)[0]
            if reason.endswith(REMOVED):
                self._note_removed(clip_id, reason)
            elif clip_id not in self._reasons:
                self._reasons[clip_id] = reason
                _LOG.warning("clip skipped: %s", reason)
        if len(self) > max(1.0, self._max_share * self._n_clips):
            listed = "\n".join(list(self._reasons.values())[:5])
            raise DamagedDataError(
                f"{len(self)} of {count_text(self._n_clips, 'clip is', 'clips are')} damaged, more than "
                "data.max_damaged_share "
                f"{self._max_share:g}; `gaia-curate validate` lists all damage. The first:\n{listed}"
            )

    def _note_removed(self, clip_id: str, reason: str) -> None:
        if clip_id not in self._removed:
            self._removed.add(clip_id)
            _LOG.warning("clip skipped: %s, as %d of %d by now", reason, len(self._removed), self._n_clips)
