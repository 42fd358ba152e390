"""Two people in talk: each has his own clips while he speaks, and a listener has none of tier `diffusion`."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from curation.decision.decide import Decision, RulesSettings, decide
from curation.decision.speaker_turns import SpeakerSettings, turns
from curation.evidence.measures import Evidence, Faces

Make = Callable[..., Evidence]
MakeFaces = Callable[..., Faces]

LEFT_X, RIGHT_X = 100.0, 700.0


def beside(first: Faces, second: Faces) -> Faces:
    """The faces of two people, tick by tick."""
    order = np.lexsort((np.repeat([0, 1], [len(first), len(second)]), np.concatenate([first.tick, second.tick])))
    return Faces(
        **{
            name: None
            if getattr(first, name) is None
            else np.concatenate([getattr(first, name), getattr(second, name)])[order]
            for name in first.__dataclass_fields__
        }
    )


def taken(faces: Faces, kept: np.ndarray) -> Faces:
    """Return the faces for which `kept` is true."""
    return Faces(
        **{
            name: None if getattr(faces, name) is None else getattr(faces, name)[kept]
            for name in faces.__dataclass_fields__
        }
    )


def speaks(text: str) -> np.ndarray:
    """Probabilities of one face: a letter per 0.2 s, `x` speaks, `.` listens, `?` is not measured."""
    return np.repeat([{"x": 0.95, ".": 0.05, "?": np.nan}[letter] for letter in text], 5).astype(np.float32)


def in_sync(text: str, lag: int = 2) -> np.ndarray:
    """Scores of one face, 31 a tick, as `speaks`: noise, and a peak at a lag where the face speaks."""
    prob = speaks(text)
    scores = np.random.default_rng(1).normal(0.0, 0.2, (len(prob), 31)).astype(np.float32)
    scores[:, 15 + lag - 1 : 15 + lag + 2] += np.where(prob > 0.5, 0.6, 0.0)[:, None].astype(np.float32)
    scores[np.isnan(prob)] = np.nan
    return scores


@pytest.fixture
def talk(make_evidence: Make, make_faces: MakeFaces) -> Callable[..., Evidence]:
    """Two faces of 200 px, the left one a little wider, and what was measured of each, by `speaking_prob`."""

    def made(left: str, right: str, measure: str = "speaking_prob", right_x: float = RIGHT_X) -> Evidence:
        series = {"speaking_prob": speaks, "sync_scores": in_sync}[measure]
        n = 5 * len(left)
        faces = beside(
            replace(make_faces(np.arange(n), LEFT_X, 210.0), **{measure: series(left)}),
            replace(make_faces(np.arange(n), right_x, 200.0), **{measure: series(right)}),
        )
        return make_evidence(n, faces=faces)

    return made


def clips(decision: Decision) -> list[tuple[int, int, str, str]]:
    """Clips with the side of the frame that they show."""
    return [
        (
            clip.first_tick,
            clip.end_tick,
            clip.tier,
            "left" if decision.face.box_px[clip.first_tick, 0] < 400 else "right",
        )
        for clip in decision.clips
    ]


def outcomes(decision: Decision, tier: str = "diffusion") -> set[str]:
    return {span.outcome for span in decision.spans if span.tier == tier}


def near(got: list[tuple[int, int, str, str]], wanted: list[tuple[int, int, str, str]], by: int = 4) -> None:
    assert [clip[2:] for clip in got] == [clip[2:] for clip in wanted]
    for (first, end, *_), (first_wanted, end_wanted, *_) in zip(got, wanted, strict=True):
        assert abs(first - first_wanted) <= by
        assert abs(end - end_wanted) <= by


@pytest.mark.parametrize("measure", ["speaking_prob", "sync_scores"])
def test_each_of_two_people_has_his_clip_while_he_speaks(talk: Callable[..., Evidence], measure: str) -> None:
    decision = decide(talk("x" * 20 + "." * 25, "." * 20 + "x" * 25, measure), RulesSettings())
    by = 4 if measure == "speaking_prob" else 12
    near(clips(decision), [(0, 100, "diffusion", "left"), (100, 225, "diffusion", "right")], by)


def test_without_a_measurement_the_second_face_drops_all_as_ever(talk: Callable[..., Evidence]) -> None:
    evidence = talk("?" * 40, "?" * 40)
    for unknown in (evidence, replace(evidence, faces=replace(evidence.faces, speaking_prob=None))):
        decision = decide(unknown, RulesSettings())
        assert decision.clips == ()
        assert outcomes(decision) == outcomes(decision, "vae") == {"several_faces"}
        assert np.isnan(decision.main.speaks_alone).all()


def test_two_who_speak_at_once_are_in_no_clip_of_tier_diffusion(talk: Callable[..., Evidence]) -> None:
    decision = decide(talk("x" * 45, "." * 20 + "x" * 25), RulesSettings())
    near(clips(decision), [(0, 100, "diffusion", "left"), (100, 225, "vae", "left")])
    assert outcomes(decision) == {"kept", "not_speaking"}


def test_a_listener_gives_a_clip_of_tier_vae_only(talk: Callable[..., Evidence], make_evidence: Make) -> None:
    decision = decide(talk("." * 30, "." * 30), RulesSettings())  # somebody speaks who is not seen
    assert clips(decision) == [(0, 150, "vae", "left")]
    span = next(span for span in decision.spans if span.tier == "diffusion")
    assert span.outcome == "not_speaking"
    assert span.value is not None
    assert span.value < 0.1
    assert span.limit == pytest.approx(0.5)

    alone = make_evidence(150)
    alone = replace(alone, faces=replace(alone.faces, speaking_prob=speaks("." * 30)))
    assert clips(decide(alone, RulesSettings())) == [(0, 150, "vae", "left")]


def test_in_a_video_of_one_person_the_scores_of_sync_say_nothing_here(make_evidence: Make) -> None:
    alone = make_evidence(150)
    alone = replace(alone, faces=replace(alone.faces, sync_scores=in_sync("." * 30)))
    decision = decide(alone, RulesSettings())
    assert np.isnan(decision.main.speaks_alone).all()
    assert "not_speaking" not in outcomes(decision)


def test_a_listener_who_is_shown_alone_for_a_while_is_known_by_the_scores_of_sync(
    talk: Callable[..., Evidence],
) -> None:
    evidence = talk("x" * 40, "." * 40, "sync_scores")
    left = evidence.faces.box_px[:, 0] < 400
    away = evidence.faces.tick >= 100
    faces = taken(evidence.faces, ~(left & away))
    decision = decide(replace(evidence, faces=faces), RulesSettings())
    near(clips(decision), [(0, 100, "diffusion", "left"), (100, 200, "vae", "right")], 1)


@pytest.mark.parametrize("lost", [False, True])
def test_one_who_is_shown_alone_is_not_taken_for_a_listener_for_a_second_of_poor_scores(
    talk: Callable[..., Evidence], lost: bool
) -> None:
    evidence = talk("x" * 60, "." * 60, "sync_scores")
    left = evidence.faces.box_px[:, 0] < 400
    scores = evidence.faces.sync_scores
    assert scores is not None
    dip = left & (evidence.faces.tick >= 200) & (evidence.faces.tick < 220)
    scores[dip, 15 + 2 - 1 : 15 + 2 + 2] = -0.5
    # the right one leaves after 4 s, long before the dip, or stays
    faces = evidence.faces if lost else taken(evidence.faces, left | (evidence.faces.tick < 100))
    decision = decide(replace(evidence, faces=faces), RulesSettings())
    assert ("not_speaking" in outcomes(decision)) is lost


def test_two_people_on_two_lines_have_each_his_own_offset(make_evidence: Make, make_faces: MakeFaces) -> None:
    n, half = 500, ("x" * 50, "." * 50)
    faces = beside(
        replace(make_faces(np.arange(n), LEFT_X, 210.0), sync_scores=in_sync(half[0] + half[1], lag=-4)),
        replace(make_faces(np.arange(n), RIGHT_X, 200.0), sync_scores=in_sync(half[1] + half[0], lag=9)),
    )
    decision = decide(make_evidence(n, faces=faces), RulesSettings())
    near(clips(decision), [(0, 250, "diffusion", "left"), (250, 500, "diffusion", "right")], 12)


def test_what_both_measures_say_is_added(talk: Callable[..., Evidence]) -> None:
    evidence = talk("x" * 30, "x" * 30)  # two faces of which LR-ASD says that they speak
    assert outcomes(decide(evidence, RulesSettings())) == {"not_speaking"}
    scores = talk("x" * 30, "." * 30, "sync_scores").faces.sync_scores
    decision = decide(replace(evidence, faces=replace(evidence.faces, sync_scores=scores)), RulesSettings())
    assert np.nanmean(decision.main.speaks_alone) > np.nanmean(decide(evidence, RulesSettings()).main.speaks_alone)


def test_a_listener_whom_the_clip_would_show_is_a_second_face(talk: Callable[..., Evidence]) -> None:
    # the speaker's clip is 420 px wide around x = 205, so that it ends at 415, and with its margin at 436
    for right_x, kept in ((430.0, 0), (440.0, 1)):
        decision = decide(talk("x" * 20, "." * 20, right_x=right_x), RulesSettings())
        assert len(decision.clips) == kept
        assert outcomes(decision, "vae") == ({"kept"} if kept else {"several_faces"})


def test_a_wider_crop_shows_the_listener(talk: Callable[..., Evidence]) -> None:
    evidence = talk("x" * 20, "." * 20, right_x=440.0)
    assert decide(evidence, RulesSettings(), face_ratio=0.4).clips == ()


def test_a_word_of_the_listener_changes_no_main_face(talk: Callable[..., Evidence]) -> None:
    decision = decide(talk("x" * 20 + "..." + "x" * 20, "." * 20 + "xxx" + "." * 20), RulesSettings())
    assert set(decision.main.track_id.tolist()) == {0}
    assert not decision.main.changes.any()
    assert decision.main.speaks_alone[107] < 0.5


def test_one_tick_of_doubt_changes_nothing(talk: Callable[..., Evidence]) -> None:
    evidence = talk("x" * 30, "." * 30)
    prob = evidence.faces.speaking_prob
    assert prob is not None
    prob = prob.copy()
    prob[100:104] = [0.02, 0.98, 0.02, 0.98]  # two ticks, as if the other one spoke
    decision = decide(replace(evidence, faces=replace(evidence.faces, speaking_prob=prob)), RulesSettings())
    assert clips(decision) == [(0, 150, "diffusion", "left")]


def test_a_pause_belongs_to_the_one_who_goes_on(talk: Callable[..., Evidence]) -> None:
    evidence = talk("x" * 20 + "....." + "x" * 20, "." * 45)
    assert evidence.speech_prob is not None
    speech = evidence.speech_prob.copy()
    speech[100:125] = 0.0
    decision = decide(replace(evidence, speech_prob=speech), RulesSettings())
    assert clips(decision) == [(0, 225, "diffusion", "left")]


def test_a_face_that_was_not_measured_listens_where_its_lips_rest(talk: Callable[..., Evidence]) -> None:
    evidence = talk("x" * 30, "?" * 30)
    assert decide(evidence, RulesSettings()).clips == ()
    right = evidence.faces.box_px[:, 0] > 400
    aperture = np.where(right, np.float32(0.02), evidence.faces.lip_aperture)
    resting = replace(evidence, faces=replace(evidence.faces, lip_aperture=aperture))
    assert clips(decide(resting, RulesSettings())) == [(0, 150, "diffusion", "left")]


def test_no_turn_goes_on_over_a_cut() -> None:
    n = 100
    tick = np.arange(n)
    prob = np.full(n, np.nan, np.float32)
    prob[:40], prob[90:] = 0.9, 0.1
    cut = np.zeros(n, np.bool_)
    cut[60] = True
    whose = turns(prob, tick, np.zeros(n, np.int64), np.ones(n, np.bool_), cut, SpeakerSettings().min_turn_s)
    assert whose.tolist() == [0] * 60 + [-1] * 40


def test_a_pause_between_two_turns_is_halved() -> None:
    n = 100
    prob = np.full(n, np.nan, np.float32)
    prob[:40], prob[60:] = 0.9, 0.9
    track = np.repeat([3, 7], 50)
    whose = turns(prob, np.arange(n), track, np.ones(n, np.bool_), np.zeros(n, np.bool_), 1.0)
    assert whose.tolist() == [3] * 50 + [7] * 50
