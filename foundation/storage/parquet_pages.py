"""How much memory the columns of a Parquet file take, found in the headers of their pages before they are decoded.

Neither the size of a file nor what its footer states bounds that: a page of 100 bytes may repeat a value 300 million
times. The headers of pages state the values and bytes of each page, and a decoder takes them from there. They are
encoded in Thrift's compact protocol; parquet-format's `parquet.thrift` declares them.
"""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from foundation.errors import UsageError

__all__ = [
    "DATA_PAGE",
    "PLAIN",
    "RLE",
    "SPLIT",
    "Chunk",
    "Leaf",
    "OversizedError",
    "Page",
    "ReadAt",
    "chunk_start",
    "decoded_bytes",
    "leaves_of",
    "long_number",
    "page_at",
]

ReadAt = Callable[[int, int], bytes]
"""Offset and length to the bytes there, fewer at the end of the file."""

_HEADER_BYTES = 256
"""Bytes of a page that are read for its header; most have 20 to 60, more if they have statistics of long texts."""

_MAX_HEADER_BYTES = 1 << 20

_MAX_PAGES = 16_384
"""Pages of a column of a row group. A page has a MiB or 20,000 values."""

_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}

_LEVELS_BYTES = 4
"""Bytes of the two levels of a value."""

DATA_PAGE, _DICTIONARY, _DATA_2 = 0, 2, 3
"""Types of pages."""

_DETAILS = {DATA_PAGE: (5, 2), _DICTIONARY: (7, 2), _DATA_2: (8, 4)}
"""By the type of a page, the number of the field with its own header, and in that the one of its encoding."""

PLAIN, RLE, SPLIT = 0, 3, 9
"""Encodings in which every value has bytes of its own, or is a truth value."""

_BY_DICTIONARY = (2, 8)

_EXACT_FROM = 32 << 20
"""Bytes of a column above which the texts of its dictionary are measured one by one."""

_LARGEST_DICTIONARY = 8 << 20
"""Bytes of a dictionary whose texts are measured. Writers end a dictionary at a MiB."""


class OversizedError(UsageError, pa.ArrowInvalid):  # type: ignore[misc] # PyArrow has no types
    """Columns of a Parquet file would take more memory than those of an honest file."""


class Leaf(NamedTuple):
    """A Parquet column: one per number, text or flag in the structure of an Arrow column."""

    factor: int
    """Values that a null takes in Arrow's lists of fixed length."""
    varies: bool
    """Whether it lies in a list of any length, so that a row has any number of values."""


class Chunk(NamedTuple):
    """A Parquet column of a row group."""

    column: pq.ColumnChunkMetaData
    leaf: Leaf
    width: int
    """Bytes of a value, where its type does not say them."""
    n_rows: int


def leaves_of(data_type: pa.DataType) -> list[Leaf]:
    """Return the Parquet columns of an Arrow column.

    Raises:
        OversizedError: the type is none that a dataset has.

    >>> leaves_of(pa.list_(pa.list_(pa.float32(), 2), 9)), leaves_of(pa.list_(pa.string()))
    ([Leaf(factor=18, varies=False)], [Leaf(factor=1, varies=True)])
    """
    if pa.types.is_struct(data_type):
        return [leaf for field in data_type for leaf in leaves_of(field.type)]
    if pa.types.is_fixed_size_list(data_type):
        return [Leaf(data_type.list_size * one.factor, one.varies) for one in leaves_of(data_type.value_type)]
    if pa.types.is_list(data_type):
        return [Leaf(one.factor, varies=True) for one in leaves_of(data_type.value_type)]
    if pa.types.is_nested(data_type) or isinstance(data_type, pa.BaseExtensionType):
        raise OversizedError(f"its type {data_type} is none that a dataset has")
    return [Leaf(1, varies=False)]


def decoded_bytes(read_at: ReadAt, chunk: Chunk, most: int) -> int:
    """Return a bound of the bytes that a column of a row group takes once it is decoded.

    Args:
        read_at: reads the file.
        chunk: the column.
        most: bytes that a page, or the levels of all values, may take meanwhile.

    Raises:
        OversizedError: the pages are damaged, or encoded as no dataset's are; or there are too many bytes meanwhile.
    """
    column, (factor, varies), width, n_rows = chunk
    if n_rows == column.num_values == 0:  # of a table without rows, which may have no pages either
        return 0
    position = chunk_start(column)
    end = position + column.total_compressed_size
    kind = column.physical_type
    texts, longest, text_bytes, n_all = kind == "BYTE_ARRAY", 0, 0, 0
    for _ in range(_MAX_PAGES):
        if position >= end:
            slots = n_all * factor if varies else n_rows * factor
            return text_bytes + slots * _WIDTHS.get(kind, width)
        page, length = page_at(read_at, position)
        n_bytes, stored, n_values, encoding = page.n_bytes, page.stored_bytes, page.n_values, page.encoding
        if n_values < 0 or not 0 <= stored <= end - position - length:
            raise OversizedError(f"a page of {column.path_in_schema} is damaged")
        if not (0 <= n_bytes <= most and (n_all + n_values) * _LEVELS_BYTES <= most):
            raise OversizedError(
                f"a page of {column.path_in_schema} would take {n_bytes:,} bytes for {n_values:,} values"
            )
        if page.kind == _DICTIONARY:
            longest = n_bytes
            if texts and n_bytes <= _LARGEST_DICTIONARY and n_bytes * column.num_values > _EXACT_FROM:
                longest = _longest_text(read_at(position + length, stored), column.compression, n_bytes, n_values)
        elif encoding in _BY_DICTIONARY:
            n_all += n_values
            text_bytes += n_values * longest if texts else 0
        elif encoding in (PLAIN, SPLIT) or (encoding == RLE and kind == "BOOLEAN"):
            n_all += n_values
            text_bytes += n_bytes if texts else 0
        else:
            raise OversizedError(f"{column.path_in_schema} has the encoding {encoding}, which no dataset has")
        position += length + stored
    raise OversizedError(f"{column.path_in_schema} has more than {_MAX_PAGES:,} pages in a row group")


