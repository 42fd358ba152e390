import numpy as np
import pytest

from curation.rendering.crop import Crop, CropSettings, choose_crop
from curation.rendering.picture_area import PictureArea


def coded_frame(height: int, width: int) -> np.ndarray:
    """A picture whose red is the column, green the row."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([columns % 256, rows % 256, np.zeros_like(rows)], axis=-1).astype(np.uint8)


def whole(frame: np.ndarray) -> PictureArea:
    return PictureArea(x0_px=0, y0_px=0, x1_px=frame.shape[1], y1_px=frame.shape[0])


def test_a_crop_of_the_clips_own_size_is_the_source_pixel_for_pixel() -> None:
    frame = coded_frame(120, 200)
    picture = Crop(x0_px=37, y0_px=21, size_px=64).image(frame, whole(frame), 64)
    np.testing.assert_array_equal(picture, frame[21:85, 37:101])


def test_halving_averages_two_by_two_source_pixels() -> None:
    frame = coded_frame(120, 200)
    picture = Crop(x0_px=10, y0_px=20, size_px=64).image(frame, whole(frame), 32)
    # Columns 10 and 11 average to 10.5, rows 20 and 21 to 20.5; both round to even neighbours at most.
    assert abs(int(picture[0, 0, 0]) - 10.5) <= 0.5
    assert abs(int(picture[0, 0, 1]) - 20.5) <= 0.5
    assert abs(int(picture[31, 31, 0]) - 72.5) <= 0.5


@pytest.mark.parametrize(("x0", "y0"), [(-20, 10), (150, 10), (50, -30), (50, 100), (-20, -30)])
def test_beyond_the_frame_its_border_is_repeated(x0: int, y0: int) -> None:
    frame = coded_frame(120, 200)
    picture = Crop(x0_px=x0, y0_px=y0, size_px=64).image(frame, whole(frame), 64)
    columns = np.clip(np.arange(x0, x0 + 64), 0, 199)
    rows = np.clip(np.arange(y0, y0 + 64), 0, 119)
    np.testing.assert_array_equal(picture[:, :, 0], np.broadcast_to(columns, (64, 64)))
    np.testing.assert_array_equal(picture[:, :, 1], np.broadcast_to(rows[:, None], (64, 64)))


def test_beyond_the_picture_in_a_filled_frame_its_border_is_repeated() -> None:
    frame = coded_frame(120, 200)
    area = PictureArea(x0_px=70, y0_px=0, x1_px=130, y1_px=120)
    picture = Crop(x0_px=50, y0_px=20, size_px=100).image(frame, area, 100)
    assert picture[0, :, 0].tolist() == [70] * 20 + list(range(70, 130)) + [129] * 20


def test_points_follow_the_pixels() -> None:
    crop = Crop(x0_px=10, y0_px=20, size_px=128)
    points = crop.points(np.array([[[10, 20], [138, 148], [74, 84]]], np.float32), 256)
    assert points.tolist() == [[[0, 0], [256, 256], [128, 128]]]
    assert points.dtype == np.float32


def test_a_bright_spot_lies_where_its_point_says() -> None:
    frame = np.zeros((300, 300, 3), np.uint8)
    frame[101, 151] = 255  # its centre is at (151.5, 101.5)
    crop = Crop(x0_px=100, y0_px=50, size_px=100)
    picture = crop.image(frame, whole(frame), 200).astype(float)[:, :, 0]
    rows, columns = np.mgrid[0:200, 0:200] + 0.5
    spot = np.array([(columns * picture).sum(), (rows * picture).sum()]) / picture.sum()
    point = crop.points(np.array([151.5, 101.5], np.float32), 200)
    np.testing.assert_allclose(spot, point, atol=0.02)


def test_the_median_face_is_centred_at_the_asked_ratio() -> None:
    boxes = np.array([[100, 60, 180, 160]] * 5 + [[0, 0, 300, 300]] * 2, np.float32)  # two wild ticks
    crop = choose_crop(boxes, CropSettings(face_ratio=0.5))
    assert crop == Crop(x0_px=60, y0_px=30, size_px=160)
    middle = crop.points(np.array([140.0, 110.0], np.float32), 256)
    assert middle.tolist() == [128.0, 128.0]


def test_the_face_takes_the_same_part_of_the_frame_in_every_clip() -> None:
    for width in (90.0, 150.0, 333.0):
        box = np.array([[50, 50, 50 + width, 50 + 1.3 * width]], np.float32)
        crop = choose_crop(box, CropSettings(face_ratio=0.6))
        assert width / crop.size_px == pytest.approx(0.6, abs=0.003)


@pytest.mark.parametrize(("x0", "y0"), [(-20, 5), (190, 5), (10, -70), (10, 110), (-90, -90), (230, 150)])
def test_pixels_beyond_the_area_are_its_nearest_ones(x0: int, y0: int) -> None:
    frame = coded_frame(120, 200)
    area = PictureArea(x0_px=4, y0_px=6, x1_px=190, y1_px=115)
    picture = Crop(x0_px=x0, y0_px=y0, size_px=64).image(frame, area, 64)
    rows = np.clip(np.arange(y0, y0 + 64), 6, 114)
    columns = np.clip(np.arange(x0, x0 + 64), 4, 189)
    np.testing.assert_array_equal(picture, frame[rows[:, None], columns])
