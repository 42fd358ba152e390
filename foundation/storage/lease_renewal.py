"""The lease that a process holds: its renewal in the background, and the question whether it is still held."""

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import CannotStartError, GaiaError
from foundation.storage.lease_in_store import LeaseInStore
from foundation.storage.lease_on_disk import LeaseOnDisk
from foundation.storage.lease_record import LEASE, STALE_S, Holder, LeaseFile, LeaseRecord
from foundation.storage.locations import is_remote

__all__ = ["Lease", "LeaseLostError", "LeaseToken", "file_of"]

_LOG = logging.getLogger(__name__)

_RENEW_S, _RENEW_REMOTE_S = 10.0, 20.0
"""Time between two renewals, on a disk and in a store: three requests a minute."""

_TRUSTED_S = 5.0
"""Time after a renewal in a store during which nobody can have taken the lease over."""


class LeaseLostError(CannotStartError):
    """The lease of this process was taken over, removed, or cannot be renewed; nothing more may be written."""


def file_of(folder: Path) -> LeaseFile:
    """Return the file of the lease of a folder or address."""
    return LeaseInStore(folder) if is_remote(folder) else LeaseOnDisk(folder)


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
        holder = file_of(self.folder).holder()
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
            except GaiaError as error:  # in place of the lease there is no file any more
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


def _lost(folder: Path, holder: Holder | None) -> LeaseLostError:
    now = "was removed" if holder is None else f"is held by {holder.text()}"
    return LeaseLostError(
        f"{folder}: the lease of this command {now}: nothing more is written; give the same command again"
    )


def _now() -> float:
    """Return a time in seconds that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.time()
