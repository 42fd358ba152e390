"""The signs and the order of the pose angles."""

import numpy as np
import pytest

from curation.perception.pose.angles import pose_from_rotation


def rotation_that_moves(nose: tuple[float, float, float], right: tuple[float, float, float]) -> np.ndarray:
    """Return the rotation that sends +z (the nose) to `nose` and +x (the picture's right) to `right`."""
    forward, across = np.array(nose) / np.linalg.norm(nose), np.array(right) / np.linalg.norm(right)
    return np.stack([across, np.cross(forward, across), forward], axis=1)


def test_a_nose_towards_the_right_border_is_positive_yaw() -> None:
    pose = pose_from_rotation(rotation_that_moves((1, 0, np.sqrt(3)), (np.sqrt(3), 0, -1)))
    assert pose == pytest.approx([0, 30, 0], abs=1e-4)


def test_a_nose_raised_is_positive_pitch() -> None:
    assert pose_from_rotation(rotation_that_moves((0, 1, 1), (1, 0, 0))) == pytest.approx([45, 0, 0], abs=1e-4)


def test_a_head_tilted_clockwise_as_seen_is_positive_roll() -> None:
    # clockwise: what pointed right now points down
    assert pose_from_rotation(rotation_that_moves((0, 0, 1), (1, -1, 0))) == pytest.approx([0, 0, 45], abs=1e-4)


def test_turning_the_picture_changes_the_roll_only() -> None:
    turned = rotation_that_moves((1, 0, 2), (2, 0, -1)) @ rotation_that_moves((0, 1, 3), (1, 0, 0))
    angle = np.radians(25)
    clockwise = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    change = pose_from_rotation(clockwise @ turned) - pose_from_rotation(turned)
    assert change == pytest.approx([0, 0, 25], abs=1e-4)
