"""Rules as objects: how one is made, what it refuses, and that all built-in ones are registered."""

from collections.abc import Callable

import numpy as np
import pytest

from curation.decision.decide import RulesSettings, decide
from curation.decision.judgement import all_rules
from curation.evidence.main_track import MainTrack
from curation.evidence.measures import Evidence
from curation.rules.built_in import register
from curation.rules.mask import MaskSettings
from curation.rules.rule import MeasuredVideo, Rule, RuleError, rule
from curation.rules.verdict import Verdict
from manifests.vocabulary import RULES

Make = Callable[..., Evidence]


@pytest.fixture
def video(make_evidence: Make) -> MeasuredVideo:
    evidence = make_evidence(4)
    decision = decide(evidence, RulesSettings())
    assert isinstance(decision.main, MainTrack)
    return MeasuredVideo(
        evidence=evidence, face=decision.face, main=decision.main, breaks=np.zeros(len(evidence), np.bool_)
    )


def of_values(*values: float, **options: object) -> Rule:
    return rule(words="a made value", name="made", **options)(lambda _video: np.array(values))  # type: ignore[arg-type]


def test_a_value_above_at_most_fails_in_every_tier_and_one_at_it_does_not(video: MeasuredVideo) -> None:
    verdicts = of_values(0.0, 1.0, 1.5, np.nan, at_most=1.0).verdicts(video)
    assert set(verdicts) == {"diffusion", "vae"}
    for verdict in verdicts.values():
        assert verdict.failed.tolist() == [False, False, True, False]
        assert verdict.value.dtype == np.float32
        assert verdict.limit == 1.0


def test_a_value_below_at_least_fails_and_one_that_was_not_measured_does_not(video: MeasuredVideo) -> None:
    made = of_values(0.0, 1.0, 1.5, np.nan, at_least=1.0)
    assert made.keeps == "at least"
    assert made.verdicts(video)["vae"].failed.tolist() == [True, False, False, False]


def test_limits_per_tier_hold_in_their_tier_and_a_missing_tier_is_not_judged(video: MeasuredVideo) -> None:
    both = of_values(0.0, 1.0, 2.0, 3.0, at_most={"vae": 2.0, "diffusion": 1.0}).verdicts(video)
    assert both["diffusion"].failed.tolist() == [False, False, True, True]
    assert both["vae"].failed.tolist() == [False, False, False, True]
    assert list(of_values(0.0, 0.0, 0.0, 0.0, at_most={"diffusion": 1.0}).verdicts(video)) == ["diffusion"]


def test_a_function_gives_its_name_and_a_list_of_numbers_will_do(video: MeasuredVideo) -> None:
    @rule(words="a made value", unit="px", at_most=1)
    def two_of_four(video: MeasuredVideo) -> list[int]:
        return [0, 2, 2, 0][: len(video)]

    assert two_of_four.name == "two_of_four"
    assert two_of_four.settings == {"at_most": {"diffusion": 1.0, "vae": 1.0}}
    assert two_of_four.verdicts(video)["vae"].failed.tolist() == [False, True, True, False]


@pytest.mark.parametrize("name", ["", "Wide", "two words", "9lives", "ümlaut", "a" * 41, "a\n"])
def test_a_name_that_is_no_word_in_lower_case_is_refused(name: str) -> None:
    with pytest.raises(RuleError, match="letters in lower case"):
        Rule(name=name, judge=lambda _video: {}, words="a made value")


def test_a_function_without_a_name_of_its_own_needs_one() -> None:
    with pytest.raises(RuleError, match="<lambda>"):
        rule(words="a made value", at_most=1.0)(lambda video: video.face.luma)


