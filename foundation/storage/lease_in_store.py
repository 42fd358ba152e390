"""The file of a lease as an object of a store.

On S3 every step is a conditional request (If-None-Match, If-Match), of which a store grants one. A store that ignores
the conditions, or has none, is written to without them: of several processes that take a lease in the same half second
the last one has it, and the others see that when they read it again. That is the best that such a store allows, and a
request that takes longer than this can be missed.
"""

import hashlib
import os
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from foundation.storage.lease_on_disk import BESIDE
from foundation.storage.lease_record import LEASE, MAX_BYTES, Holder, LeaseRecord, Seen, parsed
from foundation.storage.locations import StorageError, remote_of, store_errors

__all__ = ["LeaseInStore"]

_SETTLE_S = 0.5
"""Time after which a lease that was written is read again."""


class LeaseInStore:
    """The file of a lease at an address."""

    def __init__(self, folder: Path) -> None:
        self._address, self._folder = folder / LEASE, folder
        remote = remote_of(self._address)
        self._name: str = remote.path
        self._fs: Any = remote.fs
        self._is_s3 = remote.protocol in ("s3", "s3a")
        self._own = ""
        """Version of the lease that this process wrote last."""
        self._beat = 0

    def read(self, *, aged: bool = False) -> Seen | None:
        """Return the lease that is there; see `LeaseFile`."""
        with store_errors(self._address):
            try:
                before = self._tag()
                content = self._content()
                while before != (after := self._tag()):  # it was renewed or replaced in between
                    before, content = after, self._content()
            except FileNotFoundError:
                return None
            age_s = self._age_s() if aged else None
        return Seen(holder=parsed(content), version=before or _digest(content), age_s=age_s)

    def holder(self) -> Holder | None:
        """Return who holds the lease; see `LeaseFile`."""
        with store_errors(self._address):
            try:
                return parsed(self._content())
            except FileNotFoundError:
                return None

    def create(self, record: LeaseRecord) -> bool:
        """Make the lease; see `LeaseFile`."""
        content = record.model_dump_json().encode()
        try:
            with store_errors(self._address):
                self._own = self._version(self._fs.pipe_file(self._name, content, mode="create"), content)
        except OSError as error:
            # refused since there is one, or since this request was repeated after its answer was lost
            seen = self.read()
            if seen is None:
                raise StorageError(f"{self._address} cannot be written: {error}") from error
            if seen.holder.key != record.token:
                return False
            self._own = seen.version
        return self._is_settled()

    def replace(self, seen: Seen, record: LeaseRecord) -> bool:
        """Put a lease in place of another; see `LeaseFile`."""
        return self._put(seen.version, record) and self._is_settled()

    def renew(self, record: LeaseRecord) -> bool:
        """Write the lease with another number; see `LeaseFile`."""
        self._beat += 1
        if self._put(self._own, record.model_copy(update={"beat": self._beat})):
            return True
        seen = self.read()  # the same: this request may have been repeated
        if seen is None or seen.holder.key != record.token:
            return False
        self._own = seen.version
        return True

    def remove(self, record: LeaseRecord) -> None:
        """Remove the lease; see `LeaseFile`."""
        seen = self.read()
        if seen is None or seen.holder.key != record.token:
            return
        with store_errors(self._address):
            if self._is_s3:
                bucket, key, _ = self._fs.split_path(self._name)
                with suppress(Exception):  # of a store that knows no condition here; the lease has just been read
                    self._fs.call_s3("delete_object", Bucket=bucket, Key=key, IfMatch=seen.version)
                    return
            with suppress(FileNotFoundError):
                self._fs.rm_file(self._name)

    def _put(self, version: str, record: LeaseRecord) -> bool:
        """Write the lease if it still has this version; return whether it had."""
        content = record.model_dump_json().encode()
        with store_errors(self._address):
            if not self._is_s3:
                seen = self.read()
                if seen is None or seen.version != version:
                    return False
                self._fs.pipe_file(self._name, content)
                self._own = _digest(content)
                return True
            try:
                self._own = self._version(self._fs.pipe_file(self._name, content, IfMatch=version), content)
            except FileNotFoundError:
                return False
            except OSError:
                if self._tag_if_any() == version:  # it was not refused for another version, so the store has a fault
                    raise
                return False
        return True

    def _is_settled(self) -> bool:
        """Return whether the lease is still as this process wrote it, after a moment."""
        time.sleep(_SETTLE_S)
        with store_errors(self._address):
            if self._is_s3:
                return self._tag_if_any() == self._own
        seen = self.read()
        return seen is not None and seen.version == self._own

    def _content(self) -> bytes:
        return bytes(self._fs.cat_file(self._name, start=0, end=MAX_BYTES + 1))

    def _version(self, answer: Any, content: bytes) -> str:  # noqa: ANN401 - what the store's package returns
        """Return the version of an object that was just written."""
        return str(answer["ETag"]) if self._is_s3 else _digest(content)

    def _tag(self) -> str:
        """Return S3's identifier of the content; nothing for other stores, of which the content is compared."""
        facts: dict[str, Any] = self._fs.info(self._name)
        return str(facts["ETag"]) if self._is_s3 else ""

    def _tag_if_any(self) -> str | None:
        try:
            return self._tag()
        except FileNotFoundError:
            return None

    def _age_s(self) -> float | None:
        """Return the time since the last renewal by the store's clock, which stamps an object that is made for it.

        By this machine's own clock where no object can be made: readers alone come here, who change nothing.
        """
        probe = remote_of(self._folder / f"{BESIDE}{os.getpid()}-{time.monotonic_ns()}.tmp").path
        try:
            renewed = self._fs.modified(self._name)
        except (NotImplementedError, FileNotFoundError):
            return None
        try:
            self._fs.pipe_file(probe, b"-")
            now = self._fs.modified(probe)
            self._fs.rm_file(probe)
        except (NotImplementedError, OSError):
            now = datetime.now(renewed.tzinfo)
        return float((now - renewed).total_seconds())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
