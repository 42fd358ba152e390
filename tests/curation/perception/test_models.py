from typing import get_args

import pytest

from curation.perception.faces.dlib_hog import DlibFaces
from curation.perception.faces.mediapipe import MediaPipeFaces
from curation.perception.faces.scrfd_mesh import ScrfdFaces
from curation.perception.models import (
    FACE_FINDERS,
    PerceptionSettings,
    optional_assets,
    perception_assets,
    pose_method,
)
from foundation.weights import asset_names
from manifests.landmarks import landmark_scheme


def test_what_is_said_of_a_face_finder_is_what_the_finder_says_itself() -> None:
    finders = {"scrfd": ScrfdFaces, "mediapipe": MediaPipeFaces, "dlib": DlibFaces}
    assert set(finders) == set(FACE_FINDERS)
    for name, finder in finders.items():
        assert (FACE_FINDERS[name].scheme, FACE_FINDERS[name].pose_method) == (finder.scheme, finder.pose_method)
        assert landmark_scheme(finder.scheme).name == finder.scheme


@pytest.mark.parametrize("name", ["faces", "scrfd", "pose", "identity"])
def test_every_choice_of_a_model_names_weights_that_the_registry_has(name: str) -> None:
    for choice in get_args(PerceptionSettings.model_fields[name].annotation):
        settings = PerceptionSettings.model_validate({"faces": "scrfd", name: choice})
        assert {*perception_assets(settings), *optional_assets(settings)} <= set(asset_names())


def test_a_choice_adds_the_weights_of_its_model_and_no_other() -> None:
    plain = set(perception_assets(PerceptionSettings()))
    assert plain == {"face_landmarker", "dlib_face_recognition_resnet"}
    for changes, added, dropped in (
        ({"pose": "3ddfa_mb05"}, {"3ddfa_mb05", "3ddfa_whitening"}, set()),
        ({"mask": "ssd"}, {"face_mask_detection"}, set()),
        ({"identity": "arcface"}, {"w600k_r50"}, {"dlib_face_recognition_resnet"}),
        ({"faces": "scrfd", "scrfd": "scrfd_2.5g"}, {"scrfd_2.5g", "dlib_shape_predictor_68"}, set()),
        ({"scrfd": "scrfd_2.5g"}, set(), set()),
    ):
        assert set(perception_assets(PerceptionSettings.model_validate(changes))) == (plain | added) - dropped, changes


def test_the_pose_in_the_manifest_is_the_one_that_is_set_or_the_finders_own() -> None:
    assert pose_method(PerceptionSettings(pose="3ddfa_mb1")) == "3ddfa_mb1"
    assert pose_method(PerceptionSettings(faces="dlib")) == "dlib68_pnp"
    assert pose_method(PerceptionSettings(faces="scrfd")) == "mediapipe_transform"
