"""What a run writes down of its units."""

import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from helpers.made_units import INFO, decided
from helpers.made_videos import SmallRun

from curation.decision.decide import ClipPlan
from curation.engine.event_log import EventLog, events_path
from curation.engine.events import RunHooks, UnitEvent
from curation.engine.execution import Executor
from curation.engine.inline import curate_inline
from curation.engine.units import AnalyzeVideo, MeasureWindow, Result, Unit, divided, ended
from curation.operations.run import run
from curation.output.ledger import VideoRecord, read_ledger
from curation.rendering.slices import Slice
from curation.settings import CurationSettings
from curation.sources.entries import SourceVideo
from manifests.timeline import Window

VIDEO = SourceVideo(path=Path("a.mp4"), video_id="a" * 16, source="made", speaker_id=None, size_bytes=1)
WINDOWS = tuple(Window(first_tick=k, end_tick=k + 250) for k in (0, 250))


def lines(dataset: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in events_path(dataset).read_text().splitlines()]


def test_each_event_is_one_line_with_when_what_who_and_how_long(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    window = MeasureWindow(video=VIDEO, window=WINDOWS[1], info=INFO)
    with EventLog(tmp_path) as log:
        log.run("run_begin", "1 video to curate, 0 done before")
        log.tell(UnitEvent(kind="begin", unit=window, worker="worker 2"))
        log.tell(UnitEvent(kind="loss", unit=window, worker="worker 2", reason="timed_out", seconds=3.14159))
        log.tell(UnitEvent(kind="end", unit=window, worker="worker 3", result=Result(word="measured"), seconds=2.0))
    told = lines(tmp_path)
    assert all(before.replace(microsecond=0) <= datetime.fromisoformat(str(line.pop("time"))) for line in told)
    name = f"{'a' * 16} ticks 250 to 500"
    assert told == [
        {"event": "run_begin", "unit": None, "worker": None, "outcome": "1 video to curate, 0 done before",
         "seconds": None},
        {"event": "begin", "unit": name, "worker": "worker 2", "outcome": None, "seconds": None},
        {"event": "loss", "unit": name, "worker": "worker 2", "outcome": "timed_out", "seconds": 3.142},
        {"event": "end", "unit": name, "worker": "worker 3", "outcome": "measured", "seconds": 2.0},
    ]  # fmt: skip


def test_a_line_that_a_killed_run_left_half_spoils_no_other(tmp_path: Path) -> None:
    with EventLog(tmp_path) as log:
        log.run("run_begin", "first")
    with events_path(tmp_path).open("a") as file:
        file.write('{"time": "2026-01-0')
    with EventLog(tmp_path) as log:
        log.run("run_begin", "second")
    first, half, second = events_path(tmp_path).read_text().splitlines()
    assert (json.loads(first)["outcome"], half, json.loads(second)["outcome"]) == (
        "first",
        '{"time": "2026-01-0',
        "second",
    )


def test_a_resumed_run_writes_on_and_the_ledger_is_not_disturbed(small_run: SmallRun, tmp_path: Path) -> None:
    dataset = tmp_path / "dataset"
    run(str(small_run.source), dataset, CurationSettings(), Executor(), limit=1)
    run(str(small_run.source), dataset, CurationSettings(), Executor())
    ids = {Path(record.path).name: record.video_id for record in read_ledger(dataset).values()}
    assert set(ids) == {"a_talking.mp4", "b_mute.mp4", "c_broken.mp4"}
    assert [(line["event"], line["unit"], line["outcome"]) for line in lines(dataset)] == [
        ("run_begin", None, "1 video to curate, 0 done before"),
        ("begin", f"{ids['a_talking.mp4']} video", None),
        ("end", f"{ids['a_talking.mp4']} video", "ok"),
        ("run_end", None, "1 video done, 0 left"),
        ("run_begin", None, "2 videos to curate, 1 done before"),
        ("begin", f"{ids['b_mute.mp4']} video", None),
        ("end", f"{ids['b_mute.mp4']} video", "ok"),
        ("begin", f"{ids['c_broken.mp4']} video", None),
        ("end", f"{ids['c_broken.mp4']} video", "unreadable"),
        ("run_end", None, "2 videos done, 0 left"),
    ]
    assert {line["worker"] for line in lines(dataset) if line["unit"]} == {"inline"}


RECORD = VideoRecord(video_id=VIDEO.video_id, source="", path="a", speaker_id=None, size_bytes=1, status="ok")
SLICES = (Slice((ClipPlan(first_tick=10, end_tick=90, tier="vae"),)),)


@dataclass(frozen=True, kw_only=True)
class MadeUnit(Unit):
    """A unit that does nothing; the whole video ends up in two windows and a slice."""

    real: Unit
    result: Result

    @property
    def n_ticks(self) -> int | None:
        return self.real.n_ticks

    def _step_name(self) -> str:
        return self.real._step_name()

    def run(self, _: object) -> Result:
        return self.result

    def _run(self, *_: object) -> Result:
        raise NotImplementedError


def made(unit: Unit) -> Unit:
    """Return a unit that gives at once what the real one would."""
    results = {
        "video": divided(VIDEO, WINDOWS, WINDOWS, INFO),
        "decide": decided(VIDEO, SLICES, SLICES, RECORD),
        "gather": ended(RECORD),
    }
    result = results.get(unit._step_name(), Result(word="measured" if isinstance(unit, MeasureWindow) else "rendered"))
    then = None if result.then is None else made(result.then)
    result = dataclasses.replace(result, steps=tuple(map(made, result.steps)), then=then)
    return MadeUnit(video=unit.video, real=unit, result=result)


class NoModels:
    """A plan whose worker is never looked at."""

    def make_worker(self) -> None:
        return None


def test_inline_tells_of_the_steps_of_a_long_video_in_their_order(tmp_path: Path) -> None:
    events: list[UnitEvent] = []
    hooks = RunHooks(on_event=events.append)
    plan: Any = NoModels()
    records = curate_inline(plan, [VIDEO], hooks, lambda videos: [made(AnalyzeVideo(video=one)) for one in videos])
    assert list(records) == [RECORD]
    parts = ("video", "ticks 0 to 250", "ticks 250 to 500", "decide", "clips in ticks 10 to 90", "gather")
    assert [(event.kind, event.unit.name) for event in events] == [
        (kind, f"{VIDEO.video_id} {part}") for part in parts for kind in ("begin", "end")
    ]
    with EventLog(tmp_path) as log:
        for event in events:
            log.tell(event)
    words = [line["outcome"] for line in lines(tmp_path) if line["event"] == "end"]
    assert words == ["divided", "measured", "measured", "decided", "rendered", "ok"]
