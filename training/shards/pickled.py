"""Read checkpoints of earlier versions, whose list of tensors is a pickle, without running it.

Those are torch's distributed checkpoints: `dcp/.metadata` is a pickle, and `dcp/*.distcp` are tensors that `torch.save`
wrote one after the other. A pickle may call anything while it is read; the reader here knows the classes of such a
list alone, and builds plain records in their place. The tensors are read with ``weights_only=True``.
"""

import io
import pickle
import pickletools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Self

import torch
from torch import Tensor

from foundation.storage.regular_files import open_regular, read_small
from models.tensor_files import TensorShape
from training.shards.index import ShardsError
from training.shards.reading import Piece
from training.shards.rows import Rows, row_count

__all__ = ["PickledShards"]

_LIST = ".metadata"

_MAX_LIST_BYTES = 2**27

_FILE = re.compile(r"__[0-9]{1,9}_[0-9]{1,9}\.distcp")

_DTYPES = {
    name: getattr(torch, name)
    for name in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")
}


class _Chunk(NamedTuple):
    """Rows of a tensor, and where they are."""

    rows: Rows
    file: str
    offset: int
    length: int


class PickledShards:
    """Tensors of a checkpoint of an earlier version."""

    def __init__(self, folder: Path) -> None:
        """Read the list of tensors.

        Raises:
            ShardsError: it is damaged, or asks for anything but tensors by name.
        """
        self._folder = folder
        path = folder / _LIST
        try:
            raw = read_small(path, _MAX_LIST_BYTES, follow_links=False)
            _require_small_memo(raw)
            content = _ListReader(io.BytesIO(raw)).load()
            self.shapes, self._chunks = _listed(content)
        except OSError as error:
            raise ShardsError(f"{path} cannot be read: {error}") from error
        except Exception as error:  # an unpickler raises whatever its input leads to
            raise ShardsError(f"{path} is refused, nothing in it was run: {_first_line(error)}") from error

    def pieces(self, wanted: Mapping[str, Rows]) -> Iterator[Piece]:
        """Yield the wanted rows of tensors in pieces.

        Raises:
            ShardsError: a file is damaged.
        """
        for name, rows in wanted.items():
            for chunk in self._chunks[name]:
                begin, end = max(chunk.rows.begin, rows.begin), min(chunk.rows.end, rows.end)
                if begin < end:
                    values = self._values(name, chunk)
                    shift = chunk.rows.begin
                    yield Piece(name, Rows(begin, end), values[begin - shift : end - shift] if values.shape else values)

    def _values(self, name: str, chunk: _Chunk) -> Tensor:
        path = self._folder / chunk.file
        try:
            with open_regular(path, follow_links=False) as stream:
                stream.seek(chunk.offset)
                values = torch.load(io.BytesIO(stream.read(chunk.length)), map_location="cpu", weights_only=True)
        except Exception as error:  # as above
            raise ShardsError(f"{path} is damaged: {_first_line(error)}") from error
        size = self.shapes[name].size
        expected = (chunk.rows.end - chunk.rows.begin, *size[1:]) if size else ()
        if not isinstance(values, Tensor) or tuple(values.shape) != expected:
            raise ShardsError(f"{path} is damaged: its tensor {name[:200]!r} has not the size that {_LIST} says")
        return values


def _require_small_memo(raw: bytes) -> None:
    """Refuse a pickle that numbers an object higher than it has bytes: room for all lower numbers would be allocated.

    Raises:
        ValueError: it does so, or is cut short.
    """
    for opcode, number, _ in pickletools.genops(raw):
        if opcode.name in {"PUT", "LONG_BINPUT"} and int(number or 0) > len(raw):
            raise ValueError("it numbers its objects higher than it has bytes")


def _first_line(error: Exception) -> str:
    """Return the beginning of a message; torch goes on with advice to load the file unsafely."""
    return (str(error) or type(error).__name__).splitlines()[0][:300]


