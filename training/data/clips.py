"""Random access to the clips of a selection, their arrays and frames, and a log of damaged clips."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from foundation.errors import ProblemsFoundError
from manifests.files.media import MediaError, frames_at
from manifests.files.tar import read_member
from manifests.limits import MAX_CLIP_FRAMES
from manifests.schema.arrow_arrays import numpy_of
from training.data.rows import RowReader
from training.data.selection import ClipIndex, ClipRow

__all__ = ["ClipError", "ClipReader", "DamageLog", "DamagedDataError"]

_LOG = logging.getLogger(__name__)


class ClipError(ProblemsFoundError):
    """A clip cannot be read; the message begins with its name and says why."""


class DamagedDataError(ProblemsFoundError):
    """More clips are damaged than a run tolerates; the message names some, and how to look further."""

    several_lines = True


class ClipReader:
    """Reader of a selection; clips are numbered by their order in it."""

    def __init__(self, index: ClipIndex) -> None:
        self.index = index
        self._rows = RowReader()

    def array(self, clip: int, column: str) -> npt.NDArray[Any]:
        """Return the array that a clip has in `column` of the manifest, such as (N, K, 2) of `landmarks`.

        Raises:
            ClipError: the value is null, or the file cannot be read.
        """
        row = self._row(clip)
        try:
            (array,) = numpy_of(self._rows.value(row.file, row.row_group, row.row, column))
        except (pa.ArrowException, ValueError, OSError, KeyError) as error:
            raise ClipError(f"{row.clip_id}: {row.file}: column {column} cannot be read: {error}") from error
        if array is None:
            raise ClipError(f"{row.clip_id}: {row.file}: it has no {column}")
        if len(array) != row.n_frames:
            raise ClipError(
                f"{row.clip_id}: {row.file}: column {column} has {len(array)} rows for {row.n_frames} frames"
            )
        return array

    def frames(self, clip: int, numbers: Sequence[int], size_px: int) -> npt.NDArray[np.uint8]:
        """Return frames of a clip, scaled to (n, size_px, size_px, 3); `numbers` are in ascending order.

        Raises:
            ClipError: a frame is missing or damaged, the clip has another size than those of the dataset, or the tar
                cannot be read.
        """
        row = self._row(clip)
        try:
            mp4 = read_member(self.index.dataset, row.media, row.mp4)
            return frames_at(mp4, numbers, size_px, clip_px=self.index.clip_px)
        except MediaError as error:
            raise ClipError(f"{row.clip_id}: {row.media}: {error}") from error

    def _row(self, clip: int) -> ClipRow:
        row = self.index.row(clip)
        if not 0 < row.n_frames <= MAX_CLIP_FRAMES:
            raise ClipError(f"{row.clip_id}: n_frames is {row.n_frames}, clips have 1 to {MAX_CLIP_FRAMES} frames")
        return row


class DamageLog:
    """Damaged clips of a run: each is logged once, and too many stop the run."""

    def __init__(self, index: ClipIndex) -> None:
        self._n_clips = len(index)
        self._max_share = index.config.max_damaged_share
        self._reasons: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._reasons)

    def record(self, damaged: Iterable[str]) -> None:
        """Count the damaged clips that the messages of `ClipError` in a batch name.

        Raises:
            DamagedDataError: more than `data.max_damaged_share` of the clips are damaged, and more than one.
        """
        for reason in damaged:
            clip_id = reason.split(":", 1)[0]
            if clip_id not in self._reasons:
                self._reasons[clip_id] = reason
                _LOG.warning("clip skipped: %s", reason)
        if len(self) > max(1.0, self._max_share * self._n_clips):
            listed = "\n".join(list(self._reasons.values())[:5])
            raise DamagedDataError(
                f"{len(self)} of {self._n_clips} clips are damaged, more than data.max_damaged_share "
                f"{self._max_share:g}; `gaia-curate validate` lists all damage. The first:\n{listed}"
            )
