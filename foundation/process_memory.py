"""Memory of this process."""

import os
from pathlib import Path

from foundation.devices import proc_bytes

__all__ = ["peak_bytes", "reset_peak", "resident_bytes"]

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Return how much memory this process takes now, in bytes; 0 where the system does not say, as outside Linux."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return 0


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
