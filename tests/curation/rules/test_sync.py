"""The rule `sync` on made scores: a peak of known height over a known number of ticks has a known z."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from curation.decision.decide import Decision, RulesSettings, decide
from curation.evidence.measures import Evidence
from curation.output.frame_rows import evidence_of_frames, frames_table
from curation.rules.sync import SyncSettings
from manifests.landmarks import landmark_scheme

Make = Callable[..., Evidence]


@pytest.fixture(name="make_evidence")
def _make_evidence(make_evidence: Make) -> Make:
    """A face that is a little elsewhere on every tick, as in real pictures."""

    def make(n: int, **how: np.ndarray) -> Evidence:
        evidence = make_evidence(n, **how)
        drift = (evidence.faces.tick % 7 / 100).astype(np.float32)[:, None, None]
        faces = replace(evidence.faces, key_points_px=evidence.faces.key_points_px + drift)
        return replace(evidence, faces=faces)

    return make


def with_scores(evidence: Evidence, *peaks: tuple[int, int, int, float]) -> Evidence:
    """Evidence whose faces have scores of 0, but for peaks: first tick, end tick, lag and z of that stretch."""
    scores = np.full((len(evidence.faces), 31), np.nan, np.float32)
    for first, end, lag, z in peaks:
        scores[first:end] = 0.0
        scores[first:end, 15 + lag] = z / np.sqrt(end - first)
    return replace(evidence, faces=replace(evidence.faces, sync_scores=scores))


def cut_at(evidence: Evidence, *ticks: int) -> Evidence:
    score = np.zeros(len(evidence), np.float32)
    score[list(ticks)] = 1.0
    return replace(evidence, cut_score=score)


def told(decision: Decision) -> list[tuple[int, int, str, str | None]]:
    """Spans of tier diffusion: ticks, outcome, and what sync says."""
    return [
        (span.first_tick, span.end_tick, span.outcome, span.sync and span.sync.outcome)
        for span in decision.spans
        if span.tier == "diffusion"
    ]


def planned(decision: Decision) -> list[tuple[int, int, str]]:
    return [(clip.first_tick, clip.end_tick, clip.tier) for clip in decision.clips]


def rules(**sync: object) -> RulesSettings:
    return RulesSettings(sync=SyncSettings.model_validate(sync))


@pytest.mark.parametrize(
    ("n", "z", "outcome"),
    [
        (75, 4.1, "in_sync"),
        (75, 3.9, "undecided"),
        (75, 0.9, "undecided"),
        (111, 2.9, "not_in_sync"),
        (110, 2.97, "undecided"),
        (86, 1.6, "undecided"),
        (86, 1.4, "not_in_sync"),  # midway between 61 and 111 ticks the limit is half of 3
        (111, 3.1, "undecided"),
        (185, 3.4, "undecided"),
        (186, 3.4, "not_in_sync"),
        (186, 3.6, "undecided"),
        (186, 4.1, "in_sync"),
    ],
)
def test_z_and_length_decide(n: int, z: float, outcome: str, make_evidence: Make) -> None:
    decision = decide(with_scores(make_evidence(n), (0, n, 2, z)), RulesSettings())
    dropped = outcome == "not_in_sync"
    assert told(decision) == [(0, n, "sync" if dropped else "kept", outcome)]
    assert planned(decision) == [(0, n, "vae" if dropped else "diffusion")]
    (clip,) = decision.clips
    assert clip.sync is not None
    assert clip.sync.outcome == outcome
    assert clip.sync.curve is not None
    assert clip.sync.curve.z == pytest.approx(z, rel=1e-3)


def test_a_dropped_stretch_has_the_rule_its_z_and_its_limit_in_tier_diffusion_only(make_evidence: Make) -> None:
    decision = decide(with_scores(make_evidence(200), (0, 200, 7, 2.0)), RulesSettings())
    diffusion, vae = decision.spans
    assert (diffusion.outcome, diffusion.failed, vae.outcome, vae.failed) == ("sync", ("sync",), "kept", ())
    assert diffusion.value == pytest.approx(2.0, rel=1e-3)
    assert diffusion.limit == 3.5  # 200 ticks are long
    assert decision.sync.curve is not None
    assert decision.sync.curve.offset_ticks == pytest.approx(7.0)


def test_what_is_set_leaves_the_tier(make_evidence: Make) -> None:
    evidence = with_scores(make_evidence(75), (0, 75, 0, 3.5))
    assert planned(decide(evidence, rules(drop="nothing"))) == [(0, 75, "diffusion")]
    strict = decide(evidence, rules(drop="all_but_in_sync"))
    assert planned(strict) == [(0, 75, "vae")]
    assert (strict.spans[0].outcome, strict.spans[0].limit) == ("sync", 4.0)
    foreign = with_scores(make_evidence(150), (0, 150, 0, 1.0))
    assert planned(decide(foreign, rules(drop="nothing"))) == [(0, 150, "diffusion")]

    unmeasured = decide(make_evidence(75), rules(drop="all_but_in_sync"))
    assert planned(unmeasured) == [(0, 75, "vae")]
    assert (unmeasured.spans[0].outcome, unmeasured.spans[0].value) == ("sync", None)


def test_of_a_long_run_only_the_piece_that_is_not_in_sync_is_dropped_and_the_others_stay(make_evidence: Make) -> None:
    settings = rules().model_copy(update={"too_short": RulesSettings().too_short.model_copy(update={"max_clip_s": 8})})
    evidence = with_scores(make_evidence(600), (0, 200, 1, 9.0), (200, 400, -9, 1.0), (400, 600, 1, 9.0))
    decision = decide(evidence, settings)
    assert planned(decision) == [(0, 200, "diffusion"), (200, 400, "vae"), (400, 600, "diffusion")]
    both = decide(with_scores(make_evidence(400), (0, 200, 5, 1.0), (200, 400, -9, 1.0)), settings)
    assert told(both) == [(0, 200, "sync", "not_in_sync"), (200, 400, "sync", "not_in_sync")]


def test_a_dropped_stretch_and_what_is_left_beside_it_become_one_clip_of_tier_vae(make_evidence: Make) -> None:
    prob = np.ones(250, np.float32)
    prob[160:] = 0.0
    evidence = replace(make_evidence(250), speech_prob=prob)
    decision = decide(with_scores(evidence, (0, 163, 3, 1.0)), RulesSettings())
    assert planned(decision) == [(0, 250, "vae")]
    assert told(decision) == [(0, 163, "sync", "not_in_sync"), (163, 250, "silence", None)]
    assert decision.clips[0].sync is not None
    assert decision.clips[0].sync.ticks == (0, 163)


def test_a_short_clip_is_in_sync_with_its_track_where_it_has_the_same_offset(make_evidence: Make) -> None:
    evidence = cut_at(make_evidence(300), 200, 300 - 25)
    near = decide(with_scores(evidence, (0, 200, 3, 9.0), (200, 275, 4, 2.0)), RulesSettings())
    assert told(near)[:2] == [(0, 200, "kept", "in_sync"), (200, 275, "kept", "in_sync")]
    far = decide(with_scores(evidence, (0, 200, 3, 9.0), (200, 275, 9, 2.0)), RulesSettings())
    assert told(far)[1] == (200, 275, "kept", "undecided")


def test_short_clips_that_are_not_in_sync_together_are_dropped(make_evidence: Make) -> None:
    evidence = cut_at(make_evidence(160), 80)
    apart = with_scores(evidence, (0, 80, -8, 2.0), (80, 160, 6, 2.0))
    decision = decide(apart, RulesSettings())
    assert told(decision) == [(0, 80, "sync", "not_in_sync"), (80, 160, "sync", "not_in_sync")]
    # each peak is 2 / sqrt(80) high; of all 160 ticks, half of that: z = 1 / sqrt(80) * sqrt(160)
    assert decision.spans[0].value == pytest.approx(2**0.5, rel=1e-3)
    assert decision.spans[0].limit == 3.0
    together = with_scores(evidence, (0, 80, -8, 2.9), (80, 160, -8, 2.9))
    assert [row[3] for row in told(decide(together, RulesSettings()))] == ["in_sync", "in_sync"]  # 2.9 * sqrt(2)


def test_the_ticks_around_a_short_clip_count_where_its_face_goes_on(make_evidence: Make) -> None:
    evidence = make_evidence(200)
    turned = evidence.faces.key_points_px.copy()
    turned[:60, 0, 0] += 100.0  # the nose: only ticks 60 to 140 look into the camera
    turned[140:, 0, 0] += 100.0
    evidence = replace(evidence, faces=replace(evidence.faces, key_points_px=turned))
    quiet = RulesSettings().jitter.model_copy(update={"strict_step": 9.0, "loose_step": 9.0})
    settings = RulesSettings().model_copy(update={"jitter": quiet})

    def judged(z: float, around: float) -> str:
        """Outcome of a stretch of 80 ticks with a peak of this z, and one of height `around` on 22 ticks beside it."""
        sides = around * 22**0.5
        peaks = ((38, 60, 5, sides), (60, 140, 5, z), (140, 162, 5, sides))
        (stretch,) = decide(with_scores(evidence, *peaks), settings).sync.stretches
        assert stretch.ticks == (60, 140)
        return stretch.outcome

    # the peak of 2.8 is 0.313 high; over all 124 ticks z is 3.49, 4.62, 2.25 and 2.49
    assert judged(2.8, 0.313) == "undecided"
    assert judged(2.8, 0.6) == "in_sync"
    assert judged(2.8, 0.0) == "not_in_sync"
    assert judged(3.1, 0.0) == "undecided"  # its own z reaches the limit of 124 ticks


def test_a_clip_of_another_face_does_not_help(make_evidence: Make) -> None:
    evidence = cut_at(make_evidence(280), 200)
    evidence.faces.descriptor[200:] *= -1.0  # 0.1 and -0.1 in 128 places: 2.3 apart
    other = with_scores(evidence, (0, 200, 3, 9.0), (200, 280, 3, 2.0))
    assert told(decide(other, RulesSettings()))[1] == (200, 280, "kept", "undecided")


def reason(evidence: Evidence, **sync: object) -> tuple[str, str | None]:
    (stretch,) = decide(evidence, rules(**sync)).sync.stretches
    return stretch.outcome, stretch.reason


def test_what_cannot_be_judged_says_why(make_evidence: Make) -> None:
    evidence = make_evidence(150)
    foreign = with_scores(evidence, (0, 150, 0, 1.0))
    assert reason(foreign) == ("not_in_sync", None)
    assert reason(evidence) == ("not_measured", "no_scores")
    assert reason(with_scores(evidence, (0, 74, 0, 1.0))) == ("not_measured", "no_scores")  # brought in by a limit
    assert reason(with_scores(make_evidence(75), (7, 67, 0, 1.0))) == ("not_measured", "few_ticks")
    assert reason(with_scores(make_evidence(75), (7, 68, 0, 1.0))) == ("undecided", None)  # 61 ticks

    pauses = np.zeros(150, np.float32)
    pauses[10::30] = 1.0  # no pause is longer than 1.25 s
    assert reason(replace(foreign, speech_prob=pauses)) == ("not_measured", "little_speech")

    turned = np.zeros((150, 3), np.float32)
    turned[:, 1] = -41.0
    assert reason(replace(foreign, faces=replace(foreign.faces, pose_deg=turned)))[1] == "turned"
    hidden = np.full(150, 0.5, np.float32)
    hidden[0] = 0.6  # over half in the mean, and not in the median that the rule `mask` takes
    assert reason(replace(foreign, faces=replace(foreign.faces, mask_prob=hidden)))[1] == "covered"


@pytest.mark.parametrize(("rate_hz", "why"), [(15, "few_pictures"), (19, "few_pictures"), (20, None), (24, None)])
def test_pictures_that_repeat_are_too_few(rate_hz: int, why: str | None, make_evidence: Make) -> None:
    evidence = make_evidence(200)
    drift = np.arange(200) * rate_hz // 25  # the picture that each tick shows
    points = evidence.faces.key_points_px[drift]
    shown = replace(evidence.faces, key_points_px=points)
    assert reason(with_scores(replace(evidence, faces=shown), (0, 200, 0, 1.0)))[1] == why


def test_stored_scores_are_judged_as_those_in_memory(make_evidence: Make) -> None:
    evidence = cut_at(make_evidence(400), 150, 230)
    rng = np.random.default_rng(8)
    scores = rng.normal(0.02, 0.1, (400, 31)).astype(np.float32)
    scores[:150, 18] += 0.4
    scores[230:237] = np.nan
    scores[237:252, :15] = np.nan  # lags that lead out of the stretch
    evidence = replace(evidence, faces=replace(evidence.faces, sync_scores=scores))
    decision = decide(evidence, RulesSettings())
    assert {outcome for *_, outcome in told(decision)} >= {"in_sync", "not_in_sync"}
    rows = frames_table("00ff00ff00ff00ff", evidence, decision, landmark_scheme("ibug68"))
    again = decide(evidence_of_frames(rows, 400), RulesSettings())
    assert again.spans == decision.spans
    assert told(again) == told(decision)
    assert [s.curve and (s.curve.z, s.curve.offset_ticks) for s in again.sync.stretches] == [
        s.curve and (s.curve.z, s.curve.offset_ticks) for s in decision.sync.stretches
    ]


REPAIR = {"repair": "auto"}


@pytest.mark.parametrize(
    ("n", "lag", "z", "sync", "samples"),
    [
        (200, 3, 9.0, REPAIR, 3 * 640),
        (200, -5, 9.0, REPAIR, -5 * 640),
        (200, 12, 9.0, REPAIR, 12 * 640),
        (200, 3, 9.0, {}, 0),  # off by default
        (200, 13, 9.0, REPAIR, 0),
        (200, 1, 9.0, REPAIR, 0),
        (200, 3, 4.4, REPAIR, 0),
        (110, 3, 9.0, REPAIR, 0),
        (111, 3, 4.6, REPAIR, 3 * 640),
        (200, 1, 9.0, {"repair": "auto", "min_repair_ticks": 0.5}, 640),
    ],
)
def test_sound_is_moved_where_the_offset_is_sure(
    n: int, lag: int, z: float, sync: dict[str, object], samples: int, make_evidence: Make
) -> None:
    decision = decide(with_scores(make_evidence(n), (0, n, lag, z)), rules(**sync))
    assert [clip.sound_lag_samples for clip in decision.clips] == [samples]


def test_a_part_of_a_tick_is_moved_by_its_samples(make_evidence: Make) -> None:
    evidence = with_scores(make_evidence(200), (0, 200, 4, 9.0))
    assert evidence.faces.sync_scores is not None
    top, beside = 9.0 / 200**0.5, 4.5 / 200**0.5
    evidence.faces.sync_scores[:, 15 + 5] = beside
    # through (3, 0), (4, top), (5, top / 2): the top of the parabola is 1 / 6 beyond 4
    (clip,) = decide(evidence, rules(repair="auto")).clips
    assert top == 2 * beside
    assert clip.sound_lag_samples == pytest.approx((4 + 1 / 6) * 640, abs=1)


def test_every_clip_is_moved_but_one_in_sync_at_another_offset(make_evidence: Make) -> None:
    evidence = cut_at(make_evidence(700), 300, 500, 600)
    prob = np.ones(700, np.float32)
    prob[600:] = 0.0  # tier vae
    evidence = replace(evidence, speech_prob=prob)
    peaks = with_scores(evidence, (0, 300, 4, 15.0), (300, 500, -6, 6.0), (500, 603, 4, 2.0))
    decision = decide(peaks, rules(repair="auto"))
    assert [(clip.first_tick, clip.tier, clip.sound_lag_samples) for clip in decision.clips] == [
        (0, "diffusion", 2560),
        (300, "diffusion", 0),
        (500, "diffusion", 2560),
        (600, "vae", 2560),
    ]
