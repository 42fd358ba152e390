"""Sharpness, brightness and lip aperture against hand counts."""

import numpy as np
import pytest

from curation.analysis.face_quality import face_luma, face_sharpness, lip_aperture


def box(*edges: float) -> np.ndarray:
    return np.array(edges, np.float32)


def test_luma_weighs_the_channels_as_bt601_does() -> None:
    frame = np.zeros((20, 20, 3), np.uint8)
    frame[5:15, 5:15] = (100, 200, 50)
    assert face_luma(frame, box(5, 5, 15, 15)) == pytest.approx(0.299 * 100 + 0.587 * 200 + 0.114 * 50)


def test_luma_of_a_box_half_outside_is_that_of_the_part_inside() -> None:
    frame = np.full((10, 10, 3), 80, np.uint8)
    assert face_luma(frame, box(-10, -10, 5, 5)) == pytest.approx(80)


def test_a_box_outside_the_frame_is_not_measurable() -> None:
    frame = np.zeros((10, 10, 3), np.uint8)
    assert np.isnan(face_luma(frame, box(12, 0, 20, 8)))
    assert np.isnan(face_sharpness(frame, box(-9, -9, -1, -1)))


def test_a_flat_face_has_no_sharpness() -> None:
    assert face_sharpness(np.full((200, 200, 3), 77, np.uint8), box(20, 20, 180, 180)) == 0.0


def test_sharpness_is_the_variance_of_the_four_neighbour_laplacian() -> None:
    # vertical stripes two pixels wide, 0 and 100: each pixel has one unlike neighbour, so the answer is +100 or -100;
    # at the left and right edge the mirrored neighbour is the next column, which is alike
    frame = np.repeat(np.tile(np.array([0, 0, 100, 100], np.uint8), 32)[None, :, None], 128, axis=0).repeat(3, axis=2)
    inner = 126 / 128
    assert face_sharpness(frame, box(0, 0, 128, 128)) == pytest.approx(100.0**2 * inner, rel=1e-3)


def test_sharpness_does_not_depend_on_the_size_of_the_face() -> None:
    small = np.random.default_rng(1).integers(0, 255, (128, 128, 3), np.uint8)
    large = small.repeat(3, axis=0).repeat(3, axis=1)
    assert face_sharpness(large, box(0, 0, 384, 384)) == pytest.approx(face_sharpness(small, box(0, 0, 128, 128)))


def test_lip_aperture_is_inner_lip_height_over_face_height() -> None:
    points = np.zeros((9, 2), np.float32)
    points[7], points[8] = (50, 60), (50, 72)
    assert lip_aperture(points, box(0, 0, 80, 120)) == pytest.approx(0.1)
