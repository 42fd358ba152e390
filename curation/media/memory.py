"""Memory between pictures: what the C library keeps of those that were freed."""

import ctypes
import os
from functools import cache
from pathlib import Path

__all__ = ["give_back_free_pages"]

_MOST_LOST_BYTES = 128 * 2**20
"""How much a process may grow before free memory is given back. Ours: to take it again costs up to 40 ms."""

_STATM = Path("/proc/self/statm")


def give_back_free_pages() -> None:
    """Give the memory that is free between blocks in use back to the system, if this process has grown a good deal.

    glibc puts pictures into the holes that others left, and the small arrays that are kept of each into the same holes,
    so that the next picture does not fit: left to itself, 10 s of 1080x1920 took 1.2 GiB in place of 0.5. Mapping each
    picture by itself (`M_MMAP_THRESHOLD`) mends that, too, but every page of every picture is then new: a tenth to a
    fourth of the analyse pass.
    """
    trim = _malloc_trim()
    if trim is None or not _STATM.exists():
        return
    resident = _resident_bytes()
    if resident > _Kept.bytes + _MOST_LOST_BYTES:
        trim(0)
        resident = _resident_bytes()
        _Kept.bytes = resident
    _Kept.bytes = min(_Kept.bytes, resident)


class _Kept:
    """What this process held when free memory was given back last, or less, if it has shrunk since."""

    bytes = 0


def _resident_bytes() -> int:
    return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@cache
def _malloc_trim() -> "ctypes._NamedFuncPointer | None":
    return getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
