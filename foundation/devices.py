"""Choice of the processor for a model, `auto`, `cpu`, `cuda` or `cuda:K`, and free memory of the machine.

NVIDIA's driver reports the GPUs; it needs no package and obeys ``CUDA_VISIBLE_DEVICES``. torch and onnxruntime report
whether they can use one when a model is loaded; their usual wheels cannot.
"""

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import StringConstraints

from foundation.errors import CannotStartError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = [
    "Device",
    "DeviceError",
    "DeviceName",
    "cuda_devices",
    "free_memory_bytes",
    "onnx_providers",
    "onnx_session",
    "peak_bytes",
    "proc_bytes",
    "require_provider",
    "reset_peak",
    "resolve_device",
    "torch_device",
]

_NAME = r"^(auto|cpu|cuda|cuda:[0-9]+)$"

DeviceName = Annotated[str, StringConstraints(pattern=_NAME)]
"""The type of settings that name a device."""

_CUDA_PROVIDER = "CUDAExecutionProvider"

_CPU_PROVIDER = "CPUExecutionProvider"


class DeviceError(CannotStartError):
    """The device that a setting names does not exist, or a package cannot use it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """A processor for models."""

    cuda_index: int | None
    """Number of the GPU, or None for the CPU."""
    demanded: bool
    """Whether the GPU was named; otherwise a package that cannot use it takes the CPU."""

    def __str__(self) -> str:
        return "cpu" if self.cuda_index is None else f"cuda:{self.cuda_index}"


_CPU = Device(cuda_index=None, demanded=False)


def resolve_device(name: str) -> Device:
    """Return the device of this machine that `name` means; `auto` is the first GPU, or the CPU if there is none.

    Raises:
        ValueError: `name` is none of auto, cpu, cuda, cuda:K.
        DeviceError: the GPU is not there.

    >>> str(resolve_device("cpu"))
    'cpu'
    """
    if not re.fullmatch(_NAME, name):
        raise ValueError(f"device {name!r} is unknown; write auto, cpu, cuda or cuda:K, such as cuda:1")
    if name == "cpu":
        return _CPU
    count = cuda_devices()
    if name == "auto":
        return Device(cuda_index=0, demanded=False) if count else _CPU
    index = int(name.partition(":")[2] or 0)
    if index >= count:
        there = f"numbers 0 to {count - 1}" if count else "none"
        raise DeviceError(
            f"device {name!r}: NVIDIA's driver shows {there} on this machine; write cpu or auto, or look at "
            "`nvidia-smi` and at CUDA_VISIBLE_DEVICES"
        )
    return Device(cuda_index=index, demanded=True)


def cuda_devices() -> int:
    """Return how many GPUs NVIDIA's driver shows this process; 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def free_memory_bytes() -> int:
    """Return the memory of this machine that processes can still take, bytes (Linux: proc(5), meminfo)."""
    return proc_bytes(Path("/proc/meminfo"), "MemAvailable")


def proc_bytes(file: Path, name: str) -> int:
    """Return a size that the kernel reports, bytes.

    Args:
        file: file of lines such as ``VmHWM:  1234 kB``.
        name: of the line, without its colon.

    Raises:
        OSError: the file cannot be read, or has no such line.
    """
    for line in file.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{file} has no {name}")


def torch_device(device: Device) -> str:
    """Return torch's name of `device`; torch is imported only for a GPU.

    Raises:
        DeviceError: the GPU was named and this torch cannot use it.
    """
    if device.cuda_index is None:
        return "cpu"
    import torch

    if torch.cuda.is_available() and device.cuda_index < torch.cuda.device_count():
        return str(device)
    if device.demanded:
        raise DeviceError(
            f"device {str(device)!r}: torch {torch.__version__} cannot use it; install a torch built for CUDA, or "
            "write cpu or auto"
        )
    return "cpu"


def onnx_providers(device: Device) -> list[str | tuple[str, dict[str, str]]]:
    """Return the execution providers that onnxruntime is to use for `device`, best first.

    Raises:
        DeviceError: the GPU was named and this onnxruntime was built without it.
    """
    if device.cuda_index is None:
        return [_CPU_PROVIDER]
    import onnxruntime

    if _CUDA_PROVIDER in onnxruntime.get_available_providers():
        return [(_CUDA_PROVIDER, {"device_id": str(device.cuda_index)}), _CPU_PROVIDER]
    if device.demanded:
        raise DeviceError(
            f"device {str(device)!r}: onnxruntime {onnxruntime.__version__} has no {_CUDA_PROVIDER}; install "
            "onnxruntime-gpu in its place, or write cpu or auto"
        )
    return [_CPU_PROVIDER]


def onnx_session(model: bytes | Path, device: Device) -> "InferenceSession":
    """Load an ONNX model, on one thread where the CPU runs it, so that workers scale with cores.

    Raises:
        DeviceError: the GPU was named, and onnxruntime took the CPU, as it does where a CUDA library is missing.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    content = model if isinstance(model, bytes) else str(model)
    session = onnxruntime.InferenceSession(content, options, providers=onnx_providers(device))
    require_provider(session.get_providers(), device)
    return session


def require_provider(chosen: Sequence[str], device: Device) -> None:
    """Check that a session got the GPU that was named.

    Args:
        chosen: result of `get_providers` of the session.
        device: what it was to run on.

    Raises:
        DeviceError: it runs on the CPU instead.
    """
    if device.demanded and _CUDA_PROVIDER not in chosen:
        raise DeviceError(
            f"device {str(device)!r}: onnxruntime runs the model on {', '.join(chosen)} instead, for CUDA's or cuDNN's "
            "libraries are missing or of another version (its log says which); correct that, or write cpu or auto"
        )


def reset_peak() -> None:
    """Begin to measure the largest memory of this process anew (Linux: proc(5), clear_refs).

    Raises:
        OSError: the system has no such file.
    """
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_bytes() -> int:
    """Return the largest memory that this process took since it began, or since `reset_peak`, bytes.

    Raises:
        OSError: the system does not say.
    """
    return proc_bytes(Path("/proc/self/status"), "VmHWM")
