"""Bounds on what is decoded of a Parquet file, which may come from anyone."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from foundation.storage.parquet_pages import Chunk, Leaf, OversizedError, ReadAt, chunk_start, decoded_bytes, leaves_of

__all__ = [
    "MOST_OF_GROUP",
    "CheckedStream",
    "Chunk",
    "ParquetFooter",
    "most_of_file",
    "read_footer",
    "require",
    "schema_of",
]

MOST_OF_GROUP = 512 << 20
"""Most bytes of the columns that are read of a row group, decoded. A clip of ten minutes takes 320 MB at most, 2,048
ticks of four faces 200 MB."""

_BASE, _RATIO, _RATIO_OF_COLUMN = 64 << 20, 64, 4
"""Most bytes of the columns that are read of a whole file, decoded: a base, and multiples of the file's length, one for
any columns and one for each. Honest columns take 20 times their files at most, and all of `frames` 160 times where a
video shows no face: nulls take nothing in the file."""

_TAIL = 8
"""Bytes at the end of a file: the length of the footer, and PAR1."""


def most_of_file(file_bytes: int, n_leaves: int) -> int:
    """Return the most bytes that columns of a whole file may take, decoded.

    Args:
        file_bytes: length of the file.
        n_leaves: Parquet columns that are read.
    """
    return _BASE + (_RATIO + _RATIO_OF_COLUMN * n_leaves) * file_bytes


class ParquetFooter(NamedTuple):
    """Footer of a file."""

    metadata: pq.FileMetaData
    leaves: dict[str, list[tuple[int, Leaf, int]]]
    """By the name of an Arrow column, its Parquet columns: number, shape, and bytes of a value of any type."""

    def n_leaves(self, columns: Sequence[str] | None) -> int:
        """Return the number of Parquet columns of Arrow columns; None: of all."""
        return sum(len(self.leaves.get(name, ())) for name in (self.leaves if columns is None else set(columns)))

    def chunks(self, groups: Iterable[int], columns: Sequence[str] | None) -> list[Chunk]:
        """Return columns of row groups; None: all columns."""
        names = self.leaves if columns is None else dict.fromkeys(columns)
        leaves = [leaf for name in names for leaf in self.leaves.get(name, ())]
        return [
            Chunk(group.column(number), leaf, width, n_rows)
            for group, n_rows in ((group, group.num_rows) for group in map(self.metadata.row_group, groups))
            for number, leaf, width in leaves
        ]


def schema_of(metadata: pq.FileMetaData) -> pq.ParquetSchema:
    """Return the schema in a footer.

    `metadata.schema` and the footer refer to each other: a footer of thousands of row groups, which has tens of
    megabytes, is then kept until Python looks for cycles, which it does by the number of objects.
    """
    return pq.ParquetSchema(metadata)


def read_footer(metadata: pq.FileMetaData) -> ParquetFooter:
    """Return the footer of a file from what PyArrow has read of it.

    Raises:
        OversizedError: it has a column of a type that no dataset has.
        ArrowException: its schema is damaged.
    """
    schema, number = schema_of(metadata), 0
    leaves: dict[str, list[tuple[int, Leaf, int]]] = {}
    for field in schema.to_arrow_schema():
        for leaf in leaves_of(field.type):
            if number < len(schema):
                leaves.setdefault(field.name, []).append((number, leaf, max(4, schema.column(number).length)))
            number += 1
    if number != len(schema):
        raise OversizedError("it has columns of types that no dataset has")
    return ParquetFooter(metadata, leaves)


def require(source: pa.NativeFile, chunks: Iterable[Chunk], most: int, name: str) -> int:
    """Refuse columns that would take more memory than `most` bytes, and return a bound of what they take.

    Args:
        source: the open file.
        chunks: columns of row groups.
        most: bytes of all, decoded.
        name: of the file, for messages.

    Raises:
        OversizedError: they take more, or are encoded as those of no dataset.
    """

    def read_at(position: int, n_bytes: int) -> bytes:
        content: bytes = source.read_at(n_bytes, position)
        return content

    total = 0
    for chunk in chunks:
        total = _added(total, read_at, chunk, most, name)
    return total


def _added(total: int, read_at: ReadAt, chunk: Chunk, most: int, name: str) -> int:
    """Return `total` with the bytes of one more column.

    Raises:
        OversizedError: these are too many.
    """
    try:
        total += decoded_bytes(read_at, chunk, most)
    except OversizedError as error:
        raise OversizedError(f"{name}: {error}") from error
    if total > most:
        raise OversizedError(
            f"{name}: what is read of it would take {total / 2**20:,.0f} MiB or more, and {most / 2**20:,.0f} MiB at "
            "most are possible for a file of its size"
        )
    return total


class CheckedStream:
    """A remote file whose columns are checked as their bytes arrive, so that nothing is fetched twice."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Take over an open file; `name` is for messages."""
        self._stream, self._name = stream, name
        self._expected: dict[int, Chunk] = {}
        self._starts: list[int] = []
        self._most = self._total = 0

    def expect(self, chunks: Iterable[Chunk], most: int) -> None:
        """Check these columns of row groups when they are read; together they may take `most` bytes, decoded."""
        self._expected = {chunk_start(chunk.column): chunk for chunk in chunks}
        self._starts = sorted(self._expected)
        self._most, self._total = most, 0

    def read(self, n_bytes: int = -1) -> bytes:
        """Read on from the position, and check the columns that begin in what was read.

        Raises:
            OversizedError: they take too many bytes.
        """
        start = self._stream.tell()
        content = self._stream.read(n_bytes)
        end = start + len(content)

        def read_at(position: int, count: int) -> bytes:
            if start <= position < end:
                return content[position - start : position - start + count]
            self._stream.seek(position)
            return self._stream.read(count)

        begun = self._starts[bisect_left(self._starts, start) : bisect_left(self._starts, end)]
        for chunk in filter(None, [self._expected.pop(first, None) for first in begun]):
            self._total = _added(self._total, read_at, chunk, self._most, self._name)
        if begun:
            self._stream.seek(end)
        return content

    def seek(self, position: int, whence: int = 0) -> int:
        """Go to a position."""
        return self._stream.seek(position, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._stream.tell()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._stream.closed


class ScannedStream(CheckedStream):
    """A remote file that PyArrow opens by itself: what is to be checked follows from the footer as it is read."""

    def __init__(self, stream: BinaryIO, name: str, columns: Sequence[str] | None) -> None:
        """Take over an open file of which `columns` will be read; None: all."""
        super().__init__(stream, name)
        self._columns = columns
        self._size = stream.seek(0, 2)
        stream.seek(0)

    def read(self, n_bytes: int = -1) -> bytes:
        """Read on from the position; see `CheckedStream.read`."""
        content = super().read(n_bytes)
        if self.tell() == self._size and len(content) >= _TAIL and not self._starts:
            self._expect_columns(content)
        return content

    def _expect_columns(self, end: bytes) -> None:
        """Prepare the check, given the last bytes of the file."""
        length = int.from_bytes(end[-_TAIL:-4], "little") + _TAIL
        if length > len(end):
            self.seek(max(0, self._size - length))
            end = super().read(length)
            self.seek(self._size)
        footer = read_footer(pq.read_metadata(pa.BufferReader(b"PAR1" + end[-length:])))
        chunks = footer.chunks(range(footer.metadata.num_row_groups), self._columns)
        self.expect(chunks, most_of_file(self._size, footer.n_leaves(self._columns)))
