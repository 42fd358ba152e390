import numpy as np
import pytest
from pydantic import ValidationError

from curation.rules.frontal import FrontalSettings, deviation_deg, frontal, frontal_angle_deg, roll_deg
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


def tilted(points: np.ndarray, deg: float) -> np.ndarray:
    """Return points turned clockwise on a screen, y down, around (50, 50)."""
    tilt = np.radians(deg)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    return ((points - 50) @ turn.T + 50).astype(np.float32)


@pytest.mark.parametrize("deg", [15.0, -15.0])
def test_a_tilt_of_15_degrees_is_30_off_by_a1_and_15_without_the_roll(deg: float) -> None:
    points = tilted(face((50, 60), (20, 30), (80, 30)), deg)
    assert roll_deg(points) == pytest.approx(deg, abs=1e-3)
    assert deviation_deg(points, "a1") == pytest.approx(30.0, abs=1e-3)
    assert deviation_deg(points, "roll_free") == pytest.approx(15.0, abs=1e-3)


def test_without_the_roll_a_turned_face_is_as_far_off_tilted_as_upright() -> None:
    turned = face((62, 60), (20, 30), (80, 30))
    upright = deviation_deg(turned, "a1")
    for deg in (-12.0, 0.0, 12.0):
        assert deviation_deg(tilted(turned, deg), "roll_free") == pytest.approx(upright, abs=1e-3)
    # by A.1's angle a tilt hides the turn, or adds to it
    assert deviation_deg(tilted(turned, upright / 2), "a1") == pytest.approx(0.0, abs=1e-2)


def test_a_face_that_lies_on_its_side_or_upside_down_is_not_frontal() -> None:
    points = face((50, 60), (20, 30), (80, 30))
    assert deviation_deg(tilted(points, 90.0), "roll_free") == pytest.approx(90.0, abs=1e-3)
    assert deviation_deg(tilted(points, 179.0), "roll_free") == pytest.approx(179.0, abs=1e-2)


def test_an_image_turned_in_its_mirror_is_as_far_off() -> None:
    points = tilted(face((58, 62), (20, 30), (80, 30)), 9.0)
    mirrored = points.copy()
    mirrored[:, 0] = 100 - mirrored[:, 0]
    mirrored[[NAMES["right_eye_outer"], NAMES["left_eye_outer"]]] = mirrored[
        [NAMES["left_eye_outer"], NAMES["right_eye_outer"]]
    ]
    for measure in ("a1", "roll_free"):
        assert deviation_deg(mirrored, measure) == pytest.approx(deviation_deg(points, measure), abs=1e-3)


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


def test_a_deviation_at_the_limit_passes_and_an_unknown_one() -> None:
    verdict = frontal(np.array([0.0, 21.0, 20.5, 20.0, np.nan], np.float32), 20.0)
    assert verdict.failed.tolist() == [False, True, True, False, False]
    np.testing.assert_allclose(verdict.value, [0, 21, 20.5, 20, np.nan])


def test_the_measure_of_a1_is_the_deviation_of_the_frontal_angle_on_either_side() -> None:
    faces = np.stack([face((20, 60), (20, 30), (50, 30)), face((80, 60), (50, 30), (80, 30))])
    np.testing.assert_allclose(deviation_deg(faces, "a1"), [45.0, 45.0], atol=1e-4)


def test_strict_limit_above_the_loose_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="strict allows less"):
        FrontalSettings(strict_deg=50.0, loose_deg=40.0)