def test_a_rule_without_words_is_refused() -> None:
    with pytest.raises(RuleError, match="has no words"):
        Rule(name="made", judge=lambda _video: {}, words=" ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "has no limits"),
        ({"at_most": 1.0, "at_least": 0.0}, "has 2 limits"),
        ({"at_most": float("nan")}, "limit nan in tier diffusion"),
        ({"at_most": True}, "limit True"),
        ({"at_least": "1"}, "limit '1'"),
        ({"at_least": {}}, "limits for no tier"),
        ({"at_most": {"strict": 1.0}}, "limits for strict; tiers are diffusion, vae"),
        ({"at_most": {1: 2.0}}, "limits for 1; tiers are diffusion, vae"),
        ({"at_most": np.float32("inf")}, "limit .*inf"),
    ],
)
def test_a_limit_that_cannot_be_used_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(RuleError, match=message):
        of_values(0.0, **options)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros(3), r"values of shape \(3,\)"),
        (np.zeros((4, 2)), r"values of shape \(4, 2\)"),
        (0.5, r"values of shape \(\)"),
        (None, "type object"),
        (["a", "b", "c", "d"], "type <U1"),
        ([0.0, 1.0, 2.0, [3.0]], "which is no array"),
    ],
)
def test_values_of_another_shape_or_type_are_refused(video: MeasuredVideo, given: object, message: str) -> None:
    wrong = rule(words="a made value", name="made", at_most=1.0)(lambda _video: given)  # type: ignore[arg-type, return-value]
    with pytest.raises(RuleError, match=f"rule 'made' returned .*{message}"):
        wrong.verdicts(video)


def _verdict(n: int = 4, **changes: object) -> Verdict:
    parts = {"value": np.zeros(n, np.float32), "failed": np.zeros(n, np.bool_), "limit": 1.0} | changes
    return Verdict(**parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (_verdict(), "return a Verdict per tier"),
        ({"vae": np.zeros(4)}, "return a Verdict per tier"),
        ({"strict": _verdict()}, "verdict for 'strict'"),
        ({"vae": _verdict(failed=np.zeros(4))}, "failed ticks of shape .* and type float64"),
        ({"vae": _verdict(failed=np.zeros(3, np.bool_))}, r"failed ticks of shape \(3,\)"),
        ({"vae": _verdict(3, failed=np.zeros(4, np.bool_))}, r"values of shape \(3,\)"),
        ({"vae": _verdict(value=[0.0, 1.0, 2.0, [3.0]])}, "which is no array"),
        ({"vae": _verdict(failed=[True, True, True, [True]])}, "which is no array"),
        ({"vae": _verdict(limit=None)}, "limit None; return a number"),
        ({"vae": _verdict(limit="1")}, "limit '1'; return a number"),
    ],
)
def test_verdicts_of_another_kind_are_refused(video: MeasuredVideo, given: object, message: str) -> None:
    wrong = Rule(name="made", judge=lambda _video: given, words="a made value")  # type: ignore[arg-type, return-value]
    with pytest.raises(RuleError, match=message):
        wrong.verdicts(video)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"words": None}, "has no words"),
        ({"unit": None}, "has the unit None; give a text"),
        ({"keeps": "at_most"}, "keeps 'at_most'; give 'at most' or 'at least'"),
        ({"settings": None}, "settings that are no mapping: None"),
    ],
)
def test_a_description_of_another_kind_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(RuleError, match=message):
        Rule(**({"name": "made", "judge": lambda _video: {}, "words": "a made value"} | options))  # type: ignore[arg-type]


def test_a_limit_may_be_a_number_of_numpy() -> None:
    assert of_values(0.0, at_most=np.float32(0.5)).settings == {"at_most": {"diffusion": 0.5, "vae": 0.5}}


def test_a_boundary_is_among_the_recorded_settings() -> None:
    assert of_values(0.0, at_most=1.0, boundary=True).settings["boundary"] is True
    assert "boundary" not in of_values(0.0, at_most=1.0).settings


def test_a_rule_that_raises_is_named_with_the_line(video: MeasuredVideo) -> None:
    @rule(words="a made value", at_most=1.0)
    def broken(video: MeasuredVideo) -> float:
        return 1.0 / (len(video) - 4)

    with pytest.raises(
        RuleError, match=r"rule 'broken' raised ZeroDivisionError: .* in .*test_rule\.py, line \d+"
    ) as caught:
        broken.verdicts(video)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_all_built_in_rules_are_registered_in_their_order_with_words() -> None:
    rules = all_rules(RulesSettings())
    assert tuple(rule.name for rule in rules) == RULES
    assert len({rule.words for rule in rules}) == len(RULES)
    assert [rule.name for rule in rules if rule.boundary] == ["cut"]
    at_least = [rule.name for rule in rules if rule.keeps == "at least"]
    assert at_least == ["small_face", "still_face", "not_speaking", "sync", "too_short"]


def test_a_second_rule_of_one_name_is_not_registered() -> None:
    with pytest.raises(ValueError, match="a rule mask already"):
        register(name="mask", settings=MaskSettings, words="another")(lambda _video, _settings: {})
