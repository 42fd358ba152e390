from pathlib import Path

import cv2
import numpy as np
import pytest

from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.rendering.picture_area import PictureArea, picture_area
from foundation.array_types import RgbImage


def photograph(height: int, width: int) -> RgbImage:
    """The astronaut, as large as asked for."""
    from skimage.data import astronaut

    return np.asarray(cv2.resize(astronaut(), (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def filled_frame(height: int, width: int, strip: int, sigma: float = 20.0) -> RgbImage:
    """An upright picture of `strip` columns in the middle of its own blurred enlargement, as editing programs do it."""
    behind = cv2.GaussianBlur(photograph(width, width)[(width - height) // 2 :][:height], (0, 0), sigma)
    frame = np.asarray(behind, np.uint8).copy()
    left = (width - strip) // 2
    frame[:, left : left + strip] = photograph(height, height)[:, (height - strip) // 2 :][:, :strip]
    return frame


def compressed(frame: RgbImage) -> RgbImage:
    coded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.parametrize(("height", "width", "strip"), [(720, 1280, 406), (1080, 1920, 608), (360, 640, 202)])
def test_the_strip_of_a_filled_frame_is_found_to_the_pixel(height: int, width: int, strip: int) -> None:
    for frame in (filled := filled_frame(height, width, strip), compressed(filled)):
        area = picture_area(frame)
        left = (width - strip) // 2
        assert (area.y0_px, area.y1_px) == (0, height)
        assert abs(area.x0_px - left) <= 1
        assert abs(area.x1_px - left - strip) <= 1


def test_a_wide_picture_in_an_upright_frame_is_found_too() -> None:
    upright = np.ascontiguousarray(filled_frame(720, 1280, 406).transpose(1, 0, 2))
    assert picture_area(upright) == PictureArea(x0_px=0, y0_px=437, x1_px=720, y1_px=843)


def test_all_of_a_photograph_is_its_picture_with_bars_of_one_colour_or_without() -> None:
    frame = photograph(480, 640)
    assert picture_area(frame) == PictureArea(x0_px=0, y0_px=0, x1_px=640, y1_px=480)
    frame[:, :120] = frame[:, -120:] = 16
    assert picture_area(frame) == PictureArea(x0_px=0, y0_px=0, x1_px=640, y1_px=480)


def test_no_real_clip_is_cut(shared_clips: Path) -> None:
    for path in sorted(shared_clips.iterdir()):
        frame = next(tick_frames(probe(path), 20, 21)).rgb
        assert frame is not None
        height, width = frame.shape[:2]
        assert picture_area(frame) == PictureArea(x0_px=0, y0_px=0, x1_px=width, y1_px=height), path.name
