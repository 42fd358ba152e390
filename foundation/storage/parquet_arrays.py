"""Arrays of numbers read from their own bytes of a Parquet file, with neither footer nor Arrow.

In a file with one row a row group, such as a manifest of clips, a column of a row is one range of bytes. Where it lies
is looked up once (`array_ranges`); `array_in` then decodes it in a sixth of the time that Arrow takes, which builds
lists in lists, number by number. It accepts what this software writes: pages of the first version, compressed with
zstd, values plain or as split byte streams, no nulls, lists of equal length. Of anything else it says nothing, and
Arrow decides what it is. The format is that of parquet-format's `Encodings.md` and `parquet.thrift`.
"""

import functools
import io
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from foundation.array_types import Int64Array
from foundation.storage.parquet_levels import OtherBytesError, require, require_all_present, require_array
from foundation.storage.parquet_pages import DATA_PAGE, PLAIN, RLE, SPLIT, OversizedError, page_at

__all__ = ["MOST_BYTES", "ArrayKind", "array_in", "array_kind", "array_ranges"]

Numbers = npt.NDArray[np.generic]

_NUMBERS = {"FLOAT": np.dtype("<f4"), "FIXED_LEN_BYTE_ARRAY": np.dtype("<f2")}
"""By Parquet's type of a column of floating-point numbers, NumPy's; of fixed length, two bytes are asked for."""

MOST_BYTES = 512 << 20
"""Most bytes of the numbers of an array, and of what is stored of it. A clip of ten minutes takes a tenth of it."""

_LEVELS_BYTES = 2
"""Bytes of the levels of a value; two bits are usual."""


class ArrayKind(NamedTuple):
    """A declared column of arrays of two or three dimensions."""

    column: pq.ColumnSchema
    """As Parquet has it."""
    lists: int
    """Lists in each other: the dimensions."""
    present: int
    """Definition level of a number that is there."""
    number: np.dtype[np.generic]


class _NumberPage(NamedTuple):
    levels: bytes
    """Repetition levels, encoded."""
    n_values: int
    encoding: int
    numbers: npt.NDArray[np.uint8]
    """Encoded."""


@functools.cache
def array_kind(field: pa.Field) -> ArrayKind:
    """Return the kind of a declared column.

    Raises:
        ValueError: its values are no arrays of two or three dimensions of float32 or float16.
    """
    sink = io.BytesIO()
    pq.write_table(pa.schema([field]).empty_table(), sink)
    schema = pq.ParquetFile(sink).schema
    column = schema.column(0)
    if len(schema) != 1 or column.max_repetition_level not in (2, 3) or column.physical_type not in _NUMBERS:
        raise ValueError(f"{field} is no column of arrays of two or three dimensions of float32 or float16")
    number = _NUMBERS[column.physical_type]
    if column.physical_type == "FIXED_LEN_BYTE_ARRAY" and column.length != number.itemsize:
        raise ValueError(f"{field} has numbers of {column.length} bytes")
    return ArrayKind(column, column.max_repetition_level, column.max_definition_level, number)


def array_ranges(metadata: pq.FileMetaData, kinds: Sequence[ArrayKind]) -> Int64Array:
    """Return (row groups, kinds, 2) first byte and length of each column in the row groups of a file.

    The length is 0 where the file has no such column, or has it in another form, or the row group has several rows.

    Args:
        metadata: footer of the file.
        kinds: the columns.
    """
    schema = metadata.schema
    numbers = {schema.column(number).path: number for number in range(len(schema))}
    there = []
    for place, kind in enumerate(kinds):
        number = numbers.get(kind.column.path)
        if number is not None and schema.column(number).equals(kind.column):
            there.append((place, number))
    ranges = np.zeros((metadata.num_row_groups, len(kinds), 2), np.int64)
    for row, range_of in enumerate(ranges):
        group = metadata.row_group(row)
        if group.num_rows != 1:
            continue
        for place, number in there:
            column = group.column(number)
            if column.compression == "ZSTD" and not column.has_dictionary_page:
                range_of[place] = max(0, column.data_page_offset), max(0, column.total_compressed_size)
    return ranges


