"""Leases: one process at a time writes to a folder or address, on any disk and in any store.

The lease of a folder is the file `.lease.json` in it. Its holder renews it every few seconds. It is free again when the
holder removes it, when the process of the holder is gone, as far as this machine can tell, or when it was not renewed
for a minute. A holder that lost its lease, since it was stopped for longer than that, learns of it before its next
commit: it asks `require_lease` before each. Between that question and the end of the commit it is not protected: a
process that is stopped exactly there, for more than a minute, still completes the rename or upload that it had begun.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import CannotStartError
from foundation.storage.lease_in_store import LeaseInStore
from foundation.storage.lease_on_disk import BESIDE, LeaseOnDisk
from foundation.storage.lease_record import LEASE, STALE_S, Holder, LeaseFile, LeaseRecord, Seen, own_record
from foundation.storage.locations import is_remote

__all__ = [
    "Lease",
    "LeaseHeldError",
    "LeaseLostError",
    "LeaseToken",
    "adopt",
    "held",
    "holder_of",
    "is_lease_file",
    "require_lease",
]

_LOG = logging.getLogger(__name__)

_RENEW_S, _RENEW_REMOTE_S = 10.0, 20.0
"""Time between two renewals, on a disk and in a store: three requests a minute."""

_TRUSTED_S = 5.0
"""Time after a renewal in a store during which nobody can have taken the lease over."""

_LOOK_S, _LOOK_REMOTE_S = 1.0, 5.0
"""Time between two looks while the lease of another process is waited for, on a disk and in a store."""

_TOLD_S = 60.0
"""Time between two notes that this process waits."""


class LeaseHeldError(CannotStartError):
    """Another process writes to the folder; the message says which."""


class LeaseLostError(CannotStartError):
    """The lease of this process was taken over, removed, or cannot be renewed; nothing more may be written."""


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
    file = _file_of(folder)
    holder = file.holder()
    if holder is None or (holder.record is not None and holder.record.is_dead()):
        return None
    seen: Seen | None = Seen(holder=holder, version="")
    with suppress(OSError):  # the folder cannot be written, so that the age is not known
        seen = file.read(aged=True)
    return None if seen is None or _is_dead(seen) else seen.holder


@dataclass(frozen=True, slots=True)
class LeaseToken:
    """The right of a process, and of its workers, to write to a folder."""

    folder: Path
    token: str

    def require(self) -> None:
        """Read the lease and end the work if it is not this one any more.

        Raises:
            LeaseLostError: it was taken over or removed.
            OSError: it cannot be read.
        """
        holder = _file_of(self.folder).holder()
        if holder is None or holder.key != self.token:
            raise _lost(self.folder, holder)


class Lease:
    """The lease that this process holds on a folder, renewed in the background; `held` makes it."""

    def __init__(self, folder: Path, record: LeaseRecord, file: LeaseFile) -> None:
        self.token = LeaseToken(folder, record.token)
        self._record, self._file = record, file
        self._renewed = _now()
        self._ended = threading.Event()
        self._lost: LeaseLostError | None = None
        self._fault: OSError | None = None
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def require(self) -> None:
        """Go on only while the lease is held; to be called before each commit.

        Raises:
            LeaseLostError: it was taken over or removed, or could not be renewed for most of a minute.
        """
        if self._lost is not None:
            raise self._lost
        age_s = _now() - self._renewed
        if is_remote(self.token.folder) and age_s < _TRUSTED_S:
            return
        try:
            self.token.require()
        except LeaseLostError as error:
            self._lost = error
            raise
        except OSError as error:
            if age_s > STALE_S / 2:
                raise self._not_renewed(error, age_s) from error
            return
        if age_s > STALE_S * 0.75:  # the next moment it may be another's
            raise self._not_renewed(self._fault, age_s)

    def release(self) -> None:
        """End the renewal and remove the lease, unless it was lost."""
        self._ended.set()
        self._thread.join(timeout=5.0)
        if self._lost is None:
            try:
                self._file.remove(self._record)
            except OSError as error:
                _LOG.warning("the lease %s cannot be removed: %s; it ends by itself", self.token.folder / LEASE, error)

    def _keep(self) -> None:
        period_s = _RENEW_REMOTE_S if is_remote(self.token.folder) else _RENEW_S
        while not self._ended.wait(period_s):
            begun = _now()
            try:
                if not self._file.renew(self._record):
                    self._lost = _lost(self.token.folder, self._file.holder())
                    return
            except OSError as error:  # again in a moment
                self._fault = error
            except CannotStartError as error:  # in place of the lease there is no file any more
                self._lost = LeaseLostError(str(error))
                return
            else:
                self._renewed = begun

    def _not_renewed(self, error: OSError | None, age_s: float) -> LeaseLostError:
        why = "this process was stopped" if error is None else str(error)
        return LeaseLostError(
            f"{self.token.folder}: the lease could not be renewed for {age_s:.0f} s: {why}; nothing more is written, "
            "since another command may begin; give the same command again"
        )


@contextmanager
def held(folder: Path, command: str, *, wait: bool = False) -> Iterator[Lease]:
    """Hold the lease of a folder in the block, as the only process.

    The folder is made where it is missing, and removed at the end if nothing was put into it. Leases of dead processes
    are taken over, which a warning in the log tells.

    Args:
        folder: a local folder, or an address.
        command: what this process does, for the messages of others, such as `gaia-curate run`.
        wait: wait until the folder is free, with a note every minute; otherwise end at once.

    Raises:
        LeaseHeldError: another process holds it, and `wait` is false.
        LeaseFileError: something that is no file has the name of a lease.
        OSError: the folder cannot be written.
    """
    made = [] if is_remote(folder) else [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        lease = _acquired(folder, command, wait=wait)
        _HELD[_key(folder)] = lease
        try:
            yield lease
        finally:
            _HELD.pop(_key(folder), None)
            lease.release()
    finally:
        with suppress(OSError):  # it is not empty
            for path in made:
                path.rmdir()


_HELD: dict[str, Lease | LeaseToken] = {}
"""Leases that this process holds, or works under, by folder."""


def adopt(token: LeaseToken) -> None:
    """Let this process write under the lease of another, of which it is a worker."""
    _HELD.setdefault(_key(token.folder), token)


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


def _acquired(folder: Path, command: str, *, wait: bool) -> Lease:
    record, file = own_record(command), _file_of(folder)
    watched: tuple[str, float] = ("", 0.0)
    told = -_TOLD_S
    while True:
        if not is_remote(folder):
            folder.mkdir(parents=True, exist_ok=True)
        if file.create(record):
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
        if not wait:
            raise LeaseHeldError(_refusal(folder, seen))
        if time.monotonic() - told >= _TOLD_S:
            told = time.monotonic()
            _LOG.warning("%s: waiting for %s; Ctrl-C ends the wait", folder, seen.holder.text())
        time.sleep(_LOOK_REMOTE_S if is_remote(folder) else _LOOK_S)


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


def _file_of(folder: Path) -> LeaseFile:
    return LeaseInStore(folder) if is_remote(folder) else LeaseOnDisk(folder)


def _lost(folder: Path, holder: Holder | None) -> LeaseLostError:
    now = "was removed" if holder is None else f"is held by {holder.text()}"
    return LeaseLostError(
        f"{folder}: the lease of this command {now}: nothing more is written; give the same command again"
    )


def _key(folder: Path) -> str:
    return str(folder if is_remote(folder) else folder.absolute())


def _now() -> float:
    """Return a time in seconds that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.time()
