import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from curation.decision.decide import Decision, RulesSettings, decide
from curation.evidence.measures import Evidence

Make = Callable[..., Evidence]


def told(decision: Decision, tier: str) -> list[tuple[int, int, str]]:
    return [(span.first_tick, span.end_tick, span.outcome) for span in decision.spans if span.tier == tier]


def planned(decision: Decision) -> list[tuple[int, int, str]]:
    return [(clip.first_tick, clip.end_tick, clip.tier) for clip in decision.clips]


def test_a_calm_speaking_face_is_one_diffusion_clip_kept_in_both_tiers(make_evidence: Make) -> None:
    decision = decide(make_evidence(100), RulesSettings())
    assert planned(decision) == [(0, 100, "diffusion")]
    assert told(decision, "diffusion") == told(decision, "vae") == [(0, 100, "kept")]
    assert decision.spans[0].clip is decision.spans[1].clip is not None


def test_a_decision_can_be_sent_to_another_process(make_evidence: Make) -> None:
    decision = decide(make_evidence(100), RulesSettings())
    sent = pickle.loads(pickle.dumps(decision))  # noqa: S301 - of our own making
    assert sent.spans == decision.spans
    assert list(sent.verdicts["vae"]) == list(decision.verdicts["vae"])
    assert "frontal" in sent.verdicts["vae"]


def test_a_tier_that_is_not_asked_for_has_no_clips_of_its_own(make_evidence: Make) -> None:
    prob = np.ones(300, np.float32)
    prob[200:] = 0.0
    evidence = replace(make_evidence(300), speech_prob=prob)
    spoken = decide(evidence, RulesSettings(), tiers=("diffusion",))
    assert planned(spoken) == [(0, 203, "diffusion")]
    assert told(spoken, "diffusion") == told(decide(evidence, RulesSettings()), "diffusion")
    assert told(spoken, "vae") == [(0, 203, "kept"), (203, 300, "not_asked")]
    shown = decide(evidence, RulesSettings(), tiers=("vae",))
    assert planned(shown) == [(0, 300, "vae")]
    assert told(shown, "diffusion") == [(0, 300, "not_asked")]
    assert told(shown, "vae") == [(0, 300, "kept")]


def test_a_silent_face_is_a_vae_clip_only(make_evidence: Make) -> None:
    evidence = replace(make_evidence(100), speech_prob=np.zeros(100, np.float32))
    decision = decide(evidence, RulesSettings())
    assert planned(decision) == [(0, 100, "vae")]
    assert told(decision, "diffusion") == [(0, 100, "silence")]
    assert decision.spans[0].value == pytest.approx(4.0)
    assert decision.spans[0].limit == pytest.approx(1.25)


def test_a_video_without_sound_is_vae_only_and_its_silence_is_not_measured(make_evidence: Make) -> None:
    decision = decide(make_evidence(100, sound=False), RulesSettings())
    assert planned(decision) == [(0, 100, "vae")]
    assert decision.spans[0].outcome == "silence"
    assert decision.spans[0].value is None


def test_the_rest_of_a_loose_run_becomes_vae_clips_where_long_enough(make_evidence: Make) -> None:
    prob = np.ones(300, np.float32)
    prob[200:] = 0.0  # speech, then 4 s of silence: 3 pad ticks are speech's
    evidence = replace(make_evidence(300), speech_prob=prob)
    decision = decide(evidence, RulesSettings())
    assert planned(decision) == [(0, 203, "diffusion"), (203, 300, "vae")]
    assert told(decision, "vae") == [(0, 203, "kept"), (203, 300, "kept")]
    assert told(decision, "diffusion") == [(0, 203, "kept"), (203, 300, "silence")]


def test_a_rest_below_three_seconds_is_too_short(make_evidence: Make) -> None:
    prob = np.ones(150, np.float32)
    prob[90:] = 0.0
    decision = decide(replace(make_evidence(150), speech_prob=prob), RulesSettings())
    assert planned(decision) == [(0, 93, "diffusion")]
    assert told(decision, "vae") == [(0, 93, "kept"), (93, 150, "too_short")]
    assert decision.spans[-1].value == pytest.approx(57 / 25)
    assert decision.spans[-1].limit == pytest.approx(3.0)


