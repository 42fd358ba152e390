"""From looks to figures: hand-counted ratios, intervals, and what binds."""

import itertools
import math
from dataclasses import replace

import pytest

from curation.operations.forecast import Estimate, Look, Machine, forecast

MACHINE = Machine(
    workers=2, pool=False, cores=4, free_memory_bytes=16e9, free_disk_bytes=1e12, load_s=7.0, window_s=180.0
)


def look(size: int, duration_s: float, kept: float = 0.5) -> Look:
    """20 s at most are seen; a second takes half a second, 1000 bytes of disk; half of it is kept unless said."""
    seen_s = min(20.0, duration_s)
    return Look(
        size_bytes=size,
        duration_s=duration_s,
        seen_s=seen_s,
        kept_vae_s=kept * seen_s,
        disk_bytes=1000 * seen_s,
        work_s=0.5 * seen_s,
        peak_bytes=1e9,
    )


def test_what_was_seen_is_known_and_the_rest_goes_by_bytes_and_by_length() -> None:
    # 10 bytes a second: 3000 bytes more are 300 s; 40 of all 460 s were seen
    told = forecast([look(1000, 100.0, kept=1.0), look(600, 60.0, kept=0.0)], [1000, 2000], MACHINE)
    assert told.duration_s.expected == pytest.approx(460.0)
    assert told.seen_s == 40.0
    # of what was not seen, 100 s of 160 s are kept like the first look: rates weigh by length
    assert told.kept_s["vae"].expected == pytest.approx(20.0 + 420.0 * 100 / 160)
    assert told.disk_bytes.expected == pytest.approx(460_000.0)
    assert told.wall_s.expected == pytest.approx(7.0 + 460.0 * 0.5 / 2)


def test_nothing_is_uncertain_where_all_was_seen() -> None:
    told = forecast([look(1000, 10.0), look(50, 20.0)], [], MACHINE)
    assert told.duration_s == Estimate(30.0, 30.0, 30.0)
    assert told.kept_s["vae"] == Estimate(15.0, 15.0, 15.0)
    assert told.kept_s["diffusion"] == Estimate(0.0, 0.0, 0.0)


def test_intervals_hold_the_figure_and_shrink_with_more_looks() -> None:
    different = [look(1000, 60.0, kept=0.1), look(1000, 140.0, kept=0.9), look(1000, 90.0), look(1000, 120.0, kept=0.3)]
    widths = []
    for times in (1, 4, 16):
        told = forecast(different * times, [1000] * 1000, MACHINE)
        for figure in (told.duration_s, told.kept_s["vae"], told.disk_bytes, told.wall_s):
            assert figure.low < figure.expected < figure.high
        widths.append([(f.high - f.low) / f.expected for f in (told.duration_s, told.kept_s["vae"])])
    for few, more in itertools.pairwise(widths):
        assert all(narrow < 0.7 * wide for wide, narrow in zip(few, more, strict=True))


def test_a_single_look_tells_no_interval_of_what_it_has_not_seen() -> None:
    told = forecast([look(1000, 100.0)], [], MACHINE)
    assert told.duration_s == Estimate(100.0, 100.0, 100.0)
    assert told.kept_s["vae"].expected == pytest.approx(50.0)
    assert all(math.isnan(f.low) and math.isnan(f.high) for f in (*told.kept_s.values(), told.disk_bytes, told.wall_s))
    assert math.isnan(forecast([look(1000, 10.0)], [1000], MACHINE).duration_s.high)


def test_nothing_kept_in_any_look_is_no_proof_that_nothing_is() -> None:
    told = forecast([look(1000, 100.0, kept=0.0)] * 5, [1000] * 95, MACHINE)
    # of five looks, none shows a share of 37 % once in ten: 0.631 ** 5 = 0.1
    assert told.kept_s["vae"].high == pytest.approx((10_000.0 - 100.0) * 0.369, rel=1e-3)
    assert (told.kept_s["vae"].low, told.kept_s["vae"].expected) == (0.0, 0.0)


def test_videos_that_cannot_be_curated_lessen_what_the_others_are_thought_to_hold() -> None:
    told = forecast([look(1000, 100.0), Look(size_bytes=1000)], [2000], MACHINE)
    assert told.duration_s.expected == pytest.approx(200.0)


@pytest.mark.parametrize(
    ("machine", "resource", "said"),
    [
        (replace(MACHINE, free_disk_bytes=1e5), "disk", "0.00 GB are free"),
        (replace(MACHINE, free_memory_bytes=1.5e9), "memory", "enough for 1 worker"),
        (replace(MACHINE, workers=4), "processor cores", "all 4 are busy"),
        (MACHINE, "time", "2 of 4 cores are busy; --workers 4 fits in memory"),
        (replace(MACHINE, free_memory_bytes=3.9e9), "time", "--workers 3 fits in memory"),
        (replace(MACHINE, cores=None, workers=64, free_memory_bytes=1.0), "time", "were not looked at"),
    ],
)
def test_the_resource_that_binds_is_named(machine: Machine, resource: str, said: str) -> None:
    told = forecast([look(1000, 100.0)] * 5, [1000] * 5, machine)
    assert told.binds.startswith(f"{resource}: ")
    assert said in told.binds


def test_long_videos_take_memory_with_their_length() -> None:
    short = forecast([look(1000, 20.0)] * 5, [1000] * 5, MACHINE)
    long = forecast([look(1000, 20.0)] * 5, [1000] * 5 + [180_000], MACHINE)
    assert short.memory_bytes.expected == pytest.approx(2e9)
    # one of 3600 s, 3580 s more than what was seen, 25 ticks a second, in either worker: up to the length of a window
    # 10 KiB a tick, beyond it 2
    assert long.memory_bytes.expected == pytest.approx(2e9 + 2 * 25 * (160 * 10_240 + 3420 * 2048))


def test_no_more_workers_are_busy_than_there_are_units() -> None:
    machine = replace(MACHINE, workers=4)
    assert forecast([look(1000, 20.0)], [], machine).wall_s.expected == pytest.approx(7.0 + 10.0)
    # 3600 s are twenty windows of 180 s, for all four
    told = forecast([look(1000, 3600.0)], [], machine)
    assert told.wall_s.expected == pytest.approx(7.0 + 3600.0 * 0.5 / 4)


def test_intervals_of_two_looks_are_as_wide_as_students_t_asks() -> None:
    told = forecast([look(1000, 90.0), look(1000, 110.0)], [10_000], MACHINE)
    # a quarter of the draws is twice the first look, 0.09 s a byte, another quarter twice the second: 900 s and 1100 s;
    # widened by sqrt(2 / 1) and by t(0.9, 1) = 3.0777 over the normal 1.2816
    assert told.duration_s.expected == pytest.approx(1200.0)
    assert told.duration_s.high - told.duration_s.expected == pytest.approx(100 * 2**0.5 * 3.0777 / 1.2816, rel=1e-3)
    assert told.duration_s.low == pytest.approx(2400.0 - told.duration_s.high)
