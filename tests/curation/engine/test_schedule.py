"""The driver's book: which unit comes next, and what outcomes mean for the others."""

import random
from pathlib import Path

from helpers.made_units import INFO, decided
from hypothesis import given
from hypothesis import strategies as st

from curation.analysis.windows import WindowSettings, plan_windows
from curation.decision.decide import ClipPlan
from curation.engine.schedule import Schedule
from curation.engine.units import (
    AnalyzeVideo,
    DecideVideo,
    GatherVideo,
    MeasureWindow,
    RenderSlice,
    Result,
    Unit,
    divided,
    ended,
    first_units,
)
from curation.output.ledger import VideoRecord
from curation.rendering.slices import Slice
from curation.sources.entries import SourceVideo


def video(name: str, size_bytes: int = 1) -> SourceVideo:
    return SourceVideo(
        path=Path(f"{name}.mp4"), video_id=name.ljust(16, "0"), source="made", speaker_id=None, size_bytes=size_bytes
    )


def record(of: SourceVideo) -> VideoRecord:
    return VideoRecord(
        video_id=of.video_id, source=of.source, path=str(of.path), speaker_id=None, size_bytes=1, status="ok"
    )


def of(videos: list[SourceVideo], *, largest_first: bool = True) -> Schedule:
    return Schedule(first_units(videos), largest_first=largest_first)


def begun(schedule: Schedule) -> Unit:
    unit = schedule.next()
    assert unit is not None
    return unit


WINDOWS = tuple(plan_windows(500, WindowSettings(length_s=8)))
SLICES = tuple(Slice((ClipPlan(first_tick=k, end_tick=k + 80, tier="vae"),)) for k in (0, 100, 300))


def test_the_largest_files_come_first_on_a_pool() -> None:
    schedule = of([video("a", 5), video("b", 50), video("c", 7)])
    assert [begun(schedule).video.size_bytes for _ in range(3)] == [50, 7, 5]
    assert schedule.next() is None


def test_in_one_process_files_keep_their_order() -> None:
    schedule = of([video("a", 5), video("b", 50), video("c", 7)], largest_first=False)
    assert [begun(schedule).video.size_bytes for _ in range(3)] == [5, 50, 7]


MEASURED = Result(word="measured", measured_s=8.0)
RENDERED = Result(word="rendered")


def finish(schedule: Schedule, unit: Unit, result: Result) -> VideoRecord | None:
    return schedule.done(unit.video.video_id, result)


def test_a_long_video_is_decided_rendered_and_gathered_in_this_order_and_before_other_videos() -> None:
    long = video("long", 100)
    schedule = of([long, video("short", 1)])
    assert finish(schedule, begun(schedule), divided(long, WINDOWS, WINDOWS, INFO)) is None
    windows = [begun(schedule) for _ in WINDOWS]
    assert windows == [MeasureWindow(video=long, window=window, info=INFO) for window in WINDOWS]
    for unit in windows:
        assert finish(schedule, unit, MEASURED) is None
    decide = begun(schedule)
    assert decide == DecideVideo(video=long, windows=WINDOWS, info=INFO)
    assert finish(schedule, decide, decided(long, SLICES, SLICES, record(long))) is None
    renders = [begun(schedule) for _ in SLICES]
    assert renders == [RenderSlice(video=long, piece=piece, info=INFO) for piece in SLICES]
    for unit in renders[1:]:
        assert finish(schedule, unit, RENDERED) is None
    assert begun(schedule).video == video("short", 1)
    assert finish(schedule, renders[0], RENDERED) is None
    last = begun(schedule)
    assert last == GatherVideo(video=long, windows=(), slices=SLICES, decided=record(long))
    assert finish(schedule, last, ended(record(long))) == record(long)
    assert schedule.next() is None