def test_74_ticks_are_too_short_and_75_are_a_clip(make_evidence: Make) -> None:
    assert planned(decide(make_evidence(74), RulesSettings())) == []
    assert planned(decide(make_evidence(75), RulesSettings())) == [(0, 75, "diffusion")]


def test_a_cut_divides_clips_and_loses_no_tick(make_evidence: Make) -> None:
    score = np.zeros(200, np.float32)
    score[100] = 1.0
    decision = decide(replace(make_evidence(200), cut_score=score), RulesSettings())
    assert planned(decision) == [(0, 100, "diffusion"), (100, 200, "diffusion")]
    assert [span.failed for span in decision.spans if span.tier == "vae"] == [(), ("cut",)]


def test_a_jump_of_the_face_at_a_cut_is_no_jitter(make_evidence: Make) -> None:
    boxes = np.tile(np.array([100, 80, 300, 280], np.float32), (200, 1))
    boxes[100:] += 60.0
    score = np.zeros(200, np.float32)
    score[100] = 1.0
    evidence = replace(make_evidence(200, boxes=boxes), cut_score=score)
    assert planned(decide(evidence, RulesSettings())) == [(0, 100, "diffusion"), (100, 200, "diffusion")]


def test_a_jump_of_the_face_within_a_shot_is_jitter(make_evidence: Make) -> None:
    boxes = np.tile(np.array([100, 80, 300, 280], np.float32), (200, 1))
    boxes[100:] += 60.0
    decision = decide(make_evidence(200, boxes=boxes), RulesSettings())
    assert told(decision, "vae") == [(0, 96, "kept"), (96, 104, "jitter"), (104, 200, "kept")]
    jolt = next(span for span in decision.spans if span.outcome == "jitter")
    assert jolt.value == pytest.approx(60 * 2**0.5 / 200)


def test_jitter_is_judged_by_the_finders_own_points_where_it_gives_them(make_evidence: Make) -> None:
    evidence = make_evidence(150)
    jumping = evidence.faces.box_px.copy()
    jumping[75:] += 40.0  # a fifth of the width
    points = np.tile(np.array([[60, 60], [20, 20], [120, 120]], np.float32), (150, 1, 1))
    calm_by_points = replace(evidence.faces, box_px=jumping, jitter_points_px=points)
    assert len(decide(replace(evidence, faces=calm_by_points), RulesSettings()).clips) == 1

    points = points.copy()
    points[75:] += 20.0  # a fifth of the rectangle's width
    calm_by_box = replace(evidence.faces, jitter_points_px=points)
    failed = decide(replace(evidence, faces=calm_by_box), RulesSettings()).spans
    assert [span.outcome for span in failed if span.tier == "vae"].count("jitter") == 1


def test_a_step_between_the_limits_leaves_a_vae_clip_around_the_diffusion_clips(make_evidence: Make) -> None:
    boxes = np.tile(np.array([100, 80, 300, 280], np.float32), (400, 1))
    boxes[150:] += np.float32(0.14 * 200 / 2**0.5)  # a step of 0.14 face widths: strict 0.12, loose 0.16
    decision = decide(make_evidence(400, boxes=boxes), RulesSettings())
    assert planned(decision) == [(0, 146, "diffusion"), (154, 400, "diffusion")]
    assert told(decision, "vae") == [(0, 146, "kept"), (146, 154, "too_short"), (154, 400, "kept")]


def test_the_first_rule_in_order_is_the_outcome_and_all_are_kept(make_evidence: Make) -> None:
    boxes = np.tile(np.array([100, 80, 160, 140], np.float32), (100, 1))  # 60 px: small
    evidence = make_evidence(100, boxes=boxes)
    evidence = replace(
        evidence,
        faces=replace(evidence.faces, mask_prob=np.ones(100, np.float32)),
        speech_prob=np.zeros(100, np.float32),
    )
    decision = decide(evidence, RulesSettings())
    assert decision.spans[0].outcome == "small_face"
    assert decision.spans[0].failed == ("small_face", "mask", "silence")
    assert decision.spans[0].value == pytest.approx(60.0)
    assert decision.spans[1].failed == ("small_face", "mask")


