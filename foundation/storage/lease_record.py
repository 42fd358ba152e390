"""What a lease says: which process holds it. And whether that process is still there.

The file of a lease is data from elsewhere: it is read up to a limit, no link is followed, and what it says reaches a
message only as words of letters and digits.
"""

import os
import re
import secrets
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foundation.errors import UsageError

__all__ = [
    "LEASE",
    "MAX_BYTES",
    "STALE_S",
    "Holder",
    "LeaseFile",
    "LeaseFileError",
    "LeaseRecord",
    "Seen",
    "disown",
    "own_record",
    "parsed",
]

LEASE = ".lease.json"
"""Name of the lease in the folder that it is about."""

STALE_S = 60.0
"""A lease that was not renewed for this long may be taken over."""


MAX_BYTES = 4096
"""A longer file is no lease."""

_PLACE = r"^[A-Za-z0-9._:\[\]-]{1,253}$"


class LeaseFileError(UsageError):
    """Something that is no file is in the place of a lease."""


class LeaseRecord(BaseModel):
    """Content of the file of a lease."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    format: Literal["gaia-lease-1"] = "gaia-lease-1"
    token: str = Field(pattern=r"^[0-9a-f]{32}$")
    """Random: no two leases share it."""
    command: str = Field(pattern=r"^[a-z][a-z -]{0,63}$")
    """What the holder does, such as `gaia-curate run`."""
    host: str = Field(pattern=_PLACE)
    process: int = Field(ge=1, le=2**31)
    machine: str = Field(pattern=_PLACE)
    """Boot of the machine and namespace of process numbers: only where both are the same, a number means the same
    process; `unknown` where the system tells neither."""
    started: int = Field(ge=0, le=2**63)
    """Start of the process, ticks since the boot: numbers of processes are given out again."""
    since: str = Field(pattern=r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$")
    beat: int = Field(default=0, ge=0)
    """Number of renewals, where the content has to change for a store to notice one."""

    def is_dead(self) -> bool | None:
        """Return whether the process is gone; None where this machine cannot tell."""
        machine = _machine()
        if machine is None or machine != self.machine:
            return None
        return _start_of(self.process) != self.started or (self.process == os.getpid() and self.token not in _LIVE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Holder of a lease as others see it."""

    key: str
    """Identifies the lease: its token, or a digest of what cannot be read."""
    record: LeaseRecord | None
    """None: the file cannot be read as a lease."""

    def text(self) -> str:
        """Return who it is, in words.

        >>> parsed(b"{}").text()
        'somebody whose lease cannot be read'
        """
        if self.record is None:
            return "somebody whose lease cannot be read"
        record = self.record
        return f"`{record.command}` on host {record.host}, process {record.process}, since {record.since}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A lease as it was found."""

    holder: Holder
    version: str
    """Differs after every renewal."""
    age_s: float | None = None
    """Time since the last renewal by the clock of the disk or store itself; None where it gives no times."""


class LeaseFile(Protocol):
    """The file of a lease, on a disk or in a store. Each method but `read` is one step that one process can take."""

    def read(self, *, aged: bool = False) -> Seen | None:
        """Return the lease that is there, None if there is none.

        Args:
            aged: find out its age, too, which takes a file or object that is made for it.

        Raises:
            LeaseFileError: something that is no file has its name.
            OSError: it cannot be read.
        """

    def holder(self) -> Holder | None:
        """Return who holds the lease; the cheapest look at it, with the errors of `read`."""

    def create(self, record: LeaseRecord) -> bool:
        """Make the lease; return whether there was none.

        Raises:
            OSError: the folder cannot be written.
        """

    def replace(self, seen: Seen, record: LeaseRecord) -> bool:
        """Put a lease in place of the one that was seen; return whether that was still there, unchanged.

        Raises:
            OSError: the folder cannot be written.
        """

    def renew(self, record: LeaseRecord) -> bool:
        """Show that the holder lives; return whether the lease is still its own.

        Raises:
            OSError: the folder cannot be read or written.
        """

    def remove(self, record: LeaseRecord) -> None:
        """Remove the lease if it is still this one.

        Raises:
            OSError: the folder cannot be read or written.
        """


def parsed(content: bytes) -> Holder:
    """Return the holder that the file of a lease names."""
    try:
        record = LeaseRecord.model_validate_json(content[: MAX_BYTES + 1])
    except ValidationError:
        return Holder(key=sha256(content[: MAX_BYTES + 1]).hexdigest()[:32], record=None)
    return Holder(key=record.token, record=record)


_LIVE: set[str] = set()
"""Tokens of leases that this process holds or is about to hold."""


def disown(record: LeaseRecord) -> None:
    """Take a lease of this process for dead: it was given back, or what it was for has ended in an error."""
    _LIVE.discard(record.token)


def own_record(command: str) -> LeaseRecord:
    """Return a new lease of this process, which counts as alive until `disown`."""
    name = re.sub(r"[^A-Za-z0-9.-]", "", socket.gethostname())
    record = LeaseRecord(
        token=secrets.token_hex(16),
        command=command,
        host=name[:253] or "unknown",
        process=os.getpid(),
        machine=_machine() or "unknown",
        started=_start_of(os.getpid()) or 0,
        since=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    )
    _LIVE.add(record.token)
    return record


def _machine() -> str | None:
    """Return the boot of this machine and the namespace of its process numbers; None where /proc does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}:{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _start_of(process: int) -> int | None:
    """Return the start of a process in ticks since the boot; None if there is none, or only its remains."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before may hold spaces and brackets
    return None if fields[0] in ("Z", "X") else int(fields[19])
