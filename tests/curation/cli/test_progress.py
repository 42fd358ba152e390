"""What a user sees while a run goes on, by a clock of our own."""

import io
from pathlib import Path

import pytest
from helpers.made_units import INFO
from rich.console import Console

from curation.cli.progress import RunProgress
from curation.engine.events import EventKind, UnitEvent
from curation.engine.pace import Pace
from curation.engine.units import AnalyzeVideo, MeasureWindow, Result, Unit, divided, ended
from curation.output.ledger import VideoRecord
from curation.sources.entries import SourceVideo
from manifests.timeline import Window

WINDOWS = tuple(Window(first_tick=k, end_tick=k + 2500) for k in (0, 2500, 5000))
"""Each 100 s."""


class Clock:
    """Stands still until it is told."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Terminal(io.StringIO):
    """Rich takes it for a terminal."""

    def isatty(self) -> bool:
        return True


def video(name: str, size_bytes: int) -> SourceVideo:
    return SourceVideo(
        path=Path(f"{name}.mp4"), video_id=name * 16, source="made", speaker_id=None, size_bytes=size_bytes
    )


def record(of: SourceVideo, duration_s: float, kept_s: float = 0.0) -> VideoRecord:
    return VideoRecord(
        video_id=of.video_id,
        source="made",
        path=str(of.path),
        speaker_id=None,
        status="ok",
        size_bytes=of.size_bytes,
        duration_s=duration_s,
        kept_diffusion_s=kept_s / 2,
        kept_vae_s=kept_s,
    )


def event(
    kind: EventKind, unit: Unit, worker: str = "worker 1", result: Result | None = None, seconds: float | None = None
) -> UnitEvent:
    return UnitEvent(kind=kind, unit=unit, worker=worker, result=result, seconds=seconds)


def done(pace: Pace, of: SourceVideo, duration_s: float, spent_s: float, now_s: float) -> None:
    unit = AnalyzeVideo(video=of)
    pace.tell(event("begin", unit), now_s - spent_s)
    pace.tell(event("end", unit, result=ended(record(of, duration_s)), seconds=spent_s), now_s)
    pace.advance(record(of, duration_s))


def test_time_left_is_told_by_bytes_and_not_by_the_number_of_videos() -> None:
    videos = [video("a", 100), video("b", 900)]
    pace = Pace(videos)
    assert pace.left_s(0.0) is None
    done(pace, videos[0], duration_s=10.0, spent_s=5.0, now_s=5.0)
    # 900 bytes are 90 s of video, at twice real time; one of two videos is done
    assert pace.video_left_s() == pytest.approx(90.0)
    assert pace.left_s(5.0) == pytest.approx(45.0)


def test_time_left_falls_while_a_unit_is_in_flight_but_no_further_than_the_unit_reaches() -> None:
    videos = [video("a", 100), video("b", 100), video("c", 100)]
    pace = Pace(videos)
    done(pace, videos[0], duration_s=10.0, spent_s=5.0, now_s=5.0)
    pace.tell(event("begin", AnalyzeVideo(video=videos[1])), 5.0)
    assert [pace.left_s(now_s) for now_s in (5.0, 7.0, 10.0, 60.0)] == pytest.approx([10.0, 8.0, 5.0, 5.0])


def test_two_busy_workers_need_half_the_time() -> None:
    videos = [video(name, 100) for name in "abcd"]
    pace = Pace(videos)
    done(pace, videos[0], duration_s=10.0, spent_s=5.0, now_s=5.0)
    for number, busy in enumerate(videos[1:3]):
        pace.tell(event("begin", AnalyzeVideo(video=busy), f"worker {number}"), 5.0)
    assert pace.left_s(5.0) == pytest.approx(7.5)


def test_files_that_fail_count_as_video_of_no_length_among_those_to_come_too() -> None:
    videos = [video(name, 100) for name in "abcd"]
    pace = Pace(videos)
    done(pace, videos[0], duration_s=10.0, spent_s=5.0, now_s=5.0)
    done(pace, videos[1], duration_s=0.0, spent_s=0.0, now_s=5.0)
    assert pace.video_left_s() == pytest.approx(10.0)


def test_windows_count_for_what_they_measure_and_their_video_only_once() -> None:
    long = video("a", 100)
    pace = Pace([long])
    whole = AnalyzeVideo(video=long)
    pace.tell(event("begin", whole), 0.0)
    pace.tell(event("end", whole, result=divided(long, WINDOWS, WINDOWS[1:], INFO), seconds=1.0), 1.0)
    assert pace.video_left_s() == pytest.approx(200.0)  # the first window is there from an earlier run
    for number, window in enumerate(WINDOWS[1:], start=1):
        unit = MeasureWindow(video=long, window=window, info=INFO)
        pace.tell(event("begin", unit), 50.0 * number)
        pace.tell(
            event("end", unit, result=Result(word="measured", measured_s=100.0), seconds=49.0), 50.0 * number + 49.0
        )
        assert pace.video_left_s() == pytest.approx(200.0 - 100.0 * number)
    pace.advance(record(long, 300.0))
    assert (pace.video_left_s(), pace.done_s) == (0.0, 200.0)


def test_a_log_has_a_line_for_each_video_and_no_more() -> None:
    clock, stream = Clock(), io.StringIO()
    videos = [video("a", 100), video("b", 300)]
    with RunProgress(stream, clock) as progress:
        progress.start(videos, 3)
        for number, of in enumerate(videos):
            progress.tell(event("begin", AnalyzeVideo(video=of)))
            clock.now_s += 5.0
            outcome = record(of, 10.0, kept_s=4.0) if number == 0 else VideoRecord.failed(of, "unreadable", "no video")
            progress.tell(event("end", AnalyzeVideo(video=of), result=ended(outcome), seconds=5.0))
            progress.advance(outcome)
    assert stream.getvalue().splitlines() == [
        "2 videos to curate, 3 done before",
        "[1/2] a.mp4: kept 2.0 s diffusion, 4.0 s vae of 10.0 s (2.0 times real time, 15 s left)",
        "[2/2] b.mp4: failed: unreadable: no video (1.0 times real time, 0 s left)",
    ]


def test_a_terminal_shows_totals_and_what_each_worker_is_at_and_for_how_long() -> None:
    clock, stream = Clock(), Terminal()
    videos = [video("a", 100), video("b", 100), video("c", 100)]
    with RunProgress(stream, clock) as progress:
        progress.start(videos, 0)
        progress.tell(event("begin", AnalyzeVideo(video=videos[0]), "worker 1"))
        clock.now_s += 600.0
        outcome = record(videos[0], 7200.0, kept_s=3600.0)
        progress.tell(event("end", AnalyzeVideo(video=videos[0]), "worker 1", ended(outcome), 600.0))
        progress.advance(outcome)
        progress.tell(event("begin", AnalyzeVideo(video=videos[1]), "worker 1"))
        clock.now_s += 90.0
        progress.tell(event("begin", AnalyzeVideo(video=videos[2]), "worker 2"))
        shown = io.StringIO()
        Console(file=shown, width=200).print(progress._renderable())
    lines = shown.getvalue().splitlines()
    assert lines[1] == (
        "1 of 3 videos · 2 h 0 min in · kept 30 min 0 s diffusion, 1 h 0 min vae · 10.4 times real time · "
        "9 min 15 s left"
    )
    assert [line.split() for line in lines[2:]] == [
        ["worker", "1", "b" * 16, "video", "(b.mp4)", "1", "min", "30", "s"],
        ["worker", "2", "c" * 16, "video", "(c.mp4)", "0", "s"],
    ]
    assert "kept 1800.0 s diffusion" in stream.getvalue()
