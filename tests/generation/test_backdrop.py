import numpy as np
import pytest

from curation.rendering.crop import Crop
from foundation.array_types import RgbImage
from generation.backdrop import Backdrop


def _plain(height: int, width: int, *colour: int) -> RgbImage:
    return np.full((height, width, 3), colour, np.uint8)


def _backdrop(picture: RgbImage, crop: Crop, size_px: int = 64) -> Backdrop:
    shown = _plain(size_px, size_px, 100, 100, 100)
    return Backdrop.of_portrait(picture, crop, shown, shown)


def test_the_frame_is_in_its_square_and_the_rest_of_the_picture_is_untouched() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    made = _backdrop(picture, Crop(x0_px=100, y0_px=40, size_px=120)).with_face(_plain(64, 64, 10, 20, 30))
    outside = np.ones((200, 300), np.bool_)
    outside[40:160, 100:220] = False
    assert (made[outside] == picture[outside]).all()
    # 15 % of 120 px fade at each side
    assert (made[58:142, 118:202] == [10, 20, 30]).all()


def test_the_border_fades_evenly_and_without_a_step() -> None:
    made = _backdrop(_plain(100, 100, 200, 200, 200), Crop(x0_px=0, y0_px=0, size_px=100)).with_face(
        _plain(100, 100, 0, 0, 0)
    )
    row = made[50, :, 0].astype(int)
    assert row[0] > 195
    assert (np.diff(row[:50]) <= 0).all()
    assert np.abs(np.diff(row)).max() < 25  # 200 levels over 15 pixels, steepest in their middle
    assert (row == row[::-1]).all()


@pytest.mark.parametrize("crop", [Crop(x0_px=-30, y0_px=-50, size_px=100), Crop(x0_px=60, y0_px=70, size_px=100)])
def test_a_square_that_reaches_beyond_the_picture_is_cut_off(crop: Crop) -> None:
    frame = np.zeros((100, 100, 3), np.uint8)
    frame[..., 0], frame[..., 1] = np.mgrid[:100, :100]
    made = _backdrop(_plain(120, 110, 0, 0, 255), crop, 100).with_face(frame)
    assert made.shape == (120, 110, 3)
    # the middle of the square shows the frame at its own place
    y, x = min(crop.y0_px + 50, 119), min(crop.x0_px + 50, 109)
    assert made[max(y, 0), x].tolist() == [max(y, 0) - crop.y0_px, x - crop.x0_px, 0]


def test_colours_that_the_networks_change_are_moved_back() -> None:
    shown, made = _plain(64, 64, 100, 150, 200), _plain(64, 64, 110, 140, 200)
    backdrop = Backdrop.of_portrait(_plain(64, 64, 100, 150, 200), Crop(x0_px=0, y0_px=0, size_px=64), shown, made)
    assert backdrop.colour_shift.tolist() == [-10.0, 10.0, 0.0]
    assert (backdrop.with_face(made) == shown).all()


def test_large_and_odd_pictures_get_a_size_that_can_be_encoded() -> None:
    large = _backdrop(_plain(2001, 4001, 9, 9, 9), Crop(x0_px=1000, y0_px=500, size_px=1000))
    assert large.picture.shape == (960, 1920, 3)
    assert large.square == Crop(x0_px=480, y0_px=240, size_px=480)
    odd = _backdrop(_plain(101, 77, 9, 9, 9), Crop(x0_px=10, y0_px=10, size_px=50))
    assert odd.with_face(_plain(64, 64, 9, 9, 9)).shape == (100, 76, 3)
