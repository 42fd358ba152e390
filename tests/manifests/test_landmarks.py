"""The schemes' indices, against the packages that number the points and against the order of their contours."""

import numpy as np
import pytest

from manifests.landmarks import KEY_POINT_NAMES, key_points, landmark_scheme


@pytest.mark.parametrize("name", ["ibug68", "mediapipe478"])
def test_key_points_are_the_corners_of_the_contours(name: str) -> None:
    scheme = landmark_scheme(name)
    index = dict(zip(KEY_POINT_NAMES, scheme.key_point_indices, strict=True))
    # iBUG goes around either eye from the corner at the picture's left, MediaPipe from the outer corner; the other
    # corner is half way around.
    for eye, contour, begins_outside in (
        ("right_eye", scheme.right_eye, True),
        ("left_eye", scheme.left_eye, name == "mediapipe478"),
    ):
        corners = (contour[0], contour[len(contour) // 2])
        assert (index[f"{eye}_outer"], index[f"{eye}_inner"]) == (corners if begins_outside else corners[::-1])
    lips = scheme.outer_lips
    assert (index["mouth_right"], index["mouth_left"]) == (lips[0], lips[len(lips) // 2])
    assert {index["inner_lip_top"], index["inner_lip_bottom"]} <= set(scheme.inner_lips)
    assert len(set(scheme.key_point_indices)) == 9


def test_contours_are_those_of_mediapipe() -> None:
    from mediapipe.tasks.python.vision import FaceLandmarksConnections as Theirs

    scheme = landmark_scheme("mediapipe478")

    def edges(contour: tuple[int, ...]) -> set[frozenset[int]]:
        return {frozenset(pair) for pair in zip(contour, contour[1:] + contour[:1], strict=True)}

    theirs = {frozenset((edge.start, edge.end)) for edge in Theirs.FACE_LANDMARKS_RIGHT_EYE}
    assert edges(scheme.right_eye) == theirs
    assert edges(scheme.left_eye) == {frozenset((e.start, e.end)) for e in Theirs.FACE_LANDMARKS_LEFT_EYE}
    lips = {frozenset((edge.start, edge.end)) for edge in Theirs.FACE_LANDMARKS_LIPS}
    assert edges(scheme.outer_lips) | edges(scheme.inner_lips) == lips


@pytest.mark.parametrize("name", ["ibug68", "mediapipe478"])
def test_lips_and_jaw_move_with_the_mouth_and_eyes_and_nose_do_not(name: str) -> None:
    scheme = landmark_scheme(name)
    moving = set(scheme.mouth_and_jaw)
    assert list(scheme.mouth_and_jaw) == sorted(moving)
    assert {*scheme.outer_lips, *scheme.inner_lips, *scheme.jaw} <= moving
    nose_tip = scheme.key_point_indices[KEY_POINT_NAMES.index("nose_tip")]
    assert not moving & {nose_tip, *scheme.right_eye, *scheme.left_eye}


def test_the_points_of_mediapipe_that_move_with_the_mouth_lie_below_the_nose() -> None:
    # the chin and the point between nose and lip do; the wings of the nose and the irises do not
    moving = set(landmark_scheme("mediapipe478").mouth_and_jaw)
    assert {152, 199, 164, 0, 17} <= moving
    assert not moving & {2, 98, 327, *range(468, 478)}
    assert len(moving) == 172


def test_key_points_keep_leading_axes_and_the_order_of_the_names() -> None:
    landmarks = np.arange(2 * 3 * 68 * 2, dtype=np.float32).reshape(2, 3, 68, 2)
    nine = key_points(landmarks, landmark_scheme("ibug68"))
    assert nine.shape == (2, 3, 9, 2)
    assert nine[1, 2, 0].tolist() == landmarks[1, 2, 30].tolist()  # iBUG's point 31 is the nose tip, counted from 1
    assert nine[1, 2, 8].tolist() == landmarks[1, 2, 66].tolist()


def test_an_unknown_scheme_names_the_known() -> None:
    with pytest.raises(ValueError, match="'wflw98' is unknown; known are ibug68, mediapipe478"):
        landmark_scheme("wflw98")
