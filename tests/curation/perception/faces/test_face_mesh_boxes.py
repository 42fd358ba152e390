"""A detector's box that goes with the landmarks of a face."""

from dataclasses import replace

import numpy as np
import pytest

from curation.perception.faces.face_mesh import can_be_followed, carried_box
from curation.perception.protocols import FaceObservation

FACE = FaceObservation(
    box_px=np.array([90, 70, 210, 250], np.float32),
    score=0.9,
    landmarks_px=np.random.default_rng(1).uniform((100, 100), (200, 240), (478, 2)).astype(np.float32),
    pose_deg=np.zeros(3, np.float32),
    blendshapes=None,
)


def test_a_box_moves_and_grows_with_the_landmarks() -> None:
    grown = 1.5 * FACE.landmarks_px + np.array([30, -20], np.float32)
    assert carried_box(FACE, replace(FACE, landmarks_px=grown)) == pytest.approx([165, 85, 345, 355], abs=1e-2)


def test_the_middle_of_a_box_turns_with_the_head() -> None:
    quarter = np.stack([-FACE.landmarks_px[:, 1], FACE.landmarks_px[:, 0]], axis=1)  # 90 degrees, about the origin
    x0, y0, x1, y1 = carried_box(FACE, replace(FACE, landmarks_px=quarter))
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((-160, 150), abs=1e-2)
    assert (x1 - x0, y1 - y0) == pytest.approx((120, 180), abs=1e-2)


@pytest.mark.parametrize(("yaw_deg", "straight"), [(24.0, True), (-24.0, True), (26.0, False), (-26.0, False)])
def test_only_straight_heads_are_followed(yaw_deg: float, straight: bool) -> None:
    turned = replace(FACE, pose_deg=np.array([0, yaw_deg, 0], np.float32))
    assert can_be_followed([FACE, turned]) is straight
