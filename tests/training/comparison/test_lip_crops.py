import numpy as np
import pytest

from training.comparison.lip_crops import crop_squares


def faces(n: int, seen: list[int] | None = None) -> np.ndarray:
    """(n, 68, 2) landmarks from x 40 to 80 and from y 50 to 100; NaN where a tick is not `seen`."""
    landmarks = np.full((n, 68, 2), 60.0, np.float32)
    landmarks[:, 0], landmarks[:, 1] = (40.0, 50.0), (80.0, 100.0)
    if seen is not None:
        landmarks[[tick for tick in range(n) if tick not in seen]] = np.nan
    return landmarks


def test_the_crop_is_that_of_syncnets_authors_around_landmarks_and_forehead() -> None:
    # 40 wide and 50 + 10 high: the half of the longer side is 30, the middle (60, 70)
    squares = crop_squares(faces(20))
    assert squares is not None
    assert squares[7].tolist() == pytest.approx([60 - 1.4 * 30, 70 - 30, 2.8 * 30], abs=1e-4)
    assert squares.shape == (20, 3)


def test_one_odd_box_does_not_move_the_crop() -> None:
    landmarks = faces(20)
    landmarks[9] += 30
    squares = crop_squares(landmarks)
    assert squares is not None
    assert np.allclose(squares, squares[0])


def test_ticks_without_a_face_take_the_nearest_box() -> None:
    landmarks = faces(40)
    landmarks[20:] += 10
    landmarks[14:19] = np.nan
    squares = crop_squares(landmarks)
    assert squares is not None
    assert np.isfinite(squares).all()
    assert squares[0, 0] + 10 == pytest.approx(squares[-1, 0])


def test_a_face_on_fewer_than_half_of_the_ticks_is_not_cropped() -> None:
    assert crop_squares(faces(10, seen=[0, 1, 2, 3])) is None
    assert crop_squares(faces(10, seen=[0, 1, 2, 3, 4])) is not None
