"""Leases: one process at a time writes to a folder or address, on any disk and in any store.

The lease of a folder is the file `.lease.json` in it. Its holder renews it every few seconds. It is free again when the
holder removes it, when the process of the holder is gone, as far as this machine can tell, or when it was not renewed
for a minute. A holder that lost its lease, since it was stopped for longer than that, learns of it before its next
commit: it asks `require_lease` before each. Between that question and the end of the commit it is not protected: a
process that is stopped exactly there, for more than a minute, still completes the rename or upload that it had begun.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from foundation.errors import CannotStartError
from foundation.storage.lease_on_disk import BESIDE
from foundation.storage.lease_record import LEASE, STALE_S, Holder, LeaseFile, LeaseRecord, Seen, disown, own_record
from foundation.storage.lease_renewal import Lease, LeaseLostError, LeaseToken, file_of
from foundation.storage.locations import is_remote

__all__ = [
    "Holder",
    "Lease",
    "LeaseHeldError",
    "LeaseLostError",
    "LeaseToken",
    "adopt",
    "held",
    "holder_of",
    "is_lease_file",
    "other_holder_of",
    "require_lease",
    "token_of",
]

_LOG = logging.getLogger(__name__)

_LOOK_S, _LOOK_REMOTE_S = 1.0, 5.0
"""Time between two looks while the lease of another process is waited for, on a disk and in a store."""

_TOLD_S = 60.0
"""Time between two notes that this process waits."""


class LeaseHeldError(CannotStartError):
    """Another process writes to the folder; the message says which."""


def is_lease_file(name: str) -> bool:
    """Return whether a file of this name belongs to a lease, and not to what its folder holds.

    >>> is_lease_file(".lease.json"), is_lease_file(".lease-0a.tmp"), is_lease_file("lease.json")
    (True, True, False)
    """
    return name == LEASE or name.startswith(BESIDE)


def holder_of(folder: Path) -> Holder | None:
    """Return who writes to a folder or address now; None where nobody does, or the holder is dead.

    The age of a lease of a process elsewhere is found with a file that is made for it, where the folder can be written.

    Raises:
        LeaseFileError: something that is no file has the name of a lease.
        OSError: the lease cannot be read.
    """
    file = file_of(folder)
    holder = file.holder()
    if holder is None or (holder.record is not None and holder.record.is_dead()):
        return None
    seen = file.read(aged=True)
    return None if seen is None or _is_dead(seen) else seen.holder


def other_holder_of(folder: Path) -> Holder | None:
    """Return who else writes to a folder or address now, as `holder_of` does; not this process, nor its command."""
    holder, own = holder_of(folder), token_of(folder)
    return None if holder is None or (own is not None and own.token == holder.key) else holder


@contextmanager
def held(
    folder: Path, command: str, *, wait: bool = False, on_wait: Callable[[], None] = lambda: None
) -> Iterator[Lease]:
    """Hold the lease of a folder in the block, as the only process.

    The folder is made where it is missing, and removed at the end if nothing was put into it. Leases of dead processes
    are taken over, which a warning in the log tells.

    Args:
        folder: a local folder, or an address.
        command: what this process does, for the messages of others, such as `gaia-curate run`.
        wait: wait until the folder is free, with a note every minute; otherwise end at once.
        on_wait: called every few seconds meanwhile.

    Raises:
        LeaseHeldError: another process holds it, and `wait` is false.
        LeaseFileError: something that is no file has the name of a lease.
        OSError: the folder cannot be written.
    """
    record = own_record(command)
    made = [] if is_remote(folder) else [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        lease = _acquired(folder, record, on_wait if wait else None)
        _HELD[_key(folder)] = lease
        try:
            yield lease
        finally:
            _HELD.pop(_key(folder), None)
            lease.release()
    finally:
        disown(record)
        with suppress(OSError):  # it is not empty
            for path in made:
                path.rmdir()


_HELD: dict[str, Lease | LeaseToken] = {}
"""Leases that this process holds, or works under, by folder."""


def token_of(folder: Path) -> LeaseToken | None:
    """Return the right to write to a folder, for workers; None where this process does not have it."""
    lease = _HELD.get(_key(folder))
    return lease.token if isinstance(lease, Lease) else lease


def adopt(token: LeaseToken) -> None:
    """Let this process write under the lease of another, of which it is a worker."""
    if not isinstance(_HELD.get(_key(token.folder)), Lease):  # which this process holds itself
        _HELD[_key(token.folder)] = token


def require_lease(folder: Path) -> None:
    """Go on only while the lease of a folder is held; what writes to a folder calls this before each commit.

    A process that never held the lease, such as one that calls a single function of this library, is not checked.

    Raises:
        LeaseLostError: the lease of this process was taken over or removed, or could not be renewed for most of a
            minute.
        OSError: it cannot be read.
    """
    lease = _HELD.get(_key(folder))
    if lease is not None:
        lease.require()


def _acquired(folder: Path, record: LeaseRecord, on_wait: Callable[[], None] | None) -> Lease:
    file = file_of(folder)
    watched: tuple[str, float] = ("", 0.0)
    told = -_TOLD_S
    while True:
        if _created(folder, file, record):
            return Lease(folder, record, file)
        seen = file.read(aged=True)
        if seen is None:
            continue
        if watched[0] != seen.version:
            watched = (seen.version, time.monotonic())
        if _is_dead(seen) or time.monotonic() - watched[1] >= STALE_S:
            if file.replace(seen, record):
                _LOG.warning(
                    "%s: taken over from %s, which is dead or was stopped for more than a minute",
                    folder, seen.holder.text(),
                )  # fmt: skip
                return Lease(folder, record, file)
            continue
        if on_wait is None:
            raise LeaseHeldError(_refusal(folder, seen))
        if time.monotonic() - told >= _TOLD_S:
            told = time.monotonic()
            _LOG.warning("%s: waiting for %s; Ctrl-C ends the wait", folder, seen.holder.text())
        on_wait()
        time.sleep(_LOOK_REMOTE_S if is_remote(folder) else _LOOK_S)


def _created(folder: Path, file: LeaseFile, record: LeaseRecord) -> bool:
    """Make a lease, and its folder where it is missing; return False where there is a lease."""
    while True:
        if not is_remote(folder):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            return file.create(record)
        except FileNotFoundError:  # who held it has just removed the folder that it had made, for it was empty
            if is_remote(folder):
                raise


def _refusal(folder: Path, seen: Seen) -> str:
    remedy = "give --wait to begin when it has ended, or try again later"
    if seen.holder.record is None:
        remedy += f"; if no command is at work there, remove {folder / LEASE}"
    return f"{folder} is being written by {seen.holder.text()}: {remedy}"


def _is_dead(seen: Seen) -> bool:
    """Return whether a lease may be taken over.

    A stamp of the future is no sign of life either: a holder's are of now.
    """
    record = seen.holder.record
    dead = record.is_dead() if record is not None else None
    return bool(dead) or (seen.age_s is not None and abs(seen.age_s) >= STALE_S)


def _key(folder: Path) -> str:
    return str(folder if is_remote(folder) else folder.absolute())
