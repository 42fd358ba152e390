"""Rules of the user's own among the built-in ones."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from curation.decision.decide import Decision, RulesSettings, decide
from curation.decision.trial import require_usable
from curation.evidence.measures import Evidence
from curation.rules.rule import MeasuredVideo, Rule, RuleError, rule
from curation.rules.verdict import Verdict
from manifests.landmarks import landmark_scheme
from manifests.vocabulary import OUTCOMES

Make = Callable[..., Evidence]
SCHEME = landmark_scheme("mediapipe478")


def on_ticks(first: int, end: int, name: str = "made", *, boundary: bool = False, at_most: object = 0.5) -> Rule:
    """Return a rule whose value is 1 on ticks ``[first, end)``, and 0 on others."""

    def value(video: MeasuredVideo) -> np.ndarray:
        ticks = np.arange(len(video))
        return ((ticks >= first) & (ticks < end)).astype(float)

    return rule(words="a made value", name=name, boundary=boundary, at_most=at_most)(value)  # type: ignore[arg-type]


def outcomes(decision: Decision, tier: str) -> list[tuple[int, int, str]]:
    return [(span.first_tick, span.end_tick, span.outcome) for span in decision.spans if span.tier == tier]


def clips(decision: Decision) -> list[tuple[int, int, str]]:
    return [(clip.first_tick, clip.end_tick, clip.tier) for clip in decision.clips]


def test_ticks_that_fail_are_dropped_under_the_rules_name_with_its_worst_value_and_limit(make_evidence: Make) -> None:
    decision = decide(make_evidence(200), RulesSettings(), [on_ticks(100, 110)])
    expected = [(0, 100, "kept"), (100, 110, "made"), (110, 200, "kept")]
    assert outcomes(decision, "diffusion") == outcomes(decision, "vae") == expected
    span = decision.spans[1]
    assert (span.value, span.limit, span.failed) == (1.0, 0.5, ("made",))
    assert clips(decision) == [(0, 100, "diffusion"), (110, 200, "diffusion")]


def test_a_rule_that_fails_nothing_changes_nothing(make_evidence: Make) -> None:
    evidence = replace(make_evidence(300), speech_prob=np.repeat([1.0, 0.0], 150).astype(np.float32))
    assert decide(evidence, RulesSettings(), [on_ticks(0, 0)]).spans == decide(evidence, RulesSettings()).spans


def test_a_limit_for_one_tier_leaves_the_other_as_it_is(make_evidence: Make) -> None:
    decision = decide(make_evidence(200), RulesSettings(), [on_ticks(100, 110, at_most={"diffusion": 0.5})])
    assert [name for _, _, name in outcomes(decision, "diffusion")] == ["kept", "made", "kept"]
    assert "made" not in [name for _, _, name in outcomes(decision, "vae")]


def test_own_rules_come_after_silence_and_before_too_short_in_the_order_given(make_evidence: Make) -> None:
    evidence = replace(make_evidence(100), speech_prob=np.zeros(100, np.float32))
    rules = [on_ticks(0, 50, "second"), on_ticks(0, 40, "first")]
    spans = decide(evidence, RulesSettings(), rules).spans
    assert [(span.outcome, span.failed) for span in spans if span.tier == "diffusion"] == [
        ("silence", ("silence", "second", "first"))
    ]
    assert [(span.outcome, span.failed) for span in spans if span.tier == "vae"] == [
        ("second", ("second", "first")),
        ("too_short", ("too_short",)),
    ]


def test_the_lowest_value_decides_where_a_rule_keeps_high_ones(make_evidence: Make) -> None:
    falling = rule(words="a made value", name="falling", at_least=0.0)(lambda video: -np.arange(len(video)))
    decision = decide(make_evidence(100), RulesSettings(), [falling])
    (span,) = [span for span in decision.spans if span.outcome == "falling" and span.tier == "vae"]
    assert (span.first_tick, span.end_tick, span.value) == (1, 100, -99.0)


def test_a_boundary_divides_clips_and_loses_no_tick(make_evidence: Make) -> None:
    decision = decide(make_evidence(200), RulesSettings(), [on_ticks(100, 101, boundary=True)])
    assert clips(decision) == [(0, 100, "diffusion"), (100, 200, "diffusion")]
    assert [span.failed for span in decision.spans if span.tier == "vae"] == [(), ("made",)]


def test_a_boundary_of_one_tier_divides_the_clips_of_that_tier(make_evidence: Make) -> None:
    evidence = make_evidence(200)
    strict = on_ticks(100, 101, boundary=True, at_most={"diffusion": 0.5})
    assert clips(decide(evidence, RulesSettings(), [strict])) == [(0, 100, "diffusion"), (100, 200, "diffusion")]
    silent = replace(evidence, speech_prob=np.zeros(200, np.float32))
    assert clips(decide(silent, RulesSettings(), [strict])) == [(0, 200, "vae")]


def test_a_rule_reads_the_main_face_and_where_it_changes(make_evidence: Make) -> None:
    seen: list[MeasuredVideo] = []

    def judge(video: MeasuredVideo) -> dict[str, Verdict]:
        seen.append(video)
        return {}

    score = np.zeros(100, np.float32)
    score[50] = 1.0
    decision = decide(
        replace(make_evidence(100), cut_score=score),
        RulesSettings(),
        [Rule(name="looks", judge=judge, words="none")],  # type: ignore[arg-type]
    )
    (video,) = seen
    assert video.face is decision.face
    assert np.flatnonzero(video.breaks).tolist() == [50]
    assert len(video) == 100


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_name_of_a_built_in_outcome_is_refused(make_evidence: Make, name: str) -> None:
    with pytest.raises(RuleError, match=f"{name!r}, as is a built-in outcome"):
        decide(make_evidence(10), RulesSettings(), [on_ticks(0, 1, name)])


def test_two_rules_of_one_name_are_refused(make_evidence: Make) -> None:
    with pytest.raises(RuleError, match="two rules are called 'made'"):
        decide(make_evidence(10), RulesSettings(), [on_ticks(0, 1), on_ticks(2, 3)])


def test_a_function_in_place_of_a_rule_is_refused(make_evidence: Make) -> None:
    with pytest.raises(RuleError, match=r"is no rule; make one with `curation\.rule`"):
        decide(make_evidence(10), RulesSettings(), [lambda video: video.face.luma])  # type: ignore[list-item]


def test_an_iterator_or_a_single_rule_is_refused(make_evidence: Make) -> None:
    for given in (iter([on_ticks(0, 1)]), on_ticks(0, 1)):
        with pytest.raises(RuleError, match="give a list of rules"):
            decide(make_evidence(10), RulesSettings(), given)  # type: ignore[arg-type]
        with pytest.raises(RuleError, match="give a list of rules"):
            require_usable(given, SCHEME)  # type: ignore[arg-type]


def test_a_rule_is_tried_on_a_video_without_a_face_and_sound() -> None:
    loud = rule(words="level", name="loud", at_most=-3.0)(lambda video: video.evidence.loudness_dbfs + 1.0)  # type: ignore[operator]
    with pytest.raises(RuleError, match=r"'loud' raised TypeError: .*without a face and without sound"):
        require_usable([loud], SCHEME)


def test_a_rule_that_reads_any_measure_of_the_main_face_passes_the_trial() -> None:
    def judge(video: MeasuredVideo) -> np.ndarray:
        upper_lip = video.face.landmarks_px[:, 13, 1]
        return upper_lip - video.face.pose_deg[:, 0] + video.face.key_points_px[:, 8, 1] + video.face.luma

    require_usable([rule(words="a made value", name="made", at_most=1.0)(judge)], SCHEME)


def test_without_rules_there_is_nothing_to_try() -> None:
    require_usable([], SCHEME)