class Page(NamedTuple):
    """What the header of a page states; -1 where it is silent."""

    kind: int
    n_bytes: int
    """Length of the content, decompressed."""
    stored_bytes: int
    """Length of the content in the file, after the header."""
    n_values: int
    encoding: int
    """Of the values."""
    level_encodings: tuple[int, int]
    """Of the definition levels and of the repetition levels of a page of the first version."""


def page_at(read_at: ReadAt, position: int) -> tuple[Page, int]:
    """Return what the header of a page states, and its length.

    Args:
        read_at: reads the file.
        position: first byte of the header.

    Raises:
        OversizedError: it is damaged, or of a type that no dataset has.
    """
    fields, length = _header(read_at, position)
    kind = fields.get(1, -1)
    number, encoding = _DETAILS.get(kind, (0, 0))
    details = fields.get(number)
    if not isinstance(details, dict):
        raise OversizedError(f"a page has the type {kind}, which no dataset has")
    stated = [details.get(field, -1) for field in (1, encoding, 3, 4)]
    if not all(isinstance(one, int) for one in (*stated, fields.get(2, -1), fields.get(3, -1))):
        raise OversizedError("a page's header has a structure in place of a number")
    return Page(kind, fields.get(2, -1), fields.get(3, -1), stated[0], stated[1], (stated[2], stated[3])), length


def chunk_start(column: pq.ColumnChunkMetaData) -> int:
    """Return the first byte of a column of a row group."""
    position: int = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < position:
        position = column.dictionary_page_offset
    return position


def _longest_text(content: bytes, compression: str, n_bytes: int, n_values: int) -> int:
    """Return the length of the longest text of a dictionary: texts in a row, each after its length in 4 bytes."""
    if compression != "UNCOMPRESSED":
        content = pa.decompress(content, n_bytes, codec=compression.lower(), asbytes=True)
    position = longest = 0
    for _ in range(n_values):
        if position + 4 > len(content):
            break
        (length,) = struct.unpack_from("<I", content, position)
        longest = max(longest, length)
        position += 4 + length
    return longest


_MOST_FIELDS = 64
"""Largest number of a field; headers of pages have eight, and statistics of texts are as long as these."""

_TRUTH, _WHOLE, _TEXT, _STRUCTURE = (1, 2), (4, 5, 6), 8, 12
"""Types of Thrift's fields."""

_Fields = dict[int, Any]
"""Values of a Thrift structure by the numbers of its fields."""


def _header(read_at: ReadAt, position: int) -> tuple[_Fields, int]:
    """Return the header of a page and its length."""
    n_bytes = _HEADER_BYTES
    while True:
        content = read_at(position, n_bytes)
        try:
            return _structure(content, 0, 0)
        except IndexError:
            if len(content) < n_bytes or n_bytes >= _MAX_HEADER_BYTES:
                raise OversizedError(f"the header of the page at byte {position} is damaged") from None
            n_bytes *= 16


def _structure(content: bytes, at: int, depth: int) -> tuple[_Fields, int]:
    """Return the fields of a Thrift structure, and where it ends.

    Raises:
        IndexError: the content ends before.
        OversizedError: it has a field of a type that headers of pages have not.
    """
    fields: _Fields = {}
    number = 0
    while head := content[at]:
        at += 1
        kind = head & 15
        number += head >> 4
        if head < 16 or number > _MOST_FIELDS:
            raise OversizedError("a page's header counts its fields as none does")
        if kind in _WHOLE:
            value = content[at]
            if value < 128:
                at += 1
            else:
                value, at = long_number(content, at)
            fields[number] = (value >> 1) ^ -(value & 1)
        elif kind == _TEXT:  # of statistics alone
            n_bytes, at = long_number(content, at)
            at += n_bytes
        elif kind == _STRUCTURE and depth < 3:
            fields[number], at = _structure(content, at, depth + 1)
        elif kind not in _TRUTH:
            raise OversizedError(f"a page's header has a field of type {kind}")
    return fields, at + 1


def long_number(content: bytes, at: int) -> tuple[int, int]:
    """Return a number in groups of 7 bits, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise OversizedError("a page's header has a number that is too long")
