"""Points of faces in batches: the same as one by one, in the order in which the faces came."""

import numpy as np
import pytest

from curation.analysis.batches import JitterBatches
from foundation.array_types import Float32Array, RgbImage


def points_by_hand(frame: RgbImage, box_px: Float32Array) -> Float32Array:
    """Return three points that tell the picture and the rectangle apart from all others."""
    return np.array([[frame[0, 0, 0], box_px[0]], box_px[:2], box_px[2:]], np.float32)


@pytest.mark.parametrize("n_pictures", [0, 1, 7, 8, 17])
def test_points_come_back_in_order_however_many_faces_there_are(n_pictures: int) -> None:
    batches = JitterBatches(points_by_hand)
    expected = []
    for number in range(n_pictures):
        frame = np.full((2, 2, 3), number, np.uint8)
        for face in range(2):
            left = 10 * number + face
            batches.add(frame, np.array([left, 1, left + 5, 7], np.float32))
            expected.append([[number, left], [left, 1], [left + 5, 7]])
    assert batches.finish().tolist() == np.array(expected, np.float32).reshape(-1, 3, 2).tolist()
    assert batches.finish().shape == (2 * n_pictures, 3, 2)
