"""Read the shards of a checkpoint: any rows of any tensor, whatever number of ranks wrote them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from safetensors import SafetensorError
from torch import Tensor

from foundation.storage.digest import stream_sha256
from foundation.storage.regular_files import open_regular
from models.tensor_files import TensorFileError, TensorShape, open_tensors, tensor_shapes
from training.shards.index import ShardFile, ShardsError, read_index
from training.shards.rows import Rows, row_count
from training.shards.writing import FIRST_ROWS, FORMAT

__all__ = ["Piece", "Shards", "StoredTensors"]


class Piece(NamedTuple):
    """Rows of a tensor."""

    name: str
    rows: Rows
    """In the complete tensor."""
    values: Tensor
    """On the CPU."""


class StoredTensors(Protocol):
    """The tensors of a checkpoint, in either of its forms."""

    @property
    def shapes(self) -> Mapping[str, TensorShape]:
        """Sizes and types of the complete tensors, by name."""
        ...

    def pieces(self, wanted: Mapping[str, Rows]) -> Iterator[Piece]:
        """Yield the wanted rows of tensors in pieces, in any order.

        Raises:
            ShardsError: a file cannot be read.
        """
        ...


class _Place(NamedTuple):
    rows: Rows
    file: str


class Shards:
    """Shards that `write_shard` wrote."""

    def __init__(self, folder: Path) -> None:
        """Read the index and the headers of all files, and check that they are complete and fit each other.

        Raises:
            ShardsError: a file is missing, of another size, damaged, or rows are missing.
        """
        index = read_index(folder)
        self._folder, self._files = folder, index.files
        self.shapes: Mapping[str, TensorShape] = index.shapes()
        self._places: defaultdict[str, list[_Place]] = defaultdict(list)
        for file in index.files:
            self._add(file)
        for name, shape in self.shapes.items():
            _require_all_rows(folder, name, row_count(shape.size), self._places[name])

    def _add(self, file: ShardFile) -> None:
        path = self._folder / file.name
        try:
            with open_regular(path, follow_links=False) as stream:
                found = stream.seek(0, 2)
            if found != file.bytes:
                raise ShardsError(f"{path} has {found} bytes, and {file.bytes} were written")
            with open_tensors(path) as opened:
                metadata: dict[str, str] = opened.metadata() or {}
                shapes = tensor_shapes(opened)
            if metadata.get("format") != FORMAT:
                raise ShardsError(f"{path} has format {metadata.get('format')!r}, not {FORMAT!r}")
            first_rows = json.loads(metadata.get(FIRST_ROWS, "{}"))
        except (OSError, TensorFileError) as error:
            raise ShardsError(f"{path} cannot be read: {error}") from error
        except (ValueError, RecursionError) as error:
            raise ShardsError(f"{path} is damaged: {error}") from error
        for name, shape in shapes.items():
            begin = first_rows.get(name, 0) if isinstance(first_rows, dict) else None
            whole = self.shapes.get(name)
            if (
                whole is None
                or type(begin) is not int
                or shape.dtype != whole.dtype
                or shape.size[1:] != whole.size[1:]
            ):
                raise ShardsError(f"{path}: its tensor {name[:200]!r} does not fit the index")
            self._places[name].append(_Place(Rows(begin, begin + row_count(shape.size)), file.name))

    def damaged(self, part: int = 0, n_parts: int = 1) -> str | None:
        """Return which of the files do not have the digest of what was written; None: all have it.

        Args:
            part: number of the part of the files that is looked at.
            n_parts: into how many parts the files are divided.
        """
        for file in self._files[part::n_parts]:
            path = self._folder / file.name
            with open_regular(path, follow_links=False) as stream:
                if stream_sha256(stream) != file.sha256:
                    return f"{path} does not have the digest of what was written"
        return None

    def pieces(self, wanted: Mapping[str, Rows]) -> Iterator[Piece]:
        """Yield the wanted rows of tensors in pieces, file by file.

        Raises:
            ShardsError: a file cannot be read.
        """
        by_file: defaultdict[str, list[tuple[str, Rows, int]]] = defaultdict(list)
        for name, rows in wanted.items():
            for held, file in self._places[name]:
                both = Rows(max(held.begin, rows.begin), min(held.end, rows.end))
                if both.begin < both.end:
                    by_file[file].append((name, both, held.begin))
        for file, pieces in by_file.items():
            path = self._folder / file
            try:
                with open_tensors(path) as opened:
                    for name, rows, first in pieces:
                        # a tensor without dimensions has no rows to choose
                        has_rows = bool(self.shapes[name].size)
                        values = (
                            opened.get_slice(name)[rows.begin - first : rows.end - first]
                            if has_rows
                            else opened.get_tensor(name)
                        )
                        yield Piece(name, rows, values)
            except (OSError, TensorFileError, SafetensorError) as error:
                raise ShardsError(f"{path} cannot be read: {error}") from error


def _require_all_rows(folder: Path, name: str, n_rows: int, places: list[_Place]) -> None:
    """Check that each row of a tensor is in one file, and in no second one.

    Raises:
        ShardsError: naming the rows.
    """
    done = 0
    for rows, _ in sorted(places):
        if rows.begin != done:
            break
        done = rows.end
    else:
        if done == n_rows:
            return
    raise ShardsError(f"{folder}: rows of the tensor {name[:200]!r} from {done} on are missing or there twice")
