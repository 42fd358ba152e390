"""Random access to rows of many Parquet files. Nothing stays open between two calls, so a reader may be copied.

The footers of a few files and a few columns of row groups are cached. A file of the manifest has a row group per
clip, so that the footer of one of 256 MB takes about 10 ms to read and 12 MB of memory.
"""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from foundation.storage.arrow import ParquetFooter, open_parquet

__all__ = ["RowReader"]

ValueT = TypeVar("ValueT")

_FOOTERS = 16

_COLUMNS = 32


class RowReader:
    """Cached reader of columns of row groups."""

    def __init__(self) -> None:
        self._footers: OrderedDict[Path, ParquetFooter] = OrderedDict()
        self._columns: OrderedDict[tuple[Path, int, str], pa.ChunkedArray] = OrderedDict()

    def value(self, file: Path, row_group: int, row: int, column: str) -> pa.ChunkedArray:
        """Return a column of one row, row number `row` of a row group.

        Raises:
            ArrowException, OSError, KeyError: the file is damaged, or cannot be read, or lacks the column.
        """
        key = (file, row_group, column)
        return _cached(self._columns, key, _COLUMNS, lambda: self._read(file, row_group, column)).slice(row, 1)

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
