"""Deadlines, attempts and blame, without a pool."""

import dataclasses
from pathlib import Path

import pytest

from curation.decision.decide import ClipPlan
from curation.engine.supervision import Blame, Loss, PoolSettings, last_words, leave_last_words
from curation.engine.units import Unit
from curation.rendering.slices import Slice
from curation.sources.entries import SourceVideo
from manifests.timeline import Window

VIDEO = SourceVideo(path=Path("a.mp4"), video_id="a" * 16, source="made", speaker_id=None, size_bytes=1)
WINDOWS = tuple(Window(first_tick=k, end_tick=k + 250) for k in (0, 250, 500))
SLICES = (
    Slice((ClipPlan(first_tick=0, end_tick=100, tier="vae"), ClipPlan(first_tick=400, end_tick=500, tier="vae"))),
    Slice((ClipPlan(first_tick=600, end_tick=700, tier="vae"),)),
)
DEATH = Loss("worker_died", "made by the test")


@pytest.mark.parametrize(
    ("unit", "expected_s"),
    [
        (Unit(video=VIDEO), 10 + 2 * 180),
        (Unit(video=VIDEO, kind="window", windows=WINDOWS[:1]), 10 + 2 * 10),
        (Unit(video=VIDEO, kind="decide", windows=WINDOWS), 10 + 2 * 30),
        (Unit(video=VIDEO, kind="render", slices=SLICES[:1]), 10 + 2 * 20),
        (Unit(video=VIDEO, kind="gather", windows=WINDOWS, slices=SLICES), 10 + 2 * (30 + 24)),
    ],
)
def test_a_deadline_grows_with_the_length_that_the_unit_may_have(unit: Unit, expected_s: float) -> None:
    settings = PoolSettings(deadline_base_s=10.0, deadline_per_s=2.0)
    assert settings.deadline_s(unit, window_s=180.0) == expected_s


def test_a_file_may_take_the_longer_to_open_the_larger_it_is() -> None:
    settings = PoolSettings(deadline_base_s=10.0, slowest_mb_per_s=2.0)
    assert settings.opening_s(size_bytes=600_000_000) == 10 + 300


def test_the_driver_does_not_give_up_on_a_file_that_the_worker_may_still_open() -> None:
    large = Unit(video=dataclasses.replace(VIDEO, size_bytes=10**10))
    assert PoolSettings(deadline_base_s=10.0, deadline_per_s=2.0).deadline_s(large, window_s=180.0) == 10 + 10_000


def test_last_words_are_read_once(tmp_path: Path) -> None:
    loss = Loss("timed_out", "made by the test")
    leave_last_words(tmp_path, "a", loss)
    assert last_words(tmp_path, "b") is None
    assert last_words(tmp_path, "a") == loss
    assert last_words(tmp_path, "a") is None
    assert not list((tmp_path / "ledger").iterdir())


def test_the_third_loss_quarantines_with_the_code_and_the_command_that_repeats_it(tmp_path: Path) -> None:
    blame = Blame(tmp_path, max_attempts=3)
    unit = Unit(video=VIDEO)
    assert [blame.verdict(unit, DEATH), blame.verdict(unit, DEATH)] == [None, None]
    record = blame.verdict(unit, DEATH)
    assert record is not None
    assert (record.status, record.error_code) == ("quarantined", "worker_died")
    assert record.error_detail is not None
    assert f"gaia-curate retry {tmp_path} --video {'a' * 16} --executor inline" in record.error_detail


def test_windows_and_slices_of_one_video_are_blamed_apart(tmp_path: Path) -> None:
    blame = Blame(tmp_path, max_attempts=2)
    units = [Unit(video=VIDEO, kind="window", windows=(window,)) for window in WINDOWS]
    units += [Unit(video=VIDEO, kind="render", slices=(piece,)) for piece in SLICES]
    units += [Unit(video=VIDEO, kind="decide", windows=WINDOWS), Unit(video=VIDEO, kind="gather", slices=SLICES)]
    assert [blame.verdict(unit, DEATH) for unit in units] == [None] * 7
    assert blame.verdict(units[1], DEATH) is not None


def test_a_unit_that_ended_well_is_blamed_for_nothing_of_before(tmp_path: Path) -> None:
    blame = Blame(tmp_path, max_attempts=2)
    unit = Unit(video=VIDEO)
    assert blame.verdict(unit, DEATH) is None
    blame.settled(unit)
    assert blame.verdict(unit, DEATH) is None
