"""Copying of rows between Parquet files, video by video, with one row group in memory at a time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from foundation.storage.arrow import open_parquet
from manifests.errors import DatasetError
from manifests.files.tables import in_schema, parquet_options
from manifests.packing.packed_files import TableFile, span_of_ids
from manifests.schema.columns import Table

__all__ = ["HashingStream", "VideoRows", "write_packed"]

_BUFFER_BYTES = 1 << 20


class VideoRows:
    """Rows of videos from several files; read in the order of the ids, each file is read once."""

    def __init__(self, table: Table, sources: Mapping[str, TableFile], columns: Sequence[str] | None = None) -> None:
        """Prepare reading; files are opened when they are needed.

        Args:
            table: the table.
            sources: by video id, the file with its rows.
            columns: columns to read; None reads all.
        """
        schema = table.arrow_schema()
        self._schema = schema if columns is None else pa.schema([schema.field(name) for name in columns])
        self._sources = sources
        self._left = {file.name: set[str]() for file in sources.values()}
        for video_id, file in sources.items():
            self._left[file.name].add(video_id)
        self._open: dict[str, _OpenFile] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._open.values():
            file.close()

    def of(self, video_id: str) -> Iterator[pa.Table]:
        """Yield the rows of a video in order, in pieces; nothing if no file has any.

        Raises:
            DatasetError: a file is damaged.
            OSError: a file cannot be read.
        """
        file = self._sources.get(video_id)
        if file is None:
            return
        try:
            if file.name not in self._open:
                self._open[file.name] = _OpenFile(file.path, self._schema)
            yield from self._open[file.name].rows(video_id)
        except (pa.ArrowException, KeyError, ValueError) as error:
            raise DatasetError(
                f"{file.path}: cannot be read: {error}; restore it, or run the curation again"
            ) from error
        left = self._left[file.name]
        left.discard(video_id)
        if not left:
            self._open.pop(file.name).close()

    def table_of(self, video_id: str) -> pa.Table:
        """Return all rows of a video.

        Raises:
            OSError: a file cannot be read.
        """
        return pa.concat_tables([self._schema.empty_table(), *self.of(video_id)])


class _OpenFile:
    """Open file that is read forwards and keeps the last row group."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._file = open_parquet(path)
        self._schema = schema
        self._names = schema.names
        self._spans = [span_of_ids(self._file, number) for number in range(self._file.num_row_groups)]
        self._kept: tuple[int, pa.Table] | None = None

    def rows(self, video_id: str) -> Iterator[pa.Table]:
        for number, (lowest, highest) in enumerate(self._spans):
            if lowest == video_id == highest:
                yield self._group(number)
            elif lowest <= video_id <= highest:
                rows = self._group(number)
                own = rows.filter(pc.equal(rows["video_id"], video_id))
                if len(own):
                    yield own

    def close(self) -> None:
        self._file.close()
        self._kept = None

    def _group(self, number: int) -> pa.Table:
        if self._kept is None or self._kept[0] != number:
            rows = self._file.read_row_group(number, columns=self._names, use_threads=False)
            self._kept = (number, in_schema(rows, self._schema))
        return self._kept[1]


def write_packed(stream: BinaryIO, table: Table, pieces: Iterable[pa.Table], footer: Mapping[str, str]) -> str:
    """Write rows as row groups of the table's size, and return the sha256 of the file.

    With an empty `footer`, the bytes are those that `manifests.files.tables.write_rows` gives for all rows at once.

    Args:
        stream: the file, open and empty.
        table: the declared table.
        pieces: the rows, in pieces of any size.
        footer: metadata to store in the file.

    Raises:
        OSError: the disk refused.
    """
    schema = table.arrow_schema()
    sink = HashingStream(stream)
    with pq.ParquetWriter(sink, schema, **parquet_options(schema)) as writer:
        for group in _regrouped(pieces, table.row_group_rows):
            writer.write_table(group, row_group_size=table.row_group_rows)
        writer.add_key_value_metadata(dict(footer))
    return sink.hexdigest()


def _regrouped(pieces: Iterable[pa.Table], n_rows: int) -> Iterator[pa.Table]:
    """Yield the same rows in tables of `n_rows` rows; the last has the remainder."""
    waiting: list[pa.Table] = []
    n_waiting = 0
    for piece in pieces:
        waiting.append(piece)
        n_waiting += len(piece)
        while n_waiting >= n_rows:
            rows = pa.concat_tables(waiting)
            # one chunk per column: the limits of chunks would change the bytes of the file
            yield rows.slice(0, n_rows).combine_chunks()
            waiting = [rows.slice(n_rows)]
            n_waiting -= n_rows
    if n_waiting:
        yield pa.concat_tables(waiting).combine_chunks()


class HashingStream:
    """Writable stream that computes the sha256 of its content, and passes it on in blocks of a MiB."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = sha256()
        self._buffer = bytearray()
        self._n_bytes = 0

    def write(self, content: bytes | memoryview) -> int:
        """Write the content and return its length."""
        self._buffer += content
        self._n_bytes += len(content)
        if len(self._buffer) >= _BUFFER_BYTES:
            self.flush()
        return len(content)

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self._n_bytes

    def flush(self) -> None:
        """Pass on the buffered content."""
        self._digest.update(self._buffer)
        self._stream.write(self._buffer)
        self._buffer = bytearray()

    def close(self) -> None:
        """Leave the underlying file open; its owner closes it."""

    def hexdigest(self) -> str:
        """Flush, and return the sha256 of all that was written, in hex."""
        self.flush()
        return self._digest.hexdigest()
