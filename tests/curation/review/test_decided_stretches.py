from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np

from curation.review.criteria import Criterion, criteria_of
from curation.review.decided_stretches import SpanRow, Stretch, stretches_of
from curation.review.sampling import drawn, nearest, strata_of
from curation.rules.verdict import Verdict
from curation.settings import CurationSettings, load_settings
from manifests.rule_record import RuleRecord

FRONTAL = RuleRecord(name="frontal", words="deviation", unit="deg", keeps="at most", own=False)
OWN = RuleRecord(name="wide_mouth", words="opening", unit="", keeps="at least", own=True)

(STRICT, LOOSE) = criteria_of(CurationSettings(), [FRONTAL], {})


def span(first: int, end: int, outcome: str, value: float | None = None) -> SpanRow:
    limit = None if outcome == "kept" else 35.0
    return SpanRow(
        ticks=(first, end), outcome=outcome, value=value, limit=limit, failed=(), on_grid=False, clip_id=None
    )


def verdict(values: np.ndarray) -> Verdict:
    return Verdict(value=values.astype(np.float32), failed=values > 35.0, limit=35.0)


def stretch(number: int, value: float | None, *, dropped: bool) -> Stretch:
    return Stretch(
        criterion=STRICT.key,
        video_id=f"{number:016x}",
        ticks=(0, 50),
        worst_tick=25,
        value=value,
        limit=35.0,
        dropped=dropped,
        on_grid=False,
        clip_id=None,
    )


def test_each_tier_has_the_limit_of_its_own_setting() -> None:
    assert [(one.key, one.setting, one.limit) for one in (STRICT, LOOSE)] == [
        ("frontal.diffusion", "rules.frontal.strict_deg", 35.0),
        ("frontal.vae", "rules.frontal.loose_deg", 45.0),
    ]
    one_tier = load_settings(CurationSettings(), None, ["tiers=[diffusion]"])
    assert [one.key for one in criteria_of(one_tier, [FRONTAL], {})] == ["frontal.diffusion"]


def test_a_rule_of_the_users_own_has_the_limit_that_its_spans_tell() -> None:
    (strict, loose) = criteria_of(CurationSettings(), [OWN], {("wide_mouth", "vae"): 0.2})
    assert (strict.limit, loose.limit, loose.setting, loose.adjustable) == (None, 0.2, None, False)


def test_what_a_rule_dropped_and_what_is_kept_are_stretches_of_4_s_at_most() -> None:
    values = np.full(400, 10.0)
    values[120] = 34.0  # the worst of the second kept stretch
    values[250:300] = 40.0
    values[270] = 50.0
    spans = [span(0, 250, "kept"), span(250, 300, "frontal", 50.0), span(300, 400, "silence")]
    found = list(stretches_of("v", STRICT, spans, verdict(values)))
    assert [(one.ticks, one.value, one.dropped) for one in found] == [
        ((0, 83), 10.0, False),
        ((83, 166), 34.0, False),
        ((166, 250), 10.0, False),
        ((250, 300), 50.0, True),
    ]
    assert (found[1].worst_tick, found[3].worst_tick) == (120, 270)
    assert all(first.ticks[1] == second.ticks[0] for first, second in pairwise(found))


def test_the_margin_that_a_rule_drops_has_the_value_of_its_span() -> None:
    values = np.full(200, 20.0)
    values[:20] = 60.0
    found = list(stretches_of("v", STRICT, [span(0, 200, "frontal", 60.0)], verdict(values)))
    assert [(one.ticks, one.value) for one in found] == [((0, 100), 60.0), ((100, 200), 60.0)]


def test_a_kept_stretch_has_a_value_within_the_limit() -> None:
    values = np.full(50, 20.0)
    values[10] = 80.0  # forgiven, as a single tick may be
    (kept,) = stretches_of("v", STRICT, [span(0, 50, "kept")], verdict(values))
    assert kept.value == 20.0


def test_without_values_only_what_was_dropped_is_a_stretch() -> None:
    own = Criterion(
        rule="frontal", tier="vae", setting=None, limit=35.0, words="w", unit="", at_most=True, boundary=False, own=True
    )
    found = list(stretches_of("v", own, [span(0, 40, "kept"), span(40, 60, "frontal", 41.0)], None))
    assert [(one.ticks, one.value, one.dropped) for one in found] == [((40, 60), 41.0, True)]


def test_strata_divide_each_decision_by_its_distance_to_the_limit() -> None:
    members = [stretch(i, 35.5 + i, dropped=True) for i in range(20)] + [stretch(30, 34.0, dropped=False)]
    members.append(stretch(31, None, dropped=True))
    strata = strata_of(STRICT, members)
    assert strata.population == {
        "dropped, near": 2,
        "dropped, middle": 6,
        "dropped, far": 12,
        "dropped, no value": 1,
        "kept, near": 1,
    }
    assert [one.value for one in strata.members["dropped, near"]] == [35.5, 36.5]


def test_the_nearest_are_of_several_videos() -> None:
    members = [stretch(7, 36.0 + i / 10, dropped=True) for i in range(5)] + [stretch(8, 39.0, dropped=True)]
    found = nearest(strata_of(STRICT, members), 3)
    assert [one.stretch.value for one in found] == [36.0, 36.1, 39.0]


def test_a_draw_is_the_same_again_and_takes_from_every_stratum_alike() -> None:
    members = [stretch(i, 36.0 + i, dropped=True) for i in range(100)]
    members += [stretch(200 + i, 34.0 - i / 10, dropped=False) for i in range(100)]
    strata = [strata_of(STRICT, members)]
    first, again, other = (drawn(strata, 30, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert Counter(one.stratum for one in first) == {
        f"{decision}, {name}": 5 for decision in ("dropped", "kept") for name in ("near", "middle", "far")
    }
    assert len(drawn(strata, 1000, 1)) == 200


def test_a_draw_of_fewer_samples_than_limits_is_not_always_of_the_first_rules() -> None:
    criteria = [replace(STRICT, rule=f"rule_{number}") for number in range(12)]
    strata = [strata_of(one, [replace(stretch(1, 36.0, dropped=True), criterion=one.key)]) for one in criteria]
    first = {one.stretch.criterion for seed in range(6) for one in drawn(strata, 2, seed)}
    assert len(first) > 6
