"""What a run writes down of its units."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from helpers.made_videos import SmallRun

from curation.decision.decide import ClipPlan
from curation.engine import inline
from curation.engine.event_log import EventLog, events_path
from curation.engine.events import Oversight, UnitEvent
from curation.engine.execution import Executor
from curation.engine.units import Decided, Divided, Measured, Outcome, Rendered, Unit
from curation.engine.worker import WorkerPlan
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
    window = Unit(video=VIDEO, kind="window", windows=WINDOWS[1:])
    with EventLog(tmp_path) as log:
        log.run("run_begin", "1 videos to curate, 0 done before")
        log.tell(UnitEvent(kind="begin", unit=window, worker="worker 2"))
        log.tell(UnitEvent(kind="loss", unit=window, worker="worker 2", outcome="timed_out", seconds=3.14159))
        log.tell(UnitEvent(kind="end", unit=window, worker="worker 3", outcome=Measured(), seconds=2.0))
    told = lines(tmp_path)
    assert all(before.replace(microsecond=0) <= datetime.fromisoformat(str(line.pop("time"))) for line in told)
    name = f"{'a' * 16} ticks 250 to 500"
    assert told == [
        {"event": "run_begin", "unit": None, "worker": None, "outcome": "1 videos to curate, 0 done before",
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
        ("run_begin", None, "1 videos to curate, 0 done before"),
        ("begin", f"{ids['a_talking.mp4']} video", None),
        ("end", f"{ids['a_talking.mp4']} video", "ok"),
        ("run_end", None, "1 videos done, 0 left"),
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


class WindowWorker:
    """Divides every video in two."""

    def work(self, unit: Unit) -> Outcome:
        if unit.kind == "video":
            return Divided(WINDOWS, WINDOWS)
        if unit.kind == "window":
            return Measured()
        if unit.kind == "decide":
            return Decided(SLICES, SLICES, RECORD)
        return Rendered() if unit.kind == "render" else RECORD


def test_inline_tells_of_the_steps_of_a_long_video_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = WorkerPlan(settings=CurationSettings(), dataset=Path("nowhere"))
    monkeypatch.setattr(WorkerPlan, "make_worker", lambda _: WindowWorker())
    told: list[UnitEvent] = []
    records: Iterator[VideoRecord] = inline.curate_inline(plan, [VIDEO], Oversight(tell=told.append))
    assert len(list(records)) == 1
    assert [(event.kind, event.unit.kind) for event in told] == [
        (kind, unit)
        for unit in ("video", "window", "window", "decide", "render", "gather")
        for kind in ("begin", "end")
    ]
