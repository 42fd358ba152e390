"""Write the shards of a checkpoint: each rank its own file, rank 0 the index of all."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import torch
from torch import Tensor

from foundation.storage.atomic import replacing
from models.tensor_files import DTYPE_NAMES, write_tensors
from training.shards.index import ShardFile, ShardIndex, TensorRecord, shard_name
from training.shards.rows import held_rows, is_writer, local_rows

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["FACTS", "FIRST_ROWS", "FORMAT", "files_of", "fill_facts", "shard_index", "write_shard"]

FORMAT = "gaia-shard-1"

FIRST_ROWS = "first_rows"
"""Key in the text of a header: JSON with the number of the first row of each tensor that does not begin at 0."""


class _Digested:
    """Stream that counts and digests what is written through it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.bytes = 0
        self.sha256 = hashlib.sha256()

    def write(self, content: "Buffer") -> None:
        self._stream.write(content)
        self.sha256.update(content)
        self.bytes += memoryview(content).nbytes


def write_shard(folder: Path, tensors: Mapping[str, Tensor], rank: int) -> ShardFile:
    """Write the rows that this rank has to write to its file in `folder`.

    Args:
        folder: of the checkpoint's shards.
        tensors: state of the run; the same names on every rank.
        rank: this process.

    Raises:
        OSError: the disk refused.
        CannotStartError: a tensor is split otherwise than FSDP2 does.
    """
    pieces: dict[str, Tensor] = {}
    first_rows: dict[str, int] = {}
    for number, name in enumerate(sorted(tensors)):
        tensor = tensors[name]
        rows = held_rows(tensor)
        if rows.end > rows.begin and is_writer(tensor, number, rank):
            pieces[name] = local_rows(tensor)
            if rows.begin:
                first_rows[name] = rows.begin
    path = folder / shard_name(rank)
    with replacing(path) as stream:
        digested = _Digested(stream)
        write_tensors(
            digested, pieces, {"format": FORMAT, FIRST_ROWS: json.dumps(first_rows, sort_keys=True, allow_nan=False)}
        )
    return ShardFile(name=path.name, bytes=digested.bytes, sha256=digested.sha256.hexdigest())


FACTS = 33
"""Numbers that the index says of a file: its length, and the bytes of its digest."""


def fill_facts(table: Tensor, file: ShardFile, rank: int) -> None:
    """Set the row of a rank in a (ranks, FACTS) table of integers; the sum of the tables of all ranks is complete."""
    table[rank] = torch.tensor([file.bytes, *bytes.fromhex(file.sha256)], dtype=torch.int64)


def files_of(table: Tensor) -> tuple[ShardFile, ...]:
    """Return the files of all ranks from the sum of their tables."""
    return tuple(
        ShardFile(name=shard_name(rank), bytes=size, sha256=bytes(digest).hex())
        for rank, (size, *digest) in enumerate(table.tolist())
    )


def shard_index(files: tuple[ShardFile, ...], tensors: Mapping[str, Tensor]) -> ShardIndex:
    """Return the index of files that hold `tensors` together."""
    shapes = {
        name: TensorRecord(shape=tuple(tensor.shape), dtype=DTYPE_NAMES[tensor.dtype])
        for name, tensor in sorted(tensors.items())
    }
    return ShardIndex(files=files, tensors=shapes)
