"""The rule `generated`: all of a video or nothing, by the tags of its file."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from curation.decision.decide import RulesSettings, decide
from curation.evidence.measures import Evidence
from curation.rules.generated import GeneratedSettings, generated
from manifests.vocabulary import GeneratedTag

DROP = RulesSettings(generated=GeneratedSettings(drop="generated"))


@pytest.mark.parametrize(
    ("tags", "value"),
    [((), 0.0), (("content_credentials",), 0.0), (("gaia_avatar", "trained_algorithmic_media"), 2.0)],
)
def test_the_value_counts_the_tags_that_say_so(tags: tuple[GeneratedTag, ...], value: float) -> None:
    verdict = generated(tags, 3)
    assert verdict.value.tolist() == [value] * 3
    assert verdict.failed.tolist() == [value > 0.0] * 3


def test_tags_that_were_not_read_fail_nothing_and_have_no_value() -> None:
    verdict = generated(None, 2)
    assert np.isnan(verdict.value).all()
    assert not verdict.failed.any()


def test_a_generated_video_is_dropped_in_both_tiers_where_it_is_asked_for(
    make_evidence: Callable[..., Evidence],
) -> None:
    evidence = replace(make_evidence(200), generated_tags=("trained_algorithmic_media", "content_credentials"))
    assert decide(evidence, DROP).clips == ()
    spans = [(span.tier, span.outcome, span.first_tick, span.end_tick) for span in decide(evidence, DROP).spans]
    assert spans == [("diffusion", "generated", 0, 200), ("vae", "generated", 0, 200)]
    assert {(span.value, span.limit) for span in decide(evidence, DROP).spans} == {(1.0, 0.0)}
    as_it_is = decide(evidence, RulesSettings())
    assert as_it_is.spans == decide(make_evidence(200), RulesSettings()).spans
    assert len(as_it_is.clips) > 0


def test_a_signed_recording_is_kept(make_evidence: Callable[..., Evidence]) -> None:
    evidence = replace(make_evidence(200), generated_tags=("content_credentials",))
    assert decide(evidence, DROP).clips == decide(evidence, RulesSettings()).clips


def test_no_picture_has_to_be_looked_at_for_a_second_to_be_generated(make_evidence: Callable[..., Evidence]) -> None:
    nothing = make_evidence(200, boxes=np.full((200, 4), np.nan, np.float32))
    grid = np.arange(200) % 5 == 0
    coarse = replace(nothing, grid=grid, measured=np.zeros(200, np.bool_), generated_tags=("gaia_avatar",))
    assert {span.outcome for span in decide(coarse, DROP).spans} == {"generated"}
