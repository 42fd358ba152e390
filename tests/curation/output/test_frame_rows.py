"""Evidence goes into the table `frames` and comes back as it was, so that other rules need no second look."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from curation.decision.decide import RulesSettings, decide
from curation.evidence.measures import Evidence, Faces
from curation.output.frame_rows import evidence_of_frames, frames_table
from manifests.landmarks import landmark_scheme

Make = Callable[..., Evidence]
SCHEME = landmark_scheme("ibug68")


def there_and_back(evidence: Evidence) -> Evidence:
    table = frames_table("00ff00ff00ff00ff", evidence, decide(evidence, RulesSettings()), SCHEME)
    return evidence_of_frames(table, len(evidence))


def assert_same(got: Evidence, expected: Evidence) -> None:
    for name in ("decoded", "cut_score", "speech_prob", "loudness_dbfs"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)
    for field in fields(Faces):
        np.testing.assert_array_equal(getattr(got.faces, field.name), getattr(expected.faces, field.name), field.name)


def two_faced(make_evidence: Make, make_faces: Callable[..., Faces]) -> Evidence:
    """A wide face on all ticks but two, a narrower one on some."""
    wide = make_faces(np.r_[0:30, 32:60], x0=0.0, width=200.0)
    narrow = make_faces(np.arange(10, 20), x0=400.0, width=150.0)
    order = np.argsort(np.concatenate([wide.tick, narrow.tick]), kind="stable")
    joined = {
        f.name: None
        if getattr(wide, f.name) is None
        else np.concatenate([getattr(wide, f.name), getattr(narrow, f.name)])[order]
        for f in fields(Faces)
    }
    return make_evidence(60, faces=Faces(**joined))


def test_faces_main_and_other_come_back_in_their_order(make_evidence: Make, make_faces: Callable[..., Faces]) -> None:
    evidence = two_faced(make_evidence, make_faces)
    assert_same(there_and_back(evidence), evidence)


def test_interpolated_faces_are_shown_and_do_not_come_back(
    make_evidence: Make, make_faces: Callable[..., Faces]
) -> None:
    evidence = two_faced(make_evidence, make_faces)
    table = frames_table("00ff00ff00ff00ff", evidence, decide(evidence, RulesSettings()), SCHEME)
    assert np.flatnonzero(table["interpolated"].to_numpy()).tolist() == [30, 31]
    assert table["box"][30].as_py() == [0.0, 80.0, 200.0, 280.0]
    assert table["n_faces"].to_pylist()[29:33] == [1, 0, 0, 1]
    assert 30 not in evidence_of_frames(table, len(table)).faces.tick


def test_blendshapes_come_back_at_half_precision(make_evidence: Make) -> None:
    evidence = make_evidence(80)
    shapes = np.linspace(0, 1, 80 * 52).reshape(80, 52).astype(np.float32)
    back = there_and_back(replace(evidence, faces=replace(evidence.faces, blendshapes=shapes)))
    np.testing.assert_allclose(back.faces.blendshapes, shapes, atol=5e-4)


@pytest.mark.parametrize("sound", [True, False])
def test_a_video_without_a_face_comes_back_and_can_be_decided(make_evidence: Make, sound: bool) -> None:
    evidence = make_evidence(50, boxes=np.full((50, 4), np.nan, np.float32), sound=sound)
    back = there_and_back(evidence)
    assert len(back.faces) == 0
    assert decide(back, RulesSettings()).spans == decide(evidence, RulesSettings()).spans


def test_other_rules_on_what_came_back_give_the_spans_of_the_original(
    make_evidence: Make, make_faces: Callable[..., Faces]
) -> None:
    evidence = two_faced(make_evidence, make_faces)
    rules = RulesSettings.model_validate({"several_faces": {"max_width_ratio": 0.9}, "small_face": {"strict_px": 201}})
    assert decide(there_and_back(evidence), rules).spans == decide(evidence, rules).spans


def test_undecodable_ticks_come_back(make_evidence: Make) -> None:
    boxes = np.tile(np.array([100, 80, 300, 280], np.float32), (100, 1))
    boxes[40:50] = np.nan
    decoded = np.ones(100, np.bool_)
    decoded[40:50] = False
    assert_same(
        there_and_back(replace(make_evidence(100, boxes=boxes), decoded=decoded)),
        replace(make_evidence(100, boxes=boxes), decoded=decoded),
    )


def test_jitter_points_come_back_for_main_and_other_faces(
    make_evidence: Make, make_faces: Callable[..., Faces]
) -> None:
    evidence = two_faced(make_evidence, make_faces)
    points = np.arange(len(evidence.faces) * 6, dtype=np.float32).reshape(-1, 3, 2)
    evidence = replace(evidence, faces=replace(evidence.faces, jitter_points_px=points))
    assert_same(there_and_back(evidence), evidence)
