"""Safetensors files: written with equal bytes for equal content, and checked before they are read.

The format (https://huggingface.co/docs/safetensors) is a header's length in 8 bytes, a JSON header, and the tensors'
bytes one after the other. The library writes the text in the header in an order that changes from call to call; here
it is sorted, so that a digest of the file names its content. Nothing in such a file can be executed.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import safetensors
import torch
from torch import Tensor

from foundation.errors import UsageError
from foundation.storage.regular_files import open_regular

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = [
    "DTYPE_NAMES",
    "MAX_HEADER_BYTES",
    "DtypeName",
    "TensorFileError",
    "TensorShape",
    "open_tensors",
    "tensor_shapes",
    "write_tensors",
]

MAX_HEADER_BYTES = 2**25
"""Longest header that is read, 32 MiB: some 250,000 tensors. The library alone would read 100 MB."""

_ALIGNMENT = 8

DtypeName = Literal["BOOL", "U8", "I8", "I16", "F16", "BF16", "I32", "F32", "F64", "I64"]

DTYPE_NAMES: Mapping[torch.dtype, DtypeName] = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.int16: "I16",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int32: "I32",
    torch.float32: "F32",
    torch.float64: "F64",
    torch.int64: "I64",
}
"""Types of tensors by the format's names, in the order in which the library lays tensors out, last ones first."""

_TYPES: Mapping[str, torch.dtype] = {name: dtype for dtype, name in DTYPE_NAMES.items()}

_PLACES = {dtype: place for place, dtype in enumerate(DTYPE_NAMES)}


class TensorFileError(UsageError):
    """A file is no complete safetensors file, or holds what is not read; the message says what, not where."""


class TensorShape(NamedTuple):
    """Size and type of a tensor."""

    size: tuple[int, ...]
    dtype: torch.dtype


class _Stream(Protocol):
    def write(self, content: "Buffer", /) -> object: ...


def write_tensors(stream: _Stream, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file; equal names, values, types and metadata give equal bytes, whatever their order.

    Args:
        stream: takes the bytes in several pieces.
        tensors: by name, on any device, of any strides.
        metadata: text of the header.

    Raises:
        OSError: the stream refused.
        TypeError: a tensor has a type that the format or this module lacks.
    """
    unknown = {name: tensor.dtype for name, tensor in tensors.items() if tensor.dtype not in DTYPE_NAMES}
    if unknown:
        raise TypeError(f"tensors of these types cannot be written: {unknown}; convert them first")
    # as the library does: wide types first, so that each tensor begins at a multiple of its type's width
    names = sorted(tensors, key=lambda name: (-_PLACES[tensors[name].dtype], name))
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    begin = 0
    for name in names:
        tensor = tensors[name]
        end = begin + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": DTYPE_NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    stream.write(len(text).to_bytes(8, "little"))
    stream.write(text)
    for name in names:
        if tensors[name].numel():
            flat = tensors[name].detach().cpu().contiguous().reshape(-1)
            stream.write(flat.view(torch.uint8).numpy().data)


def open_tensors(path: Path) -> safetensors.safe_open:
    """Open a safetensors file with the library, after a look at what it is and how long its header is.

    The library itself checks that shapes, types and places of all tensors fit the length of the file.

    Raises:
        FileNotFoundError: there is no such file.
        NotRegularFileError: it is no regular file; nothing waits for a FIFO.
        TensorFileError: it is no complete safetensors file, or its header is longer than is read.
    """
    with open_regular(path) as stream:
        length = int.from_bytes(stream.read(8), "little")
    if length > MAX_HEADER_BYTES:
        raise TensorFileError(f"its header claims {length} bytes, and at most {MAX_HEADER_BYTES} are read")
    try:
        return safetensors.safe_open(path, framework="pt")
    except safetensors.SafetensorError as error:
        raise TensorFileError(f"it is no complete safetensors file: {error}") from error


def tensor_shapes(opened: safetensors.safe_open) -> dict[str, TensorShape]:
    """Return size and type of each tensor of an open file, without reading one.

    Raises:
        TensorFileError: a tensor has a type that is not read.
    """
    found = {}
    for name in opened.keys():  # type: ignore[no-untyped-call]  # noqa: SIM118 - it is no mapping
        piece = opened.get_slice(name)  # type: ignore[no-untyped-call]
        dtype = _TYPES.get(piece.get_dtype())
        if dtype is None:
            raise TensorFileError(
                f"its tensor {name!r} is of type {piece.get_dtype()}; take one of {', '.join(_TYPES)}"
            )
        found[name] = TensorShape(tuple(piece.get_shape()), dtype)
    return found
