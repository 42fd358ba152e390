import numpy as np
import pytest
from pydantic import ValidationError

from curation.rules.frontal import FrontalSettings, frontal, frontal_angle_deg
from manifests.landmarks import KEY_POINT_NAMES

NAMES = {name: index for index, name in enumerate(KEY_POINT_NAMES)}


def face(nose: tuple[float, float], right_outer: tuple[float, float], left_outer: tuple[float, float]) -> np.ndarray:
    points = np.zeros((9, 2), np.float32)
    points[NAMES["nose_tip"]] = nose
    points[NAMES["right_eye_outer"]] = right_outer
    points[NAMES["left_eye_outer"]] = left_outer
    # Inner corners and all else at places that would give other angles if they were taken instead.
    points[NAMES["right_eye_inner"]] = (right_outer[0] + 17, right_outer[1] - 5)
    points[NAMES["left_eye_inner"]] = (left_outer[0] - 9, left_outer[1] + 11)
    return points


def test_upright_frontal_face_measures_180_degrees() -> None:
    # 45 degrees to the right corner (up and left of the nose), 135 to the left one, clockwise from the left horizontal.
    assert frontal_angle_deg(face((50, 60), (20, 30), (80, 30))) == pytest.approx(180.0, abs=1e-4)


def test_nose_towards_the_pictures_left_gives_more_than_180() -> None:
    # Right corner straight above the nose (90), left corner at 45 degrees above the right horizontal (135): 225.
    assert frontal_angle_deg(face((20, 60), (20, 30), (50, 30))) == pytest.approx(225.0, abs=1e-4)


def test_nose_towards_the_pictures_right_gives_less_than_180() -> None:
    # Right corner at 45, left corner straight above the nose: 90.
    assert frontal_angle_deg(face((80, 60), (50, 30), (80, 30))) == pytest.approx(135.0, abs=1e-4)


def test_tilt_counts_twice_clockwise_up() -> None:
    tilt = np.radians(10.0)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])  # clockwise on a screen, y down
    tilted = (face((50, 60), (20, 30), (80, 30)) - 50) @ turn.T + 50
    assert frontal_angle_deg(tilted.astype(np.float32)) == pytest.approx(200.0, abs=1e-3)


def test_outer_corners_are_taken_not_inner_ones() -> None:
    points = face((50, 60), (20, 30), (80, 30))
    swapped = points.copy()
    swapped[[NAMES["left_eye_outer"], NAMES["left_eye_inner"]]] = points[
        [NAMES["left_eye_inner"], NAMES["left_eye_outer"]]
    ]
    # Left inner corner at (71, 41): atan2(19, -21) = 137.86 degrees; with 45 of the right outer one, 182.86.
    assert frontal_angle_deg(swapped) == pytest.approx(182.862, abs=1e-2)


def test_angle_keeps_leading_axes() -> None:
    assert frontal_angle_deg(np.zeros((4, 3, 9, 2), np.float32)).shape == (4, 3)


def test_deviation_on_either_side_of_180_is_held_against_the_limit() -> None:
    verdict = frontal(np.array([180.0, 159.0, 201.0, 160.0, np.nan], np.float32), 20.0)
    assert verdict.failed.tolist() == [False, True, True, False, False]
    np.testing.assert_allclose(verdict.value, [0, 21, 21, 20, np.nan])


def test_strict_limit_above_the_loose_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="strict allows less"):
        FrontalSettings(strict_deg=50.0, loose_deg=40.0)
