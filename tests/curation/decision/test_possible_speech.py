"""Only tier `diffusion` is asked for: where the sound leaves no clip, no picture counts, and none is looked at."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from curation.decision.decide import Decision, RulesSettings, decide
from curation.decision.grid import margin_in_sound
from curation.decision.possible_speech import possible_speech, widened
from curation.engine.sound_first import looked_at
from curation.evidence.joining import chosen_faces
from curation.evidence.measures import AudioEvidence, Evidence, Faces
from curation.rules.runs import true_runs
from curation.rules.silence import silence
from curation.settings import CurationSettings, load_settings
from manifests.vocabulary import Tier

Make = Callable[..., Evidence]
RULES = RulesSettings()
SPOKEN = load_settings(CurationSettings(), None, ["tiers=[diffusion]"])
ONLY: tuple[Tier, ...] = ("diffusion",)


def heard(n: int, *spoken: tuple[int, int]) -> np.ndarray:
    """Return probabilities of speech of n ticks, with speech in these ranges."""
    prob = np.full(n, 0.1, np.float32)
    for first, end in spoken:
        prob[first:end] = 0.9
    return prob


def runs(prob: np.ndarray | None, n: int) -> list[tuple[int, int]]:
    return true_runs(possible_speech(prob, np.zeros(n, np.bool_), RULES))


def told(decision: Decision, tier: str) -> list[tuple[int, int, str]]:
    return [(span.first_tick, span.end_tick, span.outcome) for span in decision.spans if span.tier == tier]


def test_speech_and_its_pads_are_possible_where_they_are_long_enough_for_a_clip() -> None:
    # pads of 3 ticks on both sides: 69 ticks of speech are 75 with them, 68 are 74
    assert runs(heard(300, (100, 169)), 300) == [(97, 172)]
    assert runs(heard(300, (100, 168)), 300) == []
    # a pause of 31 ticks, 1.24 s, belongs to speech, and one of 32 does not
    assert runs(heard(300, (100, 140), (171, 211)), 300) == [(97, 214)]
    assert runs(heard(300, (100, 140), (172, 212)), 300) == []


def test_without_a_sound_track_nothing_is_possible_and_trimmed_ticks_are_not() -> None:
    assert runs(None, 100) == []
    trimmed = np.zeros(300, np.bool_)
    trimmed[:150] = True
    prob = np.where(trimmed, np.nan, heard(300, (0, 300))).astype(np.float32)
    assert true_runs(possible_speech(prob, trimmed, RULES)) == [(150, 300)]


def test_what_is_not_possible_fails_the_rule_silence_however_the_lips_move() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        n = int(rng.integers(1, 400))
        prob, at_rest = (np.repeat(rng.random(n), rng.integers(1, 60, n))[:n] for _ in range(2))
        whatever = silence(prob.astype(np.float32), at_rest < 0.3, RULES.silence).failed
        alone = silence(prob.astype(np.float32), np.zeros(n, np.bool_), RULES.silence).failed
        assert not np.any(alone & ~whatever)


def test_ranges_begin_on_a_window_step_and_reach_beyond_what_counts() -> None:
    sound = AudioEvidence(speech_prob=heard(2000, (500, 700), (1500, 1600)), loudness_dbfs=None)
    margin = margin_in_sound(SPOKEN.rules)
    ranges = looked_at(sound, [(0, 2000)], 2000, SPOKEN)
    assert [(first % 25, first < 497 - margin) for first, _ in ranges[:1]] == [(0, True)]
    assert [end >= spoken + margin for (_, end), spoken in zip(ranges, (703, 1603), strict=True)] == [True, True]
    # the margin of a stretch ends where the stretch does
    cut = looked_at(replace(sound, speech_prob=sound.speech_prob[510:690]), [(510, 690)], 2000, SPOKEN)
    assert cut == [(510, 690)]
    assert looked_at(sound, [(0, 2000)], 2000, CurationSettings()) == [(0, 2000)]


def coarse(evidence: Evidence, settings: CurationSettings) -> Evidence:
    """Return the evidence as it is where only ranges with possible speech are looked at."""
    sound = AudioEvidence(speech_prob=evidence.speech_prob, loudness_dbfs=None)
    seen = np.zeros(len(evidence), np.bool_)
    for first, end in looked_at(sound, [(0, len(evidence))], len(evidence), settings):
        seen[first:end] = True
    faces = chosen_faces(evidence.faces, seen[evidence.faces.tick])
    assert evidence.grid is not None
    return replace(evidence, faces=faces, grid=evidence.grid & seen, measured=seen)


@pytest.mark.parametrize("seed", range(12))
def test_decisions_are_the_same_whether_or_not_silent_ticks_were_looked_at(
    seed: int, make_evidence: Make, make_faces: Callable[..., Faces]
) -> None:
    rng = np.random.default_rng(seed)
    n = 1500
    present = np.repeat(rng.random(n) < 0.8, rng.integers(5, 200, n))[:n]
    prob = np.repeat(np.where(rng.random(n) < 0.4, 0.9, 0.1), rng.integers(10, 220, n))[:n].astype(np.float32)
    width = np.repeat(rng.choice([40.0, 200.0], n, p=[0.2, 0.8]), rng.integers(20, 300, n))[:n]
    faces = make_faces(np.flatnonzero(present))
    narrow = faces.box_px.copy()
    narrow[:, 2] = narrow[:, 0] + width[present]
    evidence = make_evidence(n, faces=replace(faces, box_px=narrow))
    whole = replace(evidence, speech_prob=prob, grid=np.arange(n) % 5 == 0, measured=np.ones(n, np.bool_))
    full = decide(whole, RULES, tiers=ONLY)
    part = decide(coarse(whole, SPOKEN), RULES, tiers=ONLY)
    assert part.clips == full.clips
    assert part.spans == full.spans


def test_ticks_without_possible_speech_are_told_by_their_sound_alone(make_evidence: Make) -> None:
    n = 700
    boxes = np.full((n, 4), np.nan, np.float32)
    boxes[:250] = (100.0, 80.0, 300.0, 280.0)
    evidence = make_evidence(n, boxes=boxes)
    prob = heard(n, (0, 200), (400, 440))
    whole = replace(evidence, speech_prob=prob, grid=np.arange(n) % 5 == 0, measured=np.ones(n, np.bool_))
    decision = decide(whole, RULES, tiers=ONLY)
    assert [(clip.first_tick, clip.end_tick, clip.tier) for clip in decision.clips] == [(0, 203, "diffusion")]
    # nobody is seen from tick 250 on, but from tick 253 on nobody looks: the margin of 50 ticks ends there
    assert told(decision, "diffusion") == [
        (0, 203, "kept"), (203, 250, "silence"), (250, 253, "no_face"), (253, 397, "silence"), (397, 443, "too_short"),
        (443, 700, "silence"),
    ]  # fmt: skip
    assert told(decision, "vae") == [(0, 203, "kept"), (203, 700, "not_asked")]


def test_widening_stays_within_the_video_and_within_the_range_that_was_chosen() -> None:
    nowhere = np.zeros(6, np.bool_)
    assert true_runs(widened(np.array([True, *[False] * 4, True]), 2, nowhere)) == [(0, 6)]
    assert true_runs(widened(np.array([True, *[False] * 4, True]), 1, nowhere)) == [(0, 2), (4, 6)]
    assert true_runs(widened(np.array([False] * 4 + [True, False]), 3, np.arange(6) == 2)) == [(3, 6)]
    assert not widened(np.zeros(3, np.bool_), 2, nowhere[:3]).any()
