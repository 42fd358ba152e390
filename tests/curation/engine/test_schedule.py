"""The driver's book: which unit comes next, and what outcomes mean for the others."""

import random
from fractions import Fraction
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from curation.analysis.windows import WindowSettings, plan_windows
from curation.decision.decide import ClipPlan
from curation.engine.schedule import Schedule
from curation.engine.units import Decided, Divided, Measured, Outcome, Rendered, Unit
from curation.media.probe import VideoInfo
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


def begun(schedule: Schedule) -> Unit:
    unit = schedule.next()
    assert unit is not None
    return unit


WINDOWS = tuple(plan_windows(500, WindowSettings(length_s=8)))
SLICES = tuple(Slice((ClipPlan(first_tick=k, end_tick=k + 80, tier="vae"),)) for k in (0, 100, 300))


def test_the_largest_files_come_first_on_a_pool() -> None:
    schedule = Schedule([video("a", 5), video("b", 50), video("c", 7)], largest_first=True)
    assert [begun(schedule).video.size_bytes for _ in range(3)] == [50, 7, 5]
    assert schedule.next() is None


def test_in_one_process_files_keep_their_order() -> None:
    schedule = Schedule([video("a", 5), video("b", 50), video("c", 7)], largest_first=False)
    assert [begun(schedule).video.size_bytes for _ in range(3)] == [5, 50, 7]


def test_a_long_video_is_decided_rendered_and_gathered_in_this_order_and_before_other_videos() -> None:
    long = video("long", 100)
    schedule = Schedule([long, video("short", 1)], largest_first=True)
    assert schedule.done(begun(schedule), Divided(WINDOWS, WINDOWS)) is None
    windows = [begun(schedule) for _ in WINDOWS]
    assert [unit.kind for unit in windows] == ["window"] * 3
    for unit in windows:
        assert schedule.done(unit, Measured()) is None
    decide = begun(schedule)
    assert (decide.kind, decide.windows) == ("decide", WINDOWS)
    assert schedule.done(decide, Decided(SLICES, SLICES, record(long))) is None
    renders = [begun(schedule) for _ in SLICES]
    assert [(unit.kind, unit.slices) for unit in renders] == [("render", (piece,)) for piece in SLICES]
    for unit in renders[1:]:
        assert schedule.done(unit, Rendered()) is None
    assert begun(schedule).video == video("short", 1)
    assert schedule.done(renders[0], Rendered()) is None
    last = begun(schedule)
    assert (last.kind, last.slices, last.decided) == ("gather", SLICES, record(long))
    assert schedule.done(last, record(long)) == record(long)
    assert schedule.next() is None


def test_slices_that_an_earlier_run_rendered_are_not_rendered_again() -> None:
    long = video("long")
    schedule = Schedule([long], largest_first=True)
    schedule.done(begun(schedule), Divided(WINDOWS, ()))
    schedule.done(begun(schedule), Decided(SLICES, SLICES[1:2], record(long)))
    unit = begun(schedule)
    assert unit.slices == SLICES[1:2]
    schedule.done(unit, Rendered())
    assert (begun(schedule).kind, schedule.next()) == ("gather", None)


def test_a_long_video_without_a_clip_is_gathered_at_once() -> None:
    long = video("long")
    schedule = Schedule([long], largest_first=True)
    schedule.done(begun(schedule), Divided(WINDOWS, ()))
    schedule.done(begun(schedule), Decided((), (), record(long)))
    assert begun(schedule).kind == "gather"


def test_windows_that_an_earlier_run_measured_are_not_measured_again() -> None:
    schedule = Schedule([video("long")], largest_first=True)
    schedule.done(begun(schedule), Divided(WINDOWS, WINDOWS[2:]))
    unit = begun(schedule)
    assert unit.windows == WINDOWS[2:]
    schedule.done(unit, Measured())
    assert begun(schedule).kind == "decide"


def test_a_video_whose_windows_are_all_there_is_decided_at_once() -> None:
    schedule = Schedule([video("long")], largest_first=True)
    schedule.done(begun(schedule), Divided(WINDOWS, ()))
    assert begun(schedule).kind == "decide"


def test_a_failed_window_ends_its_video_once_and_drops_the_rest_of_it() -> None:
    long = video("long", 100)
    schedule = Schedule([long, video("short")], largest_first=True)
    schedule.done(begun(schedule), Divided(WINDOWS, WINDOWS))
    first, second = begun(schedule), begun(schedule)
    failed = VideoRecord.failed(long, "unreadable", "made")
    assert schedule.done(first, failed) == failed
    assert schedule.done(second, Measured()) is None
    assert begun(schedule).video == video("short")
    assert schedule.next() is None


def test_a_unit_that_came_to_nothing_comes_again() -> None:
    schedule = Schedule([video("a", 2), video("b", 1)], largest_first=True)
    unit = begun(schedule)
    schedule.again(unit)
    assert begun(schedule) == unit


@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=8), workers=st.integers(1, 4), choices=st.randoms())
def test_every_video_ends_exactly_once_whatever_the_order_in_which_units_end(
    lengths: list[int], workers: int, choices: random.Random
) -> None:
    videos = [video(f"{k:02d}", size_bytes=choices.randint(1, 9)) for k in range(len(lengths))]
    schedule = Schedule(videos, largest_first=True)
    ended: list[str] = []
    flight: list[Unit] = []
    while True:
        while len(flight) < workers and (unit := schedule.next()) is not None:
            flight.append(unit)
        if not flight:
            break
        unit = flight.pop(choices.randrange(len(flight)))
        n = lengths[int(unit.video.video_id[:2])]
        windows = WINDOWS[:1] * n
        outcome: Outcome = record(unit.video)
        if unit.kind == "video" and n > 1:
            outcome = Divided(windows, windows)
        elif unit.kind == "window":
            outcome = Measured() if choices.random() < 0.8 else VideoRecord.failed(unit.video, "internal", "made")
        elif unit.kind == "decide":
            outcome = Decided(SLICES, SLICES[: choices.randint(0, 3)], record(unit.video))
        elif unit.kind == "render":
            outcome = Rendered() if choices.random() < 0.8 else VideoRecord.failed(unit.video, "internal", "made")
        done = schedule.done(unit, outcome)
        if done is not None:
            ended.append(done.video_id)
    assert sorted(ended) == [one.video_id for one in videos]


def test_what_was_probed_of_a_long_video_goes_with_its_windows_and_its_end() -> None:
    probed = VideoInfo(
        path=Path("a.mp4"),
        size_bytes=1,
        duration_s=20.0,
        n_ticks=500,
        width_px=64,
        height_px=64,
        fps=Fraction(25),
        codec="h264",
        has_audio=True,
        rotation_deg=0,
        variable_rate=False,
        time_base=Fraction(1, 25),
        first_pts=0,
        end_pts=500,
        stamps="pts",
        output_delay=0,
    )
    schedule = Schedule([video("a")], largest_first=True)
    schedule.done(begun(schedule), Divided(WINDOWS[:1], WINDOWS[:1], probed))
    window = begun(schedule)
    assert window.info is probed
    schedule.done(window, Measured())
    assert begun(schedule).info is probed
