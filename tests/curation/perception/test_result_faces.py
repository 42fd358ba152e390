import numpy as np
import pytest
from helpers.made_videos import TalkingFace

from curation.model_registry import UnknownModelError
from curation.perception.result_faces import load_result_faces
from foundation.weights import missing_assets
from manifests.landmarks import landmark_box

PARTS = ("landmarks", "pose", "points68", "dlib", "arcface")


def test_the_face_of_a_picture_has_all_parts_and_an_empty_one_none(talking_face: TalkingFace) -> None:
    models = load_result_faces("mediapipe", PARTS)
    assert {*models.shapes, *models.unavailable} == set(PARTS)
    assert models.scheme == "mediapipe478"
    read = models.reader()
    parts = read(talking_face.pictures[0])
    assert {part: array.shape for part, array in parts.items()} == dict(models.shapes)
    assert all(np.isfinite(array).all() for array in parts.values())
    # the face of these pictures is 154 pixels wide and in the middle
    box = landmark_box(parts["landmarks"])
    assert box[2] - box[0] == pytest.approx(154, abs=12)
    if "points68" in parts:
        nose_tips = (parts["points68"][30], parts["landmarks"][1])
        assert float(np.linalg.norm(nose_tips[0] - nose_tips[1])) < 12
    assert all(np.isnan(array).all() for array in read(np.zeros((320, 320, 3), np.uint8)).values())


def test_what_is_not_on_this_machine_is_named_with_the_way_to_it() -> None:
    models = load_result_faces("mediapipe", PARTS)
    if missing_assets(["w600k_r50"]):
        assert "gaia-curate models pull w600k_r50" in models.unavailable["arcface"]
    with pytest.raises(UnknownModelError, match="--faces is 'nobody'"):
        load_result_faces("nobody", PARTS)


def test_models_of_parts_that_are_not_wanted_are_not_loaded(talking_face: TalkingFace) -> None:
    models = load_result_faces("mediapipe", ("landmarks",))
    assert (dict(models.shapes), dict(models.unavailable)) == ({"landmarks": (478, 2)}, {})
    assert (models.points68, dict(models.describers)) == (None, {})
    parts = models.reader()(talking_face.pictures[0])
    assert {part: array.shape for part, array in parts.items()} == {"landmarks": (478, 2)}