def test_slices_that_an_earlier_run_rendered_are_not_rendered_again() -> None:
    long = video("long")
    schedule = of([long])
    finish(schedule, begun(schedule), divided(long, WINDOWS, (), INFO))
    finish(schedule, begun(schedule), decided(long, SLICES, SLICES[1:2], record(long)))
    unit = begun(schedule)
    assert unit == RenderSlice(video=long, piece=SLICES[1], info=INFO)
    finish(schedule, unit, RENDERED)
    assert isinstance(begun(schedule), GatherVideo)
    assert schedule.next() is None


def test_a_long_video_without_a_clip_is_gathered_at_once() -> None:
    long = video("long")
    schedule = of([long])
    finish(schedule, begun(schedule), divided(long, WINDOWS, (), INFO))
    finish(schedule, begun(schedule), decided(long, (), (), record(long)))
    assert isinstance(begun(schedule), GatherVideo)


def test_windows_that_an_earlier_run_measured_are_not_measured_again() -> None:
    long = video("long")
    schedule = of([long])
    finish(schedule, begun(schedule), divided(long, WINDOWS, WINDOWS[2:], INFO))
    unit = begun(schedule)
    assert unit == MeasureWindow(video=long, window=WINDOWS[2], info=INFO)
    finish(schedule, unit, MEASURED)
    assert isinstance(begun(schedule), DecideVideo)


def test_a_video_whose_windows_are_all_there_is_decided_at_once() -> None:
    long = video("long")
    schedule = of([long])
    finish(schedule, begun(schedule), divided(long, WINDOWS, (), INFO))
    assert isinstance(begun(schedule), DecideVideo)


def test_a_failed_window_ends_its_video_once_and_drops_the_rest_of_it() -> None:
    long = video("long", 100)
    schedule = of([long, video("short")])
    finish(schedule, begun(schedule), divided(long, WINDOWS, WINDOWS, INFO))
    first, second = begun(schedule), begun(schedule)
    failed = VideoRecord.failed(long, "unreadable", "made")
    assert finish(schedule, first, ended(failed)) == failed
    assert finish(schedule, second, MEASURED) is None
    assert begun(schedule).video == video("short")
    assert schedule.next() is None


def test_a_unit_whose_worker_was_lost_comes_again() -> None:
    schedule = of([video("a", 2), video("b", 1)])
    unit = begun(schedule)
    schedule.again(unit)
    assert begun(schedule) == unit


def result_of(unit: Unit, n_windows: int, choices: random.Random) -> Result:
    """Return what a unit may come to."""
    failed = ended(VideoRecord.failed(unit.video, "internal", "made"))
    match unit:
        case AnalyzeVideo() if n_windows > 1:
            return divided(unit.video, WINDOWS[:1] * n_windows, WINDOWS[:1] * n_windows, INFO)
        case MeasureWindow():
            return MEASURED if choices.random() < 0.8 else failed
        case DecideVideo():
            return decided(unit.video, SLICES, SLICES[: choices.randint(0, 3)], record(unit.video))
        case RenderSlice():
            return RENDERED if choices.random() < 0.8 else failed
    return ended(record(unit.video))


@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=8), workers=st.integers(1, 4), choices=st.randoms())
def test_every_video_ends_exactly_once_whatever_the_order_in_which_units_end(
    lengths: list[int], workers: int, choices: random.Random
) -> None:
    videos = [video(f"{k:02d}", size_bytes=choices.randint(1, 9)) for k in range(len(lengths))]
    schedule = of(videos)
    records: list[str] = []
    flight: list[Unit] = []
    while True:
        while len(flight) < workers and (unit := schedule.next()) is not None:
            flight.append(unit)
        if not flight:
            break
        unit = flight.pop(choices.randrange(len(flight)))
        n_windows = lengths[int(unit.video.video_id[:2])]
        done = finish(schedule, unit, result_of(unit, n_windows, choices))
        if done is not None:
            records.append(done.video_id)
    assert sorted(records) == [one.video_id for one in videos]