def _listed(content: object) -> tuple[dict[str, TensorShape], dict[str, list[_Chunk]]]:
    """Return sizes of the tensors and places of their rows.

    Raises:
        ValueError: they are not what such a list holds; other errors are possible, too.
    """
    metadata = _state(content, "Metadata")
    shapes: dict[str, TensorShape] = {}
    for name, entry in metadata["state_dict_metadata"].items():
        state = _state(entry, "TensorStorageMetadata")
        dtype = state["properties"].state[0]
        if type(name) is not str or not isinstance(dtype, torch.dtype):
            raise ValueError("an entry is no tensor by name")
        shapes[name] = TensorShape(_numbers(state["size"]), dtype)
    chunks: dict[str, list[_Chunk]] = {name: [] for name in shapes}
    sizes = {
        (name, _numbers(chunk["offsets"])): _numbers(chunk["sizes"])
        for name, entry in metadata["state_dict_metadata"].items()
        for chunk in (_state(one, "ChunkStorageMetadata") for one in entry.state["chunks"])
    }
    for index, place in metadata["storage_data"].items():
        key, where = _state(index, "MetadataIndex"), _state(place, "_StorageInfo")
        name, offsets = key["fqn"], _numbers(key["offset"])
        size = sizes[name, offsets]
        file, offset, length = where["relative_path"], where["offset"], where["length"]
        if not _FILE.fullmatch(file) or min(_numbers((offset, length))) < 0:
            raise ValueError(f"a tensor is said to be in {file!r:.80}, which is no file of a checkpoint")
        if where.get("transform_descriptors") or any(offsets[1:]) or size[1:] != shapes[name].size[1:]:
            raise ValueError(f"the tensor {name!r:.80} is not split by rows")
        begin = offsets[0] if offsets else 0
        chunks[name].append(_Chunk(Rows(begin, begin + row_count(size)), file, offset, length))
    for name, shape in shapes.items():
        held = sorted(chunk.rows for chunk in chunks[name])
        ends = [0, *(rows.end for rows in held)]
        if [rows.begin for rows in held] != ends[:-1] or ends[-1] != row_count(shape.size):
            raise ValueError(f"rows of the tensor {name!r:.80} are missing or there twice")
    return shapes, chunks


def _numbers(values: Any) -> tuple[int, ...]:  # noqa: ANN401 - out of a pickle
    if type(values) is _Size:
        values = values.values
    if type(values) is not tuple or any(type(value) is not int or not 0 <= value < 2**62 for value in values):
        raise ValueError(f"{values!r:.80} are no sizes")
    numbers: tuple[int, ...] = values
    return numbers


def _state(record: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - out of a pickle
    if not isinstance(record, _Record) or type(record).__name__ != name or type(record.state) is not dict:
        raise ValueError(f"it holds {type(record).__name__!r} where {name!r} belongs")
    return record.state


class _Record:
    """Stands for a record of torch while a pickle is read: keeps what the pickle says of it, and does nothing."""

    state: Any = None

    def __new__(cls, *_: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Size:
    """Stands for `torch.Size`."""

    def __init__(self, values: object = ()) -> None:
        self.values = values

    def __setstate__(self, _: object) -> NoReturn:
        raise pickle.UnpicklingError("it changes a size")


_RECORDS = {
    name: type(name, (_Record,), {})
    for name in (
        *("Metadata", "TensorStorageMetadata", "TensorProperties", "ChunkStorageMetadata", "MetadataIndex"),
        *("StorageMeta", "_MEM_FORMAT_ENCODING", "_StorageInfo", "_get_layout", "PosixPath"),
    )
}


def _member(kind: object, name: object) -> object:
    """Stand for `getattr`, by which some versions of Python pickle a member of an enumeration.

    Raises:
        UnpicklingError: it is asked for an attribute of anything else.
    """
    if kind is not _RECORDS["_MEM_FORMAT_ENCODING"] or not isinstance(name, str):
        raise pickle.UnpicklingError(f"it asks for an attribute, {name!r:.80}, which is a program")
    return _RECORDS["_MEM_FORMAT_ENCODING"](name)


_KNOWN: dict[tuple[str, str], Any] = {
    **{
        ("torch.distributed.checkpoint.metadata", name): _RECORDS[name]
        for name in (
            *("Metadata", "TensorStorageMetadata", "TensorProperties", "ChunkStorageMetadata", "MetadataIndex"),
            *("StorageMeta", "_MEM_FORMAT_ENCODING"),
        )
    },
    ("torch.distributed.checkpoint.filesystem", "_StorageInfo"): _RECORDS["_StorageInfo"],
    ("torch.serialization", "_get_layout"): _RECORDS["_get_layout"],
    ("pathlib", "PosixPath"): _RECORDS["PosixPath"],
    ("pathlib._local", "PosixPath"): _RECORDS["PosixPath"],
    ("torch", "Size"): _Size,
    ("builtins", "getattr"): _member,
    **{("torch", name): dtype for name, dtype in _DTYPES.items()},
}
"""What such a list may ask for; each name gives a class of this module, or a type of numbers."""


class _ListReader(pickle.Unpickler):
    """Unpickler from which nothing but `_KNOWN` is reachable."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as the base class has it
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is a program"[:300]) from None

    def persistent_load(self, pid: object) -> NoReturn:
        raise pickle.UnpicklingError(f"it refers to an object outside of it, {pid!r:.80}")
