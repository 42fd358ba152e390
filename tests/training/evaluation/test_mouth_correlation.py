"""Correlation of the opening of the mouth, on faces of which only the lips move."""

import numpy as np
import pytest

from foundation.array_types import Float32Array
from foundation.errors import UsageError
from manifests.landmarks import KEY_POINT_NAMES, SCHEMES, LandmarkScheme, landmark_scheme
from training.evaluation.mouth_correlation import mouth_correlation, mouth_opening

IBUG = landmark_scheme("ibug68")

OPENING_PX = np.array([0.0, 5.0, 10.0, 5.0, 0.0, 5.0])


def _face(opening_px: "np.ndarray", scheme: LandmarkScheme = IBUG, scale: float = 1.0) -> Float32Array:
    """A face whose outer corners of the eyes are 100 pixels apart."""
    index = dict(zip(KEY_POINT_NAMES, scheme.key_point_indices, strict=True))
    points = np.zeros((len(opening_px), scheme.n_points, 2))
    points[:, index["left_eye_outer"]] = (150.0, 80.0)
    points[:, index["right_eye_outer"]] = (50.0, 80.0)
    points[:, index["inner_lip_top"]] = (100.0, 150.0)
    points[:, index["inner_lip_bottom"]] = np.stack([np.full(len(opening_px), 100.0), 150.0 + opening_px], axis=-1)
    return (points * scale).astype(np.float32)


@pytest.mark.parametrize("name", SCHEMES)
def test_the_opening_is_in_distances_of_the_eyes_whatever_the_size_of_the_face(name: str) -> None:
    scheme = landmark_scheme(name)
    for scale in (1.0, 0.25):
        found = mouth_opening(_face(OPENING_PX, scheme, scale), scheme)
        assert found == pytest.approx(OPENING_PX / 100.0, abs=1e-6)


def test_lips_that_move_alike_correlate_by_1_however_far_they_move_and_lips_that_move_against_them_by_minus_1() -> None:
    truth = _face(OPENING_PX)
    assert mouth_correlation(_face(0.2 * OPENING_PX + 3.0, scale=0.5), truth, IBUG).mean == pytest.approx(1.0, abs=1e-4)
    assert mouth_correlation(_face(10.0 - OPENING_PX), truth, IBUG).mean == pytest.approx(-1.0, abs=1e-4)


def test_lips_that_move_at_other_times_do_not_correlate() -> None:
    # two waves a quarter of a period apart
    truth, moved = ([0.0, 5.0, 10.0, 5.0] * 3, [5.0, 10.0, 5.0, 0.0] * 3)
    assert mouth_correlation(_face(np.array(moved)), _face(np.array(truth)), IBUG).mean == pytest.approx(0.0, abs=1e-6)


def test_by_hand_three_frames() -> None:
    # (0, 1, 2) and (0, 2, 1): covariance 1/3, variances 2/3
    found = mouth_correlation(_face(np.array([0.0, 20.0, 10.0])), _face(np.array([0.0, 10.0, 20.0])), IBUG)
    assert (found.mean, found.n_frames) == (pytest.approx(0.5, abs=1e-6), 3)


def test_a_still_mouth_and_two_frames_have_no_correlation() -> None:
    truth = _face(OPENING_PX)
    still = _face(np.full(6, 4.0))
    assert mouth_correlation(still, truth, IBUG).mean is None
    assert mouth_correlation(truth, still, IBUG).mean is None
    assert mouth_correlation(truth[:2], truth[:2], IBUG).mean is None


def test_frames_without_a_face_are_left_out_and_counted() -> None:
    truth, moved = _face(OPENING_PX), _face(OPENING_PX)
    moved[1] = np.nan
    truth[4] = np.nan
    found = mouth_correlation(moved, truth, IBUG)
    assert (found.mean, found.n_frames, found.n_missing) == (pytest.approx(1.0, abs=1e-6), 4, 2)


def test_landmarks_of_another_length_are_refused() -> None:
    with pytest.raises(UsageError, match=r"shape \(5, 68, 2\)"):
        mouth_correlation(_face(OPENING_PX)[:5], _face(OPENING_PX), IBUG)
