"""The log of a run: one line of JSON for everything that happens to a unit, in `ledger/events.jsonl`.

On a store each run has objects of its own beside that name, and lines arrive there with up to 20 s of delay.

It only grows: a resumed run and a retry write on at its end. It is a diary and no part of what a dataset holds: nothing
reads it, and like the seconds spent it differs between runs that are equal otherwise.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from curation.event_sink import open_sink
from curation.ledger import VideoRecord
from curation.unit_events import EventKind, UnitEvent
from curation.units import Decided, Divided, Measured, Outcome, Rendered

__all__ = ["EventLog", "events_path"]


def events_path(dataset: Path) -> Path:
    """Return where the log of a dataset lies."""
    return dataset / "ledger" / "events.jsonl"


class EventLog:
    """Writes events, each in one piece."""

    def __init__(self, dataset: Path) -> None:
        """Open the log of a dataset.

        Raises:
            OSError: it cannot be written.
        """
        self._sink = open_sink(events_path(dataset))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sink.close()

    def run(self, event: Literal["run_begin", "run_end"], outcome: str) -> None:
        """Write that a run begins or ends, and how.

        Raises:
            OSError: the disk refused.
        """
        self._write(event, None, None, outcome, None)

    def tell(self, event: UnitEvent) -> None:
        """Write what happened to a unit.

        Raises:
            OSError: the disk refused.
        """
        outcome = event.outcome if isinstance(event.outcome, str | None) else _in_a_word(event.outcome)
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
        self._sink.write(json.dumps(line).encode() + b"\n")


def _in_a_word(outcome: Outcome) -> str:
    match outcome:
        case VideoRecord():
            return outcome.error_code or outcome.status
        case Divided():
            return "divided"
        case Measured():
            return "measured"
        case Decided():
            return "decided"
        case Rendered():
            return "rendered"
