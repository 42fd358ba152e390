"""Event log of a run: one line of JSON for each event of a unit, in `ledger/events.jsonl`.

On a store each run has objects of its own with names made from that one, and lines arrive there up to 20 s late.

The log only grows: a resumed run and a retry append to it. It is not dataset content: nothing reads it, and
like the seconds spent it differs between runs that are equal otherwise.
"""

import json
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from curation.engine.events import EventKind, UnitEvent
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.leases import require_lease
from foundation.storage.locations import is_remote
from foundation.storage.regular_files import require_regular

__all__ = ["EventLog", "LineSink", "events_path", "open_sink"]


def events_path(dataset: Path) -> Path:
    """Return the path of the log of a dataset."""
    return dataset / "ledger" / "events.jsonl"


class EventLog:
    """Writer of events, each in one piece."""

    def __init__(self, dataset: Path) -> None:
        """Open the log of a dataset.

        Raises:
            OSError: it cannot be written.
        """
        self._dataset = dataset
        self._sink = open_sink(events_path(dataset))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sink.close()

    def run(self, event: Literal["run_begin", "run_end"], outcome: str) -> None:
        """Write that a run begins or ends, with its numbers.

        Raises:
            OSError: the disk refused.
        """
        self._write(event, None, None, outcome, None)

    def tell(self, event: UnitEvent) -> None:
        """Write an event of a unit.

        Raises:
            OSError: the disk refused.
        """
        outcome = event.reason if event.result is None else event.result.word
        self._write(event.kind, event.unit.name, event.worker, outcome, event.seconds)

    def _write(
        self,
        event: EventKind | Literal["run_begin", "run_end"],
        unit: str | None,
        worker: str | None,
        outcome: str | None,
        seconds: float | None,
    ) -> None:
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": event,
            "unit": unit,
            "worker": worker,
            "outcome": outcome,
            "seconds": None if seconds is None else round(seconds, 3),
        }
        require_lease(self._dataset)  # a line of a lost run may name a video that was removed since
        self._sink.write(json.dumps(line, allow_nan=False).encode() + b"\n")


_PUT_EVERY_S = 20.0

_SEGMENT_BYTES = 1 << 20
"""An object is written again as it grows; past this size the next one is begun."""


class LineSink(Protocol):
    """A destination for complete lines."""

    def write(self, line: bytes) -> None:
        """Add a line.

        Raises:
            OSError: the storage refused.
        """

    def close(self) -> None:
        """Save everything that was added."""


def open_sink(path: Path) -> LineSink:
    """Return the sink for the local file `path`, or for objects with names made from it.

    Raises:
        OSError: it cannot be written.
    """
    return _Segments(path) if is_remote(path) else _Appended(path)


class _Appended:
    """A file in append mode; an incomplete line of a killed run is ended first, so that the next line is readable."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            require_regular(path, follow_links=False)
        self._file = path.open("a+b", buffering=0)
        if self._file.seek(0, os.SEEK_END):
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")

    def write(self, line: bytes) -> None:
        self._file.write(line)

    def close(self) -> None:
        self._file.close()


class _Segments:
    """Objects `events-<start of the run>-<number>.jsonl`: their names sort in the order of their lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        self._number = 0
        self._lines = bytearray()
        self._put_at = time.monotonic()
        self._unsaved = False

    def write(self, line: bytes) -> None:
        self._lines += line
        self._unsaved = True
        if len(self._lines) >= _SEGMENT_BYTES or time.monotonic() - self._put_at >= _PUT_EVERY_S:
            self._put()
        if len(self._lines) >= _SEGMENT_BYTES:
            self._lines.clear()
            self._number += 1

    def close(self) -> None:
        if self._unsaved:
            self._put()

    def _put(self) -> None:
        name = f"{self._path.stem}-{self._begun}-{self._number:04d}{self._path.suffix}"
        write_bytes_atomic(self._path.parent / name, bytes(self._lines))
        self._put_at, self._unsaved = time.monotonic(), False