def array_in(
    content: bytes,
    kind: ArrayKind,
    inner: Sequence[int | None],
    n_rows: int,
    rows: Sequence[int] | None = None,
    *,
    finite: bool = False,
) -> Numbers | None:
    """Return the array in the bytes of a column of a row; None where Arrow has to read it.

    Args:
        content: the bytes.
        kind: the column.
        inner: lengths of the inner lists, such as (478, 2) of landmarks; None: any.
        n_rows: length of the outer list; no more numbers than it has are decoded.
        rows: places in the outer list, of which alone the numbers are returned, in their order; None: of all.
        finite: only an array whose numbers are all finite, those that are not returned included.
    """
    try:
        return _array_in(content, kind, inner, n_rows, rows, finite=finite)
    except (OtherBytesError, OversizedError, pa.ArrowException, ValueError, IndexError, OSError):  # OSError: of zstd
        return None


def _array_in(
    content: bytes,
    kind: ArrayKind,
    inner: Sequence[int | None],
    n_rows: int,
    rows: Sequence[int] | None,
    *,
    finite: bool,
) -> Numbers:
    most_values = MOST_BYTES // kind.number.itemsize if None in inner else n_rows * math.prod(map(int, inner))
    pages = list(_pages(content, kind, most_values))
    n_values = sum(page.n_values for page in pages)
    if None in inner:
        known = n_rows * math.prod(size for size in inner if size is not None)
        inner = [n_values // known if size is None else size for size in inner]
    shape = (n_rows, *map(int, inner))
    require(len(shape) == kind.lists and n_values == math.prod(shape))
    require_array([(page.levels, page.n_values) for page in pages], shape)
    if finite:
        require(all(_is_finite(page, kind) for page in pages))
    if rows is None or len(pages) > 1:
        whole = np.concatenate([_numbers(page, kind, 0, page.n_values) for page in pages]).reshape(shape)
        return whole if rows is None else whole[list(rows)]
    of_row = n_values // n_rows
    return np.stack([_numbers(pages[0], kind, of_row * row, of_row * (row + 1)).reshape(shape[1:]) for row in rows])


def _pages(content: bytes, kind: ArrayKind, most_values: int) -> Iterator[_NumberPage]:
    """Yield the pages, with as many numbers as are stated and no more than `most_values` in all."""
    position = 0
    whole = memoryview(content)
    width = kind.number.itemsize
    while position < len(content):
        page, length = page_at(lambda at, n_bytes: content[at : at + n_bytes], position)
        position += length
        require(page.kind == DATA_PAGE and page.level_encodings == (RLE, RLE))
        require(0 < page.n_values <= most_values)
        most_values -= page.n_values
        # before memory is reserved: no more than the numbers and their levels take
        require(0 <= page.n_bytes <= width * page.n_values + _LEVELS_BYTES * (page.n_values + 8))
        require(0 < page.stored_bytes <= len(content) - position)
        body = pa.decompress(whole[position : position + page.stored_bytes], page.n_bytes, codec="zstd", asbytes=True)
        position += page.stored_bytes
        repeated, at = _levels_at(body, 0)
        defined, at = _levels_at(body, at)
        require_all_present(defined, page.n_values, kind.present)
        require(len(body) - at == width * page.n_values)
        require(page.encoding == PLAIN or (page.encoding == SPLIT and width == 4))
        yield _NumberPage(repeated, page.n_values, page.encoding, np.frombuffer(body, np.uint8, offset=at))


def _levels_at(body: bytes, at: int) -> tuple[bytes, int]:
    """Return encoded levels, which follow their length, and where they end."""
    require(at + 4 <= len(body))
    end = at + 4 + int.from_bytes(body[at : at + 4], "little")
    require(end <= len(body))
    return body[at + 4 : end], end


def _numbers(page: _NumberPage, kind: ArrayKind, first: int, last: int) -> Numbers:
    """Return (last - first,) numbers of a page."""
    if page.encoding == PLAIN:
        return page.numbers.view(kind.number)[first:last]
    # the first bytes of all numbers, then their second ones, and so on, the lowest first
    streams = page.numbers.reshape(4, -1)[:, first:last]
    bits = streams[3].astype(np.uint32)
    for stream in streams[2::-1]:
        bits <<= np.uint32(8)
        bits |= stream
    return bits.view(np.float32)


def _is_finite(page: _NumberPage, kind: ArrayKind) -> bool:
    """Return whether all numbers are finite; False also where a split one is 2^127 or more."""
    if page.encoding == PLAIN:
        return bool(np.isfinite(page.numbers.view(kind.number)).all())
    # sign and the upper seven bits of the exponent
    upper = page.numbers[3 * page.n_values :]
    return not bool(((upper & np.uint8(127)) == 127).any())
