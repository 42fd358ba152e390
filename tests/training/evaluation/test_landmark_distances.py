import numpy as np
import pytest

from foundation.array_types import Float32Array
from foundation.errors import UsageError
from manifests.landmarks import SCHEMES, landmark_scheme
from training.evaluation.frame_mean import FrameMean
from training.evaluation.landmark_distance import average_keypoint_distance
from training.evaluation.lip_distance import lip_landmark_distance

IBUG = landmark_scheme("ibug68")


def _face(scheme: str, n_frames: int = 4) -> Float32Array:
    random = np.random.default_rng(1)
    return random.uniform(40, 90, (n_frames, landmark_scheme(scheme).n_points, 2)).astype(np.float32)


@pytest.mark.parametrize("name", SCHEMES)
def test_equal_landmarks_have_no_distance(name: str) -> None:
    face, scheme = _face(name), landmark_scheme(name)
    perfect = FrameMean(mean=0.0, n_frames=4, n_missing=0)
    assert average_keypoint_distance(face, face, scheme, width_px=256) == perfect
    assert lip_landmark_distance(face, face, scheme, width_px=256) == perfect


def test_a_shift_of_3_and_4_pixels_is_5_or_by_coordinates_3_and_a_half() -> None:
    truth = _face("ibug68")
    moved = truth + np.array([3.0, 4.0], np.float32)
    assert average_keypoint_distance(moved, truth, IBUG, width_px=256).mean == pytest.approx(5.0, abs=1e-5)
    by_coordinates = average_keypoint_distance(moved, truth, IBUG, width_px=256, distance="coordinates")
    assert by_coordinates.mean == pytest.approx(3.5, abs=1e-5)
    # pictures of 128 pixels: twice as far in one of 256
    assert average_keypoint_distance(moved, truth, IBUG, width_px=128).mean == pytest.approx(10.0, abs=1e-5)


def test_the_lips_are_compared_about_their_own_middle() -> None:
    truth = _face("ibug68")
    moved = truth + np.array([30.0, -10.0], np.float32)
    moved[:, :48] += 7.0  # what is no lip does not count
    assert lip_landmark_distance(moved, truth, IBUG, width_px=256).mean == pytest.approx(0.0, abs=1e-4)
    # one of 20 points by 20 pixels moves the middle by 1: it is 19 from there, the 19 others 1 each
    one = truth.copy()
    one[:, 66, 1] += 20.0
    assert lip_landmark_distance(one, truth, IBUG, width_px=256).mean == pytest.approx((19 + 19 * 1) / 20, abs=1e-4)


def test_frames_without_a_face_in_either_video_are_left_out_and_counted() -> None:
    truth = _face("ibug68")
    moved = truth + np.array([3.0, 4.0], np.float32)
    moved[0] = np.nan
    truth[2] = np.nan
    found = average_keypoint_distance(moved, truth, IBUG, width_px=256)
    assert (found.mean, found.n_frames, found.n_missing) == (pytest.approx(5.0, abs=1e-5), 2, 2)
    nothing = np.full_like(truth, np.nan)
    none = FrameMean(mean=None, n_frames=0, n_missing=4)
    assert average_keypoint_distance(nothing, truth, IBUG, width_px=256) == none
    assert lip_landmark_distance(nothing, truth, IBUG, width_px=256) == none


def test_landmarks_of_another_scheme_or_length_are_refused() -> None:
    truth = _face("ibug68")
    with pytest.raises(
        UsageError, match=r"generated landmarks have the shape \(4, 478, 2\).*ibug68 it is \(4, 68, 2\)"
    ):
        average_keypoint_distance(_face("mediapipe478"), truth, IBUG, width_px=256)
    with pytest.raises(UsageError, match=r"shape \(3, 68, 2\)"):
        lip_landmark_distance(truth[:3], truth, IBUG, width_px=256)
    with pytest.raises(UsageError, match="0 pixels"):
        average_keypoint_distance(truth, truth, IBUG, width_px=0)
