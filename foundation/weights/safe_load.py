"""Weights out of files that can hold a program, without running one.

A pickle may call anything while it is read. Torch checkpoints are therefore read with ``weights_only=True``, which
knows tensors and plain containers, and pickles of arrays by a reader that builds the arrays itself, from shape, type
and bytes. A file that needs more is refused. ONNX and safetensors files hold no program; onnxruntime and transformers
(``use_safetensors=True``) read them.
"""

import math
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import numpy.typing as npt

from foundation.weights.asset import UnsafeAssetError

if TYPE_CHECKING:
    import torch

__all__ = ["load_pickled_arrays", "load_torch_weights"]

_NUMBER_TYPE = re.compile(r"[iu][1248]|f[248]|c(?:8|16)|b1|\?")

_ORDERS = ("<", ">", "|", "=")


def load_torch_weights(path: Path) -> "dict[str, torch.Tensor]":
    """Return the tensors of a torch checkpoint, on the CPU, by parameter name.

    A checkpoint that has them under ``state_dict``, next to an epoch or an optimiser, is unwrapped; names are left as
    they are (``module.`` of DataParallel included).

    Raises:
        UnsafeAssetError: the file needs a class or function to be read, is no checkpoint, or is damaged.
    """
    import torch

    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, TypeError, LookupError) as error:
        # torch recommends loading the file unsafely; only the name that it found is of use
        found = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it asks for {found[1]}, which is a program" if found else "it is no checkpoint of tensors"
        raise UnsafeAssetError(_refusal(path, reason)) from error
    weights = checkpoint.get("state_dict", checkpoint) if isinstance(checkpoint, dict) else checkpoint
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise UnsafeAssetError(_refusal(path, "it holds other things than tensors by name"))
    return {str(name): tensor for name, tensor in weights.items()}


def load_pickled_arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays of a pickled ``dict[str, numpy.ndarray]``, such as 3DDFA's mean and standard deviation.

    Numbers only (booleans, integers, floats, complex): an array of Python objects is refused.

    Raises:
        UnsafeAssetError: the pickle needs any other object, or is damaged.
    """
    try:
        with path.open("rb") as file:
            content = _ArrayReader(file).load()
    except _RefusedError as error:
        raise UnsafeAssetError(_refusal(path, str(error))) from error
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise UnsafeAssetError(_refusal(path, f"it is no pickle of arrays ({error})")) from error
    if not isinstance(content, dict):
        raise UnsafeAssetError(_refusal(path, f"it holds a {type(content).__name__}, not a dict of arrays"))
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, _PickledArray) or value.array is None:
            raise UnsafeAssetError(_refusal(path, f"its entry {name!r} is a {type(value).__name__}, not an array"))
        arrays[name] = value.array
    return arrays


def _refusal(path: Path, reason: str) -> str:
    return (
        f"{path} is refused, nothing in it was run: {reason}. Take the file that `gaia-curate models list` names; or, "
        "where you trust this one, write its tensors alone on a machine that may run it: "
        "torch.save(model.state_dict(), NAME), or torch.onnx.export for a model that is run by onnxruntime"
    )


class _RefusedError(Exception):
    """The pickle needs an object that is no array."""


class _PickledType:
    """Stands for `numpy.dtype` while a pickle is read."""

    def __init__(self, spec: object, *_: object) -> None:
        if not isinstance(spec, str) or not _NUMBER_TYPE.fullmatch(spec):
            raise _RefusedError(f"it holds an array of type {spec!r}; only numbers are read")
        self._spec = spec
        self.numpy: np.dtype[np.generic] = np.dtype(spec)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        order = state[1]
        if order not in _ORDERS or any(part is not None for part in state[2:5]):
            raise _RefusedError("it holds an array with fields; only numbers are read")
        self.numpy = np.dtype(f"{order}{self._spec}")


class _PickledArray:
    """Placeholder of an array while a pickle is read; NumPy receives the bytes after their number was checked."""

    def __init__(self, *_: object) -> None:
        self.array: npt.NDArray[np.generic] | None = None

    def __setstate__(self, state: tuple[int, tuple[int, ...], _PickledType, bool, bytes]) -> None:
        _, shape, kind, is_fortran, raw = state
        if not isinstance(kind, _PickledType) or not isinstance(raw, bytes) or min(shape, default=0) < 0:
            raise _RefusedError("it holds an array that is not given as bytes of numbers")
        if len(raw) != math.prod(shape) * kind.numpy.itemsize:
            raise _RefusedError(f"its array of shape {shape} has {len(raw)} bytes; it is damaged")
        flat = np.frombuffer(raw, kind.numpy)
        self.array = flat.reshape(shape, order="F" if is_fortran else "C").copy()


class _ArrayReader(pickle.Unpickler):
    """Unpickler that resolves three names, each to a class of this module, so that nothing else is reachable."""

    _KNOWN = {  # noqa: RUF012 - read only
        ("numpy.core.multiarray", "_reconstruct"): _PickledArray,
        ("numpy._core.multiarray", "_reconstruct"): _PickledArray,
        ("numpy", "ndarray"): _PickledArray,
        ("numpy", "dtype"): _PickledType,
    }

    def find_class(self, module: str, name: str) -> type[_PickledArray] | type[_PickledType]:
        try:
            return self._KNOWN[module, name]
        except KeyError:
            raise _RefusedError(f"it asks for {module}.{name}, which is a program") from None

    def persistent_load(self, pid: object) -> NoReturn:
        raise _RefusedError(f"it refers to an object outside of it, {pid!r}")
