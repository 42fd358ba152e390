"""Random access to the clips of a selection: their arrays by row, their pictures by number; and what is damaged.

Nothing stays open between two calls, so a reader may be copied into loader processes. What is kept is the footers of
the manifest's files and a few of their columns, as far as one row group.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from manifests.files import open_parquet
from manifests.media import MediaError, read_member
from manifests.schema import numpy_of
from training.clip_frames import frames_at
from training.selection import ClipIndex

__all__ = ["ClipError", "ClipReader", "DamageLog", "DamagedDataError"]

ValueT = TypeVar("ValueT")

_FOOTERS = 16
"""Footers that are kept; that of a packed file of 256 MB takes about 12 MB."""

_COLUMNS = 32
"""Columns of row groups that are kept; of landmarks one is about 1 MB per 10 s."""

_LOG = logging.getLogger(__name__)


class ClipError(ValueError):
    """A clip cannot be read; the message begins with its name and says why."""


class DamagedDataError(ValueError):
    """More clips are damaged than a run tolerates; the message names some, and how to look further."""


class ClipReader:
    """Reads the clips of a selection; clips go by their number in it."""

    def __init__(self, index: ClipIndex) -> None:
        self.index = index
        self._footers: OrderedDict[Path, pq.FileMetaData] = OrderedDict()
        self._columns: OrderedDict[tuple[Path, int, str], pa.ChunkedArray] = OrderedDict()

    def array(self, clip: int, column: str) -> npt.NDArray[Any]:
        """Return the array that a clip has in `column` of the manifest, such as (N, K, 2) of `landmarks`.

        Raises:
            ClipError: the value is null, or the file cannot be read.
        """
        row = self.index.row(clip)
        try:
            values = _kept(
                self._columns,
                (row.part, row.row_group, column),
                _COLUMNS,
                lambda: self._read(row.part, row.row_group, column),
            )
            (array,) = numpy_of(values.slice(row.row, 1))
        except (pa.ArrowException, ValueError, OSError, KeyError) as error:
            raise ClipError(f"{row.clip_id}: {row.part}: column {column} cannot be read: {error}") from error
        if array is None:
            raise ClipError(f"{row.clip_id}: {row.part}: it has no {column}")
        if len(array) != row.n_frames:
            raise ClipError(
                f"{row.clip_id}: {row.part}: column {column} has {len(array)} rows for {row.n_frames} frames"
            )
        return array

    def pictures(self, clip: int, numbers: Sequence[int], size_px: int) -> npt.NDArray[np.uint8]:
        """Return the (n, size_px, size_px, 3) frames `numbers`, which rise, of a clip.

        Raises:
            ClipError: a frame is missing or damaged, or the tar cannot be read.
        """
        row = self.index.row(clip)
        try:
            return frames_at(read_member(self.index.dataset, row.media, row.mp4), numbers, size_px)
        except MediaError as error:
            raise ClipError(f"{row.clip_id}: {row.media}: {error}") from error

    def _read(self, part: Path, row_group: int, column: str) -> pa.ChunkedArray:
        with open_parquet(part, self._footers.get(part)) as file:
            _kept(self._footers, part, _FOOTERS, lambda: file.metadata)
            return file.read_row_group(row_group, columns=[column], use_threads=False)[column]


def _kept(cache: "OrderedDict[Any, ValueT]", key: object, size: int, make: Callable[[], ValueT]) -> ValueT:
    """Return the value of `key`, made where it is not kept; the one not used for longest makes room."""
    if key not in cache:
        cache[key] = make()
        if len(cache) > size:
            cache.popitem(last=False)
    cache.move_to_end(key)
    return cache[key]


class DamageLog:
    """Which clips were damaged: each is named once in the log, and too many stop the run."""

    def __init__(self, index: ClipIndex) -> None:
        self._n_clips = len(index)
        self._max_share = index.config.max_damaged_share
        self._reasons: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._reasons)

    def record(self, damaged: Iterable[str]) -> None:
        """Take the messages of `ClipError` into account that a batch brings.

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
