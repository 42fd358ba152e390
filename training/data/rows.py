"""Random access to rows of many Parquet files. Nothing stays open between two calls, so a reader may be copied.

Arrays are read from their own ranges of bytes, which are known since the rows were selected. Where a file has another
form than this software writes, such as several clips in a row group, Arrow reads them: then the footers of a few files
and a few columns of row groups are cached. The footer of a manifest of 256 MB, which has a row group per clip, takes
about 10 ms to read and 12 MB of memory.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from foundation.storage.array_columns import array_kind
from foundation.storage.arrow import ParquetFooter, open_parquet
from foundation.storage.locations import read_range
from foundation.storage.parquet_arrays import MOST_BYTES, array_in
from manifests.errors import DatasetError
from manifests.files.tar import MemberRange
from manifests.schema.arrow_arrays import numpy_of

__all__ = ["ClipRow", "NotFiniteError", "RowPlace", "RowReader"]

ValueT = TypeVar("ValueT")

_FOOTERS = 16

_COLUMNS = 32


class NotFiniteError(DatasetError, ValueError):
    """An array holds numbers that are not finite."""


class RowPlace(NamedTuple):
    """Place of a row in a Parquet file, and of one of its arrays."""

    file: Path
    row_group: int
    row: int
    """In the row group."""
    start: int = 0
    """First byte of the array."""
    n_bytes: int = 0
    """Length of the array as it is stored; 0: Arrow has to find it."""


class RowReader:
    """Cached reader of columns of row groups."""

    def __init__(self) -> None:
        self._footers: OrderedDict[Path, ParquetFooter] = OrderedDict()
        self._columns: OrderedDict[tuple[Path, int, str], pa.ChunkedArray] = OrderedDict()

    def array(
        self,
        place: RowPlace,
        column: pa.Field,
        inner: Sequence[int | None],
        n_rows: int,
        rows: Sequence[int] | None = None,
        *,
        finite: bool = False,
    ) -> npt.NDArray[Any] | None:
        """Return the array of a row, of any shape; None: the row has none.

        Args:
            place: of the row.
            column: the column, as it is declared.
            inner: the lengths of inner lists that are expected; None: any.
            n_rows: the length of the outer list that is expected.
            rows: places in the outer list that are asked for; None: all.
            finite: look at all numbers, also at those that are not asked for.

        Raises:
            NotFiniteError: a number was looked at and is not finite.
            ArrowException, OSError, KeyError, ValueError: the file is damaged, or cannot be read, or lacks the column.
        """
        if 0 < place.n_bytes <= MOST_BYTES:
            content = read_range(place.file, place.start, place.n_bytes)
            array = array_in(content, array_kind(column), inner, n_rows, rows, finite=finite)
            if array is not None:
                return array
        (found,) = numpy_of(self._value(place, column.name))
        if finite and found is not None and not np.isfinite(found).all():
            raise NotFiniteError
        return found if found is None or rows is None or len(found) != n_rows else found[list(rows)]

    def _value(self, place: RowPlace, column: str) -> pa.ChunkedArray:
        key = (place.file, place.row_group, column)
        found = _cached(self._columns, key, _COLUMNS, lambda: self._read(place.file, place.row_group, column))
        return found.slice(place.row, 1)

    def _read(self, file: Path, row_group: int, column: str) -> pa.ChunkedArray:
        with open_parquet(file, self._footers.get(file)) as opened:
            _cached(self._footers, file, _FOOTERS, lambda: opened.footer)
            return opened.read_row_group(row_group, columns=[column], use_threads=False)[column]


def _cached(cache: "OrderedDict[Any, ValueT]", key: object, size: int, make: Callable[[], ValueT]) -> ValueT:
    """Return the cached value of `key`, or make and cache it; the least recently used value is dropped."""
    if key not in cache:
        cache[key] = make()
        if len(cache) > size:
            cache.popitem(last=False)
    cache.move_to_end(key)
    return cache[key]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipRow:
    """Files and offsets of one clip."""

    clip_id: str
    n_frames: int
    media: str
    """Tar, relative to the dataset."""
    mp4: MemberRange
    file: Path
    """Parquet file of the manifest."""
    arrays: Mapping[str, RowPlace]
    """By the name of each column in `training.data.selection.ARRAYS`, where it lies in the file."""
