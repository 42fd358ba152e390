"""The command `gaia-curate run` of the benchmarks, and the workers' time from its event log."""

import json
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from curation.engine.event_log import events_path

GAIA_CURATE = str(Path(sys.executable).with_name("gaia-curate"))
"""The command of this Python's installation."""


@dataclass(frozen=True, kw_only=True)
class WorkersTime:
    """How a pool's workers spent the time from the beginning of the first unit to the end of the last, seconds."""

    begun: float
    """When the first unit began, seconds since 1970."""
    work_s: float
    """From then to the end of the last unit, on the clock."""
    busy_s: float
    """All workers together had a unit, as the driver measures it: with the calls of Ray."""
    handover_s: float
    """All workers together were between two units of their own."""
    idle_s: float
    """All workers together were before their first unit, past their last one, or being replaced by others."""


def curate_command(
    source: Path, dataset: Path, *, preset: str = "embedded", workers: int | None = None, overrides: Sequence[str] = ()
) -> list[str]:
    """Return the command that curates a folder.

    Args:
        source: folder of videos.
        dataset: folder that is written.
        preset: name of the preset.
        workers: of a Ray pool; None for one process without Ray.
        overrides: settings, `NAME=VALUE`.
    """
    command = [GAIA_CURATE, "run", "--source", str(source), "--out", str(dataset), "--preset", preset]
    if workers is None:
        command += ["--executor", "inline"]
    else:
        command += ["--executor", "ray", "--workers", str(workers)]
    return command + [f"--set={setting}" for setting in overrides]


def numbered(video: bytes, number: int) -> bytes:
    """Return an MP4 file with a number in a box that players skip: other bytes, the same frames."""
    return video + struct.pack(">I4sQ", 16, b"free", number)


def workers_time(dataset: Path, workers: int) -> WorkersTime:
    """Return how the workers spent the time of the only run of a dataset."""
    lines = events_path(dataset).read_text(encoding="utf-8").splitlines()
    ends = [event for event in map(json.loads, lines) if event["event"] in ("end", "loss")]
    times = [datetime.fromisoformat(event["time"]).timestamp() for event in ends]
    begun = min(time - event["seconds"] for time, event in zip(times, ends, strict=True))
    handover_s = 0.0
    last_end: dict[str, float] = {}
    for time, event in zip(times, ends, strict=True):
        begin = time - event["seconds"]
        handover_s += begin - last_end.get(event["worker"], begin)
        last_end[event["worker"]] = time
    busy_s = sum(event["seconds"] for event in ends)
    work_s = times[-1] - begun
    idle_s = workers * work_s - busy_s - handover_s
    return WorkersTime(begun=begun, work_s=work_s, busy_s=busy_s, handover_s=handover_s, idle_s=idle_s)
