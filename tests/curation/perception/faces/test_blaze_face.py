"""The detector's numbers become faces as its paper says."""

import numpy as np
import pytest

from curation.perception.faces.blaze_face import anchor_centres, decode_faces


def test_anchors_are_two_per_cell_of_16_and_six_per_cell_of_8() -> None:
    anchors = anchor_centres()
    assert anchors.shape == (896, 2)
    # row by row: the third anchor is the second cell of the first row
    assert anchors[[0, 1, 2, 32, 512, 518, 560]].tolist() == [
        [1 / 32, 1 / 32], [1 / 32, 1 / 32], [3 / 32, 1 / 32], [1 / 32, 3 / 32],
        [1 / 16, 1 / 16], [3 / 16, 1 / 16], [1 / 16, 3 / 16],
    ]  # fmt: skip


def test_overlapping_answers_are_averaged_by_score_and_weak_ones_left_out() -> None:
    anchors = anchor_centres()
    regressions = np.zeros((896, 16), np.float32)
    regressions[:, 2:4] = 32.0  # a box of a quarter of the input
    regressions[:, 4] = -8.0  # the right eye 1/16 to the left
    logits = np.full(896, -20.0, np.float32)
    logits[0] = np.log(3.0)  # 0.75 at (1/32, 1/32)
    logits[2] = 0.0  # 0.5 at (3/32, 1/32): one and the same face
    logits[895] = np.log(9.0)  # 0.9 at (15/16, 15/16)
    points, scores = decode_faces(regressions, logits, anchors, 0.5)
    assert scores == pytest.approx([0.9, 0.75])
    centre_x = (0.75 * 1 / 32 + 0.5 * 3 / 32) / 1.25
    expected = [[centre_x - 1 / 8, 1 / 32 - 1 / 8], [centre_x + 1 / 8, 1 / 32 + 1 / 8], [centre_x - 1 / 16, 1 / 32]]
    assert points[1, :3] == pytest.approx(np.array(expected))


def test_an_empty_picture_has_no_faces() -> None:
    points, scores = decode_faces(
        np.zeros((896, 16), np.float32), np.full(896, -9.0, np.float32), anchor_centres(), 0.5
    )
    assert points.shape == (0, 4, 2)
    assert scores.shape == (0,)
