"""Deadlines and attempts, without a pool."""

import dataclasses
from pathlib import Path

import pytest
from helpers.made_units import INFO

from curation.decision.decide import ClipPlan
from curation.engine.supervision import Attempts, Loss, PoolSettings, take_exit_note, write_exit_note
from curation.engine.units import AnalyzeVideo, DecideVideo, GatherVideo, MeasureWindow, RenderSlice, Unit
from curation.output.ledger import VideoRecord
from curation.rendering.slices import Slice
from curation.sources.entries import SourceVideo
from manifests.timeline import Window

VIDEO = SourceVideo(path=Path("a.mp4"), video_id="a" * 16, source="made", speaker_id=None, size_bytes=1_000_000)
WINDOWS = tuple(Window(first_tick=k, end_tick=k + 250) for k in (0, 250, 500))
SLICES = (
    Slice((ClipPlan(first_tick=0, end_tick=100, tier="vae"), ClipPlan(first_tick=400, end_tick=500, tier="vae"))),
    Slice((ClipPlan(first_tick=600, end_tick=700, tier="vae"),)),
)
RECORD = VideoRecord(video_id=VIDEO.video_id, source="", path="a", speaker_id=None, size_bytes=1, status="ok")
DECIDE = DecideVideo(video=VIDEO, windows=WINDOWS, info=INFO)
GATHER = GatherVideo(video=VIDEO, windows=WINDOWS, slices=SLICES, decided=RECORD)
DEATH = Loss("worker_died", "made by the test")


@pytest.mark.parametrize(
    ("unit", "expected_s"),
    [
        (AnalyzeVideo(video=VIDEO), 10 + 1),  # a MB to read; its length is not known
        (MeasureWindow(video=VIDEO, window=WINDOWS[0], info=INFO), 10 + 2 * 10),
        (DECIDE, 10 + 2 * 30),
        (RenderSlice(video=VIDEO, piece=SLICES[0], info=INFO), 10 + 2 * 20),
        (GATHER, 10 + 2 * (30 + 24)),
    ],
)
def test_a_deadline_grows_with_the_length_that_the_unit_may_have(unit: Unit, expected_s: float) -> None:
    settings = PoolSettings(deadline_base_s=10.0, deadline_per_s=2.0)
    assert settings.deadline_s(unit) == expected_s


def test_a_video_of_a_length_that_its_worker_tells_gets_the_time_for_that_length() -> None:
    settings = PoolSettings(deadline_base_s=10.0, deadline_per_s=2.0)
    assert settings.deadline_s(AnalyzeVideo(video=VIDEO), 7.0) == 10 + 2 * 7


def test_a_length_that_is_claimed_buys_no_more_time_than_the_size_of_the_file() -> None:
    settings = PoolSettings(deadline_base_s=10.0, deadline_per_s=2.0, fewest_bytes_per_s=100.0)
    small = dataclasses.replace(VIDEO, size_bytes=2_000)  # 20 s
    days = tuple(Window(first_tick=k * 90_000, end_tick=(k + 1) * 90_000) for k in range(48))
    assert settings.deadline_s(AnalyzeVideo(video=small), 86_400.0) == 10 + 2 * 20
    assert settings.deadline_s(MeasureWindow(video=small, window=days[0], info=INFO)) == 10 + 2 * 20
    assert settings.deadline_s(DecideVideo(video=small, windows=days, info=INFO)) == 10 + 2 * 20
    assert settings.deadline_s(AnalyzeVideo(video=small), 12.0) == 10 + 2 * 12


@pytest.mark.parametrize(
    ("what", "size_bytes", "length_s"),
    [
        ("a screen that stands still, 1280x720, 25 a second, H.264 with one key frame", 2_100_000, 3600.0),
        ("slides, one a minute, 1280x720, without sound", 5_100_000, 3600.0),
        ("speech alone as Opus at 6 kbit/s, with one picture", 2_700_000, 3600.0),
    ],
)
def test_files_of_the_lowest_rates_that_are_recorded_have_all_of_their_time(
    what: str, size_bytes: int, length_s: float
) -> None:
    settings = PoolSettings()
    assert settings.for_length_s(length_s, size_bytes) == 120 + 20 * length_s, what


def test_a_file_may_take_the_longer_to_open_the_larger_it_is() -> None:
    settings = PoolSettings(deadline_base_s=10.0, slowest_mb_per_s=2.0)
    assert settings.opening_s(size_bytes=600_000_000) == 10 + 300


def test_the_driver_does_not_give_up_on_a_file_that_the_worker_may_still_open() -> None:
    large = AnalyzeVideo(video=dataclasses.replace(VIDEO, size_bytes=10**10))
    assert PoolSettings(deadline_base_s=10.0, deadline_per_s=2.0).deadline_s(large) == 10 + 10_000


def test_an_exit_note_is_read_once(tmp_path: Path) -> None:
    loss = Loss("timed_out", "made by the test")
    write_exit_note(tmp_path, "a", loss)
    assert take_exit_note(tmp_path, "b") is None
    assert take_exit_note(tmp_path, "a") == loss
    assert take_exit_note(tmp_path, "a") is None
    assert not list((tmp_path / "ledger").iterdir())


def test_the_third_loss_quarantines_with_the_code_and_the_command_that_repeats_it(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path, max_attempts=3)
    unit = AnalyzeVideo(video=VIDEO)
    assert [attempts.verdict(unit, DEATH), attempts.verdict(unit, DEATH)] == [None, None]
    record = attempts.verdict(unit, DEATH)
    assert record is not None
    assert (record.status, record.error_code) == ("quarantined", "worker_died")
    assert record.error_detail is not None
    assert f"gaia-curate retry {tmp_path} --video {'a' * 16} --executor inline" in record.error_detail


def test_attempts_at_windows_and_slices_of_one_video_are_counted_apart(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path, max_attempts=2)
    units: list[Unit] = [MeasureWindow(video=VIDEO, window=window, info=INFO) for window in WINDOWS]
    units += [RenderSlice(video=VIDEO, piece=piece, info=INFO) for piece in SLICES]
    units += [DECIDE, GATHER]
    assert [attempts.verdict(unit, DEATH) for unit in units] == [None] * 7
    assert attempts.verdict(units[1], DEATH) is not None


def test_losses_before_a_unit_ended_well_do_not_count(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path, max_attempts=2)
    unit = AnalyzeVideo(video=VIDEO)
    assert attempts.verdict(unit, DEATH) is None
    attempts.done(unit)
    assert attempts.verdict(unit, DEATH) is None
