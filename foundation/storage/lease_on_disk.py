"""The file of a lease on a disk, NFS included: made by hard links and renames, without locks of the system.

Whoever removes or replaces a lease first makes the file `.lease-after-KEY-0.tmp`, which only one process can, and then
looks again whether the lease is still the one that it judged. If that process dies there, another makes `-1` after the
time that a lease lives. Ages are differences of two stamps of the same disk, so clocks of machines need not agree.
"""

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

from foundation.storage.lease_record import (
    LEASE,
    MAX_BYTES,
    STALE_S,
    Holder,
    LeaseFileError,
    LeaseRecord,
    Seen,
    disown,
    own_record,
    parsed,
)
from foundation.storage.regular_files import NotRegularFileError, open_regular

__all__ = ["BESIDE", "LeaseOnDisk"]

BESIDE = ".lease-"
"""Beginning of the names of files that exist while a lease is made or taken over."""

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL)
"""Errors of file systems without hard links."""


class LeaseOnDisk:
    """The file of a lease in a local folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / LEASE

    def read(self, *, aged: bool = False) -> Seen | None:
        """Return the lease that is there; see `LeaseFile`."""
        try:
            with open_regular(self._path, follow_links=False) as file:
                facts = os.fstat(file.fileno())
                holder = parsed(file.read(MAX_BYTES + 1))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except NotRegularFileError as error:
            raise LeaseFileError(f"{error}, so no command made it: remove it and try again") from error
        age_s = self._age_s(facts.st_mtime_ns) if aged else None
        return Seen(holder=holder, version=f"{holder.key} {facts.st_mtime_ns}", age_s=age_s)

    def holder(self) -> Holder | None:
        """Return who holds the lease; see `LeaseFile`."""
        seen = self.read()
        return None if seen is None else seen.holder

    def create(self, record: LeaseRecord) -> bool:
        """Make the lease; see `LeaseFile`."""
        written = self._written(record)
        try:
            made = self._linked(written, self._path)
        finally:
            written.unlink(missing_ok=True)
        if made:
            self._tidy()
        return made

    def replace(self, seen: Seen, record: LeaseRecord) -> bool:
        """Put a lease in place of another; see `LeaseFile`."""
        written = self._written(record)
        claim = None
        try:
            claim = self._claimed(seen.holder.key, written)
            now = self.read()
            if claim is None or now is None or now.version != seen.version:
                return False
            written.replace(self._path)
        finally:
            written.unlink(missing_ok=True)
            if claim is not None:
                claim.unlink(missing_ok=True)
        self._tidy()
        return True

    def renew(self, record: LeaseRecord) -> bool:
        """Stamp the lease anew; see `LeaseFile`."""
        if not self._is_own(record):
            return False
        os.utime(self._path, follow_symlinks=False)  # without times, so that the disk's own machine gives them
        return True

    def remove(self, record: LeaseRecord) -> None:
        """Remove the lease; see `LeaseFile`."""
        written = self._written(record)
        claim = None
        try:
            claim = self._claimed(record.token, written)
            if claim is not None and self._is_own(record):
                self._path.unlink(missing_ok=True)
        finally:
            written.unlink(missing_ok=True)
            if claim is not None:
                claim.unlink(missing_ok=True)

    def _is_own(self, record: LeaseRecord) -> bool:
        holder = self.holder()
        return holder is not None and holder.key == record.token

    def _written(self, record: LeaseRecord) -> Path:
        path = self._folder / f"{BESIDE}{record.token}.tmp"
        try:
            _make(path, record.model_dump_json().encode())
        except OSError:  # such as a full disk
            path.unlink(missing_ok=True)
            raise
        return path

    def _claimed(self, key: str, written: Path) -> Path | None:
        """Return the file that allows to replace or remove the lease `key`; None if another process has it."""
        number = 0
        while True:
            claim = self._folder / f"{BESIDE}after-{key}-{number}.tmp"
            try:
                if self._linked(written, claim):
                    return claim
                if not self._is_left(claim, STALE_S):
                    return None
            except FileNotFoundError:  # it was just removed: the lease is another one now
                return None
            number += 1

    @staticmethod
    def _linked(written: Path, path: Path) -> bool:
        """Give a written file a second name; return whether the name was free."""
        try:
            path.hardlink_to(written)
        except FileExistsError:
            # the name may be there because the answer of an NFS server was lost and the request repeated
            return written.stat().st_nlink > 1 and os.path.samestat(path.lstat(), written.stat())
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            try:
                _make(path, written.read_bytes())
            except FileExistsError:
                return False
        return True

    def _age_s(self, stamp_ns: int) -> float:
        """Return the time since a stamp by the clock that stamps the files of the folder.

        By this machine's own clock where no file can be made: readers alone come here, who change nothing.
        """
        record = own_record("probe")
        disown(record)  # so that it is removed if this process is stopped here
        probe = self._folder / f"{BESIDE}{record.token}.tmp"
        try:
            now_ns = _make(probe, record.model_dump_json().encode())
        except OSError:
            now_ns = time.time_ns()
        with suppress(OSError):
            probe.unlink(missing_ok=True)
        return (now_ns - stamp_ns) / 1e9

    def _is_left(self, path: Path, after_s: float) -> bool:
        """Return whether a file beside the lease was left by a process that is gone, or is older than `after_s`.

        Raises:
            FileNotFoundError: it is not there any more.
        """
        try:
            with open_regular(path, follow_links=False) as file:
                record = parsed(file.read(MAX_BYTES + 1)).record
        except NotRegularFileError:
            record = None
        if record is not None and record.is_dead():
            return True
        return abs(self._age_s(path.lstat().st_mtime_ns)) >= after_s

    def _tidy(self) -> None:
        """Remove what processes that were killed left beside the lease."""
        for path in self._folder.glob(f"{BESIDE}*.tmp"):
            with suppress(OSError):  # it is gone, or no file that can be removed
                if self._is_left(path, 10 * STALE_S):
                    path.unlink(missing_ok=True)


def _make(path: Path, content: bytes) -> int:
    """Write a file that must not be there yet, and return its stamp by the clock of its disk, nanoseconds."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        os.write(file, content)
        os.fsync(file)
        return os.fstat(file).st_mtime_ns
    finally:
        os.close(file)
