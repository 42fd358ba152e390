"""Return of free memory to the operating system between frames, because the C library keeps freed memory."""

import ctypes
from functools import cache

from foundation.process_memory import resident_bytes

__all__ = ["trim_heap"]

_MOST_LOST_BYTES = 128 * 2**20
"""Growth of a process after which free memory is returned. Ours: allocating it again costs up to 40 ms."""


class _Heap:
    """The heap of this process."""

    def __init__(self) -> None:
        self._kept_bytes = 0
        """Resident memory when free memory was given back last, or less, if the process has shrunk since."""

    def trim(self) -> None:
        """Return free memory if the process has grown by more than the limit."""
        malloc_trim = _malloc_trim()
        if malloc_trim is None:
            return
        resident = resident_bytes()
        if resident > self._kept_bytes + _MOST_LOST_BYTES:
            malloc_trim(0)
            resident = resident_bytes()
            self._kept_bytes = resident
        self._kept_bytes = min(self._kept_bytes, resident)


_HEAP = _Heap()
"""A process has one."""


def trim_heap() -> None:
    """Return the free memory between used blocks to the system, if this process has grown by more than the limit.

    glibc puts frames into the holes that others left, and the small arrays that are kept of each into the same holes,
    so that the next frame does not fit: without this, 10 s of 1080x1920 took 1.2 GiB in place of 0.5. Mapping each
    frame by itself (`M_MMAP_THRESHOLD`) helps as well, but every page of every frame is then new: a tenth to a fourth
    of the analyse pass.
    """
    _HEAP.trim()


@cache
def _malloc_trim() -> "ctypes._NamedFuncPointer | None":
    return getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
