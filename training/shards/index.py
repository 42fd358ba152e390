"""Index of the shards of a checkpoint: names, sizes and digests of the files, and what they hold together."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from foundation.errors import UsageError
from foundation.storage.regular_files import read_small
from models.tensor_files import DTYPE_NAMES, DtypeName, TensorShape

__all__ = ["INDEX", "ShardFile", "ShardIndex", "ShardsError", "TensorRecord", "read_index", "shard_name"]

INDEX = "index.json"

_MAX_INDEX_BYTES = 2**26

_DTYPES = {name: dtype for dtype, name in DTYPE_NAMES.items()}


class ShardsError(UsageError):
    """The tensors of a checkpoint are damaged or incomplete; the message says which file, and what is wrong."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class ShardFile(_Record):
    """A file of shards, as it was written."""

    name: Annotated[str, StringConstraints(pattern=r"^rank_[0-9]{4,9}\.safetensors$")]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class TensorRecord(_Record):
    """Size and type of a complete tensor."""

    shape: tuple[Annotated[int, Field(ge=0, lt=2**48)], ...]
    dtype: DtypeName


class ShardIndex(_Record):
    """The content of index.json."""

    format: Literal["gaia-shards-1"] = "gaia-shards-1"
    files: tuple[ShardFile, ...]
    """One per rank that wrote."""
    tensors: dict[str, TensorRecord]
    """Complete tensors by name."""

    def shapes(self) -> dict[str, TensorShape]:
        """Return sizes and types of the complete tensors."""
        return {name: TensorShape(one.shape, _DTYPES[one.dtype]) for name, one in self.tensors.items()}


def shard_name(rank: int) -> str:
    """Return the name of the file that a rank writes.

    >>> shard_name(3)
    'rank_0003.safetensors'
    """
    return f"rank_{rank:04d}.safetensors"


def read_index(folder: Path) -> ShardIndex:
    """Return the index of the shards in `folder`.

    Raises:
        ShardsError: it is missing, damaged, or of another format.
    """
    path = folder / INDEX
    try:
        index = ShardIndex.model_validate_json(read_small(path, _MAX_INDEX_BYTES, follow_links=False))
    except OSError as error:
        raise ShardsError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its text"
        raise ShardsError(f"{path} is damaged: {where[:80]!r}: {first['msg']}") from error
    names = [file.name for file in index.files]
    if len(set(names)) < len(names):
        raise ShardsError(f"{path} is damaged: it names a file twice")
    return index
