"""Evidence goes into the table `frames` and comes back as it was, so that other rules need no second look."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from helpers.made_evidence import part

from curation.decision.decide import RulesSettings, decide
from curation.evidence.joining import stitch
from curation.evidence.measures import Evidence, Faces
from curation.output.frame_rows import evidence_of_frames, frames_table, stored_face
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


def sparse_measures(n_faces: int) -> dict[str, np.ndarray]:
    """Scores of every third face, of which the last face lacks some lags, and a probability of every fifth."""
    scores = np.full((n_faces, 31), np.nan, np.float32)
    scores[::3] = np.linspace(-1, 1, 31).astype(np.float16)
    scores[n_faces - 1, :10] = 0.5
    speaking = np.full(n_faces, np.nan, np.float32)
    speaking[::5] = 0.25
    return {"sync_scores": scores, "speaking_prob": speaking}


def test_what_was_measured_on_some_faces_comes_back_and_is_null_on_the_others(
    make_evidence: Make, make_faces: Callable[..., Faces]
) -> None:
    evidence = two_faced(make_evidence, make_faces)
    measured = replace(evidence, faces=replace(evidence.faces, **sparse_measures(len(evidence.faces))))
    assert_same(there_and_back(measured), measured)
    table = frames_table("00ff00ff00ff00ff", measured, decide(measured, RulesSettings()), SCHEME)
    # faces 0 to 9 are alone on their ticks; the tick of the last lacks 21 lags
    assert [row is None for row in table["sync_scores"].to_pylist()[:5]] == [False, True, True, False, True]
    assert sum(np.isnan(table["sync_scores"][59].as_py())) == 21
    assert table["speaking_prob"].to_pylist()[:7] == [0.25, None, None, None, None, 0.25, None]
    assert [face["speaking_prob"] for face in table["other_faces"][10].as_py()] == [None]
    assert stored_face(table.slice(10, 20)).speaking_prob is not None
    unmeasured = frames_table("00ff00ff00ff00ff", evidence, decide(evidence, RulesSettings()), SCHEME)
    assert unmeasured["sync_scores"].null_count == 60
    assert stored_face(unmeasured.slice(10, 20)).sync_scores is None


def test_ranges_with_and_without_a_sparse_measure_join_as_one(make_evidence: Make) -> None:
    evidence = make_evidence(60)
    measured = replace(evidence, faces=replace(evidence.faces, **sparse_measures(60)))
    whole = stitch([part(measured, 0, 20), part(evidence, 20, 40), part(measured, 40, 60)]).faces
    assert whole.sync_scores is not None
    np.testing.assert_array_equal(np.isnan(whole.sync_scores[20:40]), True)
    np.testing.assert_array_equal(whole.sync_scores[40:], sparse_measures(60)["sync_scores"][40:])
    assert stitch([part(evidence, 0, 20), part(evidence, 20, 60)]).faces.sync_scores is None
