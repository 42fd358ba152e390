"""Groups between anchors that fail: no clip fits there, so that what they show changes no core."""

import numpy as np
import pytest

from curation.decision.grid import GridLook, cores
from curation.decision.settings import RulesSettings
from curation.decision.sparse_grid import Anchors, counted
from curation.evidence.measures import GRID_TICKS
from foundation.array_types import BoolArray, Int64Array


def rules_of(bridge_ticks: int = 2, min_s: float = 3.0) -> RulesSettings:
    return RulesSettings.model_validate({"no_face": {"bridge_ticks": bridge_ticks}, "too_short": {"min_s": min_s}})


def core_of(tick: Int64Array, fails: BoolArray, rules: RulesSettings) -> BoolArray:
    value = np.zeros(len(tick), dtype=np.float32)
    return cores(GridLook(tick=tick, reason=np.where(fails, 0, -1), value=value), 1000, rules, margin=20)


def test_a_period_is_as_long_as_a_clip_of_three_seconds() -> None:
    anchors = Anchors.of(rules_of())
    assert (anchors.period_groups, anchors.n_groups) == (15, 2)
    assert anchors.place(74) == (0, 14)
    assert anchors.place(75) == (1, 0)
    # the latest first anchor and the earliest last one before it: 73 ticks between them
    assert anchors.period_groups * GRID_TICKS + GRID_TICKS - 1 - GRID_TICKS - 1 == 73
    assert rules_of().too_short.min_ticks == 75


@pytest.mark.parametrize(("bridge_ticks", "min_s"), [(2, 3.0), (0, 1.0), (7, 3.0), (12, 5.0)])
def test_what_does_not_count_changes_no_core(bridge_ticks: int, min_s: float) -> None:
    rules = rules_of(bridge_ticks, min_s)
    random, left_out = np.random.default_rng(0), 0
    for _ in range(60):
        present = np.flatnonzero(random.random(200) < 0.97)  # a group without a new picture has no grid tick
        tick = present * GRID_TICKS + random.integers(0, GRID_TICKS, len(present))
        chance = np.repeat(random.choice([0.02, 0.5, 0.97, 1.0], 25), 8)[present]
        fails = random.random(len(present)) < chance
        kept = counted(tick, fails, rules)
        assert np.array_equal(core_of(tick, fails, rules), core_of(tick[kept], fails[kept], rules))
        assert counted(tick[kept], fails[kept], rules).all()
        left_out += np.count_nonzero(~kept)
    assert left_out > 100


def test_groups_count_unless_all_anchors_on_both_sides_fail() -> None:
    tick = np.arange(0, 45) * GRID_TICKS  # three periods
    fails = np.ones(45, dtype=np.bool_)
    n_of_two_periods = 2 * 13
    assert np.count_nonzero(~counted(tick, fails, rules_of())) == n_of_two_periods
    fails[16] = False  # the second anchor of the second period
    assert counted(tick, fails, rules_of()).all()