def test_a_bridged_miss_is_kept_with_interpolated_landmarks(make_evidence: Make) -> None:
    boxes = np.tile(np.array([100, 80, 300, 280], np.float32), (100, 1))
    boxes[51:] += np.float32(6.0)
    boxes[49:51] = np.nan
    decision = decide(make_evidence(100, boxes=boxes), RulesSettings())
    assert planned(decision) == [(0, 100, "diffusion")]
    np.testing.assert_allclose(decision.face.box_px[48:52, 0], [100, 102, 104, 106], atol=1e-4)


def test_a_longer_miss_drops_its_ticks(make_evidence: Make) -> None:
    boxes = np.tile(np.array([100, 80, 300, 280], np.float32), (200, 1))
    boxes[100:103] = np.nan
    decision = decide(make_evidence(200, boxes=boxes), RulesSettings())
    assert told(decision, "vae") == [(0, 100, "kept"), (100, 103, "no_face"), (103, 200, "kept")]


def test_undecodable_ticks_are_an_outcome_of_their_own(make_evidence: Make) -> None:
    boxes = np.tile(np.array([100, 80, 300, 280], np.float32), (200, 1))
    boxes[100:110] = np.nan
    decoded = np.ones(200, np.bool_)
    decoded[100:110] = False
    decision = decide(replace(make_evidence(200, boxes=boxes), decoded=decoded), RulesSettings())
    assert told(decision, "diffusion") == [(0, 100, "kept"), (100, 110, "undecodable"), (110, 200, "kept")]


def test_a_long_run_is_split_evenly(make_evidence: Make) -> None:
    decision = decide(make_evidence(1501), RulesSettings())
    assert planned(decision) == [(0, 500, "diffusion"), (500, 1000, "diffusion"), (1000, 1501, "diffusion")]


def test_a_video_without_any_face_is_dropped_whole(make_evidence: Make) -> None:
    decision = decide(make_evidence(100, boxes=np.full((100, 4), np.nan, np.float32)), RulesSettings())
    assert told(decision, "diffusion") == told(decision, "vae") == [(0, 100, "no_face")]
    assert decision.clips == ()


def test_spans_tile_every_tick_whatever_the_evidence(make_evidence: Make) -> None:
    rng = np.random.default_rng(7)
    for _ in range(30):
        n = int(rng.integers(1, 600))
        boxes = np.tile(np.array([100, 80, 300, 280], np.float32), (n, 1))
        boxes += np.cumsum(rng.normal(0, rng.choice([0.5, 8.0]), (n, 1)), axis=0).astype(np.float32)
        boxes[rng.random(n) < 0.03] = np.nan
        evidence = replace(
            make_evidence(n, boxes=boxes),
            cut_score=(rng.random(n) < 0.01).astype(np.float32),
            speech_prob=np.repeat(rng.random(n // 20 + 1), 20)[:n].astype(np.float32),
            decoded=rng.random(n) > 0.01,
        )
        decision = decide(evidence, RulesSettings())
        for tier in ("diffusion", "vae"):
            spans = told(decision, tier)
            assert [first for first, _, _ in spans] == [0] + [end for _, end, _ in spans[:-1]]
            assert spans[-1][1] == n
        for clip in decision.clips:
            assert 75 <= clip.end_tick - clip.first_tick <= 750
            assert evidence.decoded[clip.first_tick : clip.end_tick].all()
            assert not (evidence.cut_score[clip.first_tick + 1 : clip.end_tick] > 0).any()


def test_clip_ids_name_the_first_and_the_last_tick(make_evidence: Make) -> None:
    clip = decide(make_evidence(100), RulesSettings()).clips[0]
    assert clip.clip_id("00ff00ff00ff00ff") == "00ff00ff00ff00ff-0000000-0000099"


def test_evidence_and_decision_are_shown_in_a_line_each(make_evidence: Make) -> None:
    evidence = make_evidence(200)
    assert repr(evidence) == f"Evidence: 200 ticks (8 s), {len(evidence.faces)} faces"
    assert repr(decide(evidence, RulesSettings())) == "Decision: 2 spans; 1 clip, 8.0 s"
