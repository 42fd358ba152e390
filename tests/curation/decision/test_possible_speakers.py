"""The faces whose lips are worth comparing with the sound."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np

from curation.decision.decide import RulesSettings, decide
from curation.decision.possible_speakers import possible_speakers
from curation.evidence.measures import Evidence, Faces
from curation.evidence.track_stretches import TrackStretch

Make = Callable[..., Evidence]
MakeFaces = Callable[..., Faces]
RULES = RulesSettings()


def joined(*groups: Faces) -> Faces:
    """Faces of several people, by their ticks."""
    order = np.argsort(np.concatenate([faces.tick for faces in groups]), kind="stable")
    columns = {
        field.name: None if (parts := [getattr(faces, field.name) for faces in groups])[0] is None
        else np.concatenate(parts)[order]
        for field in fields(Faces)
    }  # fmt: skip
    return Faces(**columns)


def ranges(stretches: tuple[TrackStretch, ...]) -> list[tuple[int, int]]:
    return [(stretch.first_tick, stretch.end_tick) for stretch in stretches]


def test_a_clip_is_compared_with_a_margin_where_its_face_goes_on(make_evidence: Make) -> None:
    evidence = make_evidence(400)
    evidence.faces.mask_prob[:100] = 1.0
    evidence.faces.mask_prob[300:] = 1.0
    clips = decide(evidence, RULES).clips
    diffusion = [(clip.first_tick, clip.end_tick) for clip in clips if clip.tier == "diffusion"]
    assert len(diffusion) == 1
    first, end = diffusion[0]
    stretches = possible_speakers(evidence, RULES)
    assert ranges(stretches) == [(first - 22, end + 22)]
    np.testing.assert_array_equal(stretches[0].face, np.arange(first - 22, end + 22))
    assert not stretches[0].in_company


def test_the_margin_ends_at_a_cut_and_where_the_face_is_lost(make_evidence: Make, make_faces: MakeFaces) -> None:
    evidence = make_evidence(300, faces=make_faces(np.r_[0:210]))
    evidence.faces.mask_prob[:110] = 1.0
    cut = evidence.cut_score.copy()
    cut[105] = 1.0
    stretches = possible_speakers(replace(evidence, cut_score=cut), RULES)
    assert ranges(stretches) == [(105, 210)]


def test_clips_of_one_run_are_one_stretch_and_a_missed_tick_has_no_face(
    make_evidence: Make, make_faces: MakeFaces
) -> None:
    evidence = make_evidence(1600, faces=make_faces(np.r_[0:500, 501:1600]))
    assert len(decide(evidence, RULES).clips) == 3
    (stretch,) = possible_speakers(evidence, RULES)
    assert (stretch.first_tick, stretch.end_tick) == (0, 1600)
    assert np.flatnonzero(stretch.face < 0).tolist() == [500]
    assert stretch.face[501] == 500


def test_two_people_beside_each_other_are_both_tried_though_neither_is_alone(
    make_evidence: Make, make_faces: MakeFaces
) -> None:
    two = joined(make_faces(np.arange(200), x0=100.0), make_faces(np.arange(200), x0=400.0))
    evidence = make_evidence(200, faces=two)
    assert decide(evidence, RULES).clips == ()
    stretches = possible_speakers(evidence, RULES)
    assert ranges(stretches) == [(0, 200), (0, 200)]
    assert [set(two.box_px[stretch.face, 0].tolist()) for stretch in stretches] == [{100.0}, {400.0}]
    assert all(stretch.in_company for stretch in stretches)


def test_a_face_in_turn_with_another_one_is_not_joined_with_it(make_evidence: Make, make_faces: MakeFaces) -> None:
    turn = joined(make_faces(np.arange(100), x0=100.0), make_faces(np.arange(100, 200), x0=400.0))
    stretches = possible_speakers(make_evidence(200, faces=turn), RULES)
    assert ranges(stretches) == [(0, 100), (100, 200)]
    assert not any(stretch.in_company for stretch in stretches)


def test_whoever_is_seen_beside_a_speaker_is_compared_and_nobody_else(
    make_evidence: Make, make_faces: MakeFaces
) -> None:
    wide = make_faces(np.arange(200), x0=100.0)
    narrow, brief = make_faces(np.arange(100, 300), x0=400.0, width=80.0), make_faces(np.arange(20), x0=600.0)
    evidence = make_evidence(300, faces=joined(wide, narrow, brief))
    speaker, listener = possible_speakers(evidence, RULES)
    assert (speaker.first_tick, speaker.end_tick, speaker.in_company) == (0, 200, True)
    assert (listener.first_tick, listener.end_tick, listener.in_company) == (100, 200, True)
    assert set(evidence.faces.box_px[listener.face, 0].tolist()) == {400.0}
    alone = make_evidence(300, faces=make_faces(np.arange(300), x0=400.0, width=80.0))
    assert possible_speakers(alone, RULES) == ()
    assert possible_speakers(make_evidence(200, sound=False), RULES) == ()


def test_a_face_of_which_the_detector_is_not_sure_is_not_compared(make_evidence: Make, make_faces: MakeFaces) -> None:
    evidence = make_evidence(200, faces=joined(make_faces(np.arange(200)), make_faces(np.arange(200), x0=400.0)))
    evidence.faces.score[evidence.faces.box_px[:, 0] == 400.0] = 0.5
    (stretch,) = possible_speakers(evidence, RULES)
    assert set(evidence.faces.box_px[stretch.face, 0].tolist()) == {100.0}
    assert not stretch.in_company


def test_a_video_without_a_face_has_no_speaker(make_evidence: Make) -> None:
    assert possible_speakers(make_evidence(100, boxes=np.full((100, 4), np.nan, np.float32)), RULES) == ()
