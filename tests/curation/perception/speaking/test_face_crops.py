import cv2
import numpy as np
import pytest

from curation.perception.speaking.face_crops import crop_squares, cut_grey_face

BOX = np.array([100, 60, 180, 160], np.float32)
"""80 wide, 100 high: the centre is (140, 110)."""

AS_IT_IS = (1.0, 0.0)


def boxes(n: int) -> np.ndarray:
    return np.tile(BOX, (n, 1))


def test_a_box_that_does_not_move_gives_its_centre_and_its_longer_side() -> None:
    np.testing.assert_allclose(crop_squares(boxes(3), AS_IT_IS), [[140, 110, 100]] * 3)


def test_the_box_of_a_finder_becomes_that_of_a_head() -> None:
    # half as long again, and its centre a tenth of 100 pixels higher
    np.testing.assert_allclose(crop_squares(boxes(2), (1.5, -0.1)), [[140, 100, 150]] * 2)


def test_a_box_that_jumps_for_six_ticks_of_thirteen_does_not_move_the_crop() -> None:
    jumping = boxes(30)
    jumping[10:16] += 40
    np.testing.assert_allclose(crop_squares(jumping, AS_IT_IS), [[140, 110, 100]] * 30)
    jumping[16] += 40  # seven of thirteen are the median
    assert crop_squares(jumping, AS_IT_IS)[13, 0] == 180


def test_a_box_that_was_not_found_moves_evenly_from_the_one_before_to_the_one_after() -> None:
    gap = boxes(60)
    gap[40:] += 210
    gap[20:40] = np.nan
    squares = crop_squares(gap, AS_IT_IS)
    # 21 steps of 10 pixels from tick 19 to tick 40; of numbers that only rise, the middle one is the median
    np.testing.assert_allclose(squares[[10, 30, 50]], [[140, 110, 100], [250, 220, 100], [350, 320, 100]])


def test_a_face_without_any_box_is_refused() -> None:
    with pytest.raises(ValueError, match="none of 4 boxes is there"):
        crop_squares(np.full((4, 4), np.nan, np.float32), AS_IT_IS)


def test_the_crop_is_seven_tenths_of_the_longer_side_and_lies_two_tenths_below_the_centre() -> None:
    # rows and columns of the frame as grey values: the crop shows where it was cut
    columns = np.tile(np.arange(300) % 256, (300, 1)).astype(np.uint8)
    square = crop_squares(boxes(1), AS_IT_IS)[0]
    across = cut_grey_face(np.repeat(columns[..., None], 3, axis=2), square)
    down = cut_grey_face(np.repeat(columns.T[..., None], 3, axis=2), square)
    # 70 pixels around (140, 130): columns 105 to 175, rows 95 to 165
    assert across.shape == (112, 112)
    assert (across[:, 0].mean(), across[:, -1].mean()) == pytest.approx((105, 174), abs=1)
    assert (down[0].mean(), down[-1].mean()) == pytest.approx((95, 164), abs=1)


def original(frame: np.ndarray, x: float, y: float, half: float) -> np.ndarray:
    """The lines of the original's preparation: a frame with a border, cut, 224 wide, grey, its inner 112."""
    border = int(half * (1 + 2 * 0.40))
    padded = np.pad(frame, ((border, border), (border, border), (0, 0)), "constant", constant_values=(110, 110))
    my, mx = y + border, x + border
    face = padded[int(my - half) : int(my + half * (1 + 2 * 0.40)), int(mx - half * 1.4) : int(mx + half * 1.4)]
    grey = cv2.cvtColor(cv2.resize(face, (224, 224)), cv2.COLOR_RGB2GRAY)
    return grey[56:168, 56:168]


@pytest.mark.parametrize(
    "box", [(100, 60, 180, 160), (10.3, 5.7, 77.9, 81.2), (210, 190, 290, 280.5), (-20, 8, 31, 66)]
)
def test_the_pixels_are_those_of_the_original_also_beyond_the_borders(box: tuple[float, ...]) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (256, 300, 3), np.uint8)
    square = crop_squares(np.array([box], np.float32), AS_IT_IS)[0]
    np.testing.assert_array_equal(cut_grey_face(frame, square), original(frame, square[0], square[1], square[2] / 2))


def test_a_box_without_area_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be cut"):
        cut_grey_face(np.zeros((50, 50, 3), np.uint8), np.array([20.0, 20.0, 0.0]))
