"""Pictures of clips that are cut out of luma and chroma as they are stored, without a detour over RGB."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from helpers.made_videos import Coding, counted_picture, frame_times, write_video

from curation.media.convert import LazyImage, StoredPlanes
from curation.media.display_shape import DisplayShape
from curation.media.encode import encode_mp4
from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.rendering.clip_pictures import ClipPictures
from curation.rendering.crop import Crop
from curation.rendering.picture_area import picture_area
from foundation.array_types import RgbImage, UInt8Array

BT709, BT601 = 1, 6


class Stored(LazyImage):
    """A grey frame of these planes."""

    def __init__(self, luma: UInt8Array, chroma: tuple[UInt8Array, UInt8Array], matrix: int, *, full: bool) -> None:
        super().__init__(DisplayShape(luma.shape[1], luma.shape[0], 0, flipped=False))
        self._planes = StoredPlanes(luma=luma, chroma=chroma, matrix=matrix, full_range=full)

    @property
    def planes(self) -> StoredPlanes:
        return self._planes

    def _displayed(self) -> RgbImage:
        return np.zeros((*self._planes.luma.shape, 3), np.uint8)


def coded(matrix: int = BT709, height: int = 120, width: int = 200) -> Stored:
    """Luma is the column or the row, whichever is larger; chroma are twice its own column and row."""
    rows, columns = np.mgrid[0:height, 0:width]
    blue, red = columns[: -(-height // 2), : -(-width // 2)], rows[: -(-height // 2), : -(-width // 2)]
    luma = np.maximum(columns, rows).astype(np.uint8)
    return Stored(luma, ((2 * blue).astype(np.uint8), (2 * red).astype(np.uint8)), matrix, full=False)


def one_colour(codes: tuple[int, int, int], matrix: int, *, full: bool) -> Stored:
    luma, blue, red = (
        np.full(shape, code, np.uint8) for shape, code in zip(((96, 96), (48, 48), (48, 48)), codes, strict=True)
    )
    return Stored(luma, (blue, red), matrix, full=full)


def planes_of(picture: RgbImage | VideoFrame) -> list[UInt8Array]:
    assert isinstance(picture, VideoFrame)
    assert picture.format.name == "yuv420p"
    return [
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in picture.planes
    ]


def codes(rgb: tuple[int, int, int], red: float, blue: float, *, full: bool) -> tuple[float, float, float]:
    """Luma, blue and red difference of 8 bits, by the definition of H.273."""
    r, g, b = (value / 255 for value in rgb)
    luma = red * r + (1 - red - blue) * g + blue * b
    of_luma, of_chroma, black = (255, 255, 0) if full else (219, 224, 16)
    differences = (b - luma) / (2 - 2 * blue), (r - luma) / (2 - 2 * red)
    return (black + of_luma * luma, *(128 + of_chroma * one for one in differences))


def test_a_square_of_the_clips_own_size_is_what_is_stored() -> None:
    luma, blue, red = planes_of(ClipPictures(Crop(x0_px=38, y0_px=20, size_px=64), 64)(coded()))
    rows, columns = np.mgrid[20:84, 38:102]
    np.testing.assert_array_equal(luma, np.maximum(columns, rows))
    np.testing.assert_array_equal(blue, np.broadcast_to(np.arange(38, 102, 2), (32, 32)))
    np.testing.assert_array_equal(red, np.broadcast_to(np.arange(20, 84, 2)[:, None], (32, 32)))


def test_a_square_at_odd_pixels_has_its_chroma_between_the_stored_samples() -> None:
    luma, blue, red = planes_of(ClipPictures(Crop(x0_px=39, y0_px=21, size_px=64), 64)(coded()))
    rows, columns = np.mgrid[21:85, 39:103]
    np.testing.assert_array_equal(luma, np.maximum(columns, rows))
    np.testing.assert_array_equal(blue, np.broadcast_to(np.arange(39, 103, 2), (32, 32)))
    np.testing.assert_array_equal(red, np.broadcast_to(np.arange(21, 85, 2)[:, None], (32, 32)))


@pytest.mark.parametrize(("height", "width"), [(120, 200), (119, 199)])
@pytest.mark.parametrize(("x0", "y0"), [(-20, 5), (165, 5), (11, -31), (10, 77), (-91, -90), (231, 150)])
def test_beyond_the_frame_its_border_is_repeated(x0: int, y0: int, height: int, width: int) -> None:
    frame = coded(height=height, width=width)
    luma, blue, _ = planes_of(ClipPictures(Crop(x0_px=x0, y0_px=y0, size_px=64), 64)(frame))
    rows, columns = np.clip(np.arange(y0, y0 + 64), 0, height - 1), np.clip(np.arange(x0, x0 + 64), 0, width - 1)
    np.testing.assert_array_equal(luma, np.maximum(columns, rows[:, None]))
    np.testing.assert_allclose(blue, np.broadcast_to((columns // 2 * 2).reshape(32, 2).mean(1), (32, 32)), atol=0.5)


def test_a_smaller_clip_has_the_means_over_areas() -> None:
    luma, blue, _ = planes_of(ClipPictures(Crop(x0_px=10, y0_px=0, size_px=120), 60)(coded()))
    expected = np.maximum(*np.meshgrid(np.arange(10, 130), np.arange(120))).reshape(60, 2, 60, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(luma, expected, atol=0.51)
    np.testing.assert_allclose(blue, np.broadcast_to(np.arange(10, 130, 2).reshape(30, 2).mean(1), (30, 30)), atol=0.51)


@pytest.mark.parametrize("rgb", [(0, 0, 0), (255, 255, 255), (150, 20, 20), (30, 180, 60), (40, 60, 200)])
@pytest.mark.parametrize(
    ("matrix", "red", "blue", "full"),
    [
        (BT709, 0.2126, 0.0722, False),
        (BT709, 0.2126, 0.0722, True),
        (5, 0.299, 0.114, False),
        (BT601, 0.299, 0.114, True),
    ],
)
def test_colours_of_other_codings_become_those_of_bt709(
    rgb: tuple[int, int, int], matrix: int, red: float, blue: float, *, full: bool
) -> None:
    stored = codes(rgb, red, blue, full=full)
    frame = one_colour((round(stored[0]), round(stored[1]), round(stored[2])), matrix, full=full)
    pictures = planes_of(ClipPictures(Crop(x0_px=3, y0_px=8, size_px=64), 32)(frame))
    for plane, code in zip(pictures, codes(rgb, 0.2126, 0.0722, full=False), strict=True):
        np.testing.assert_allclose(plane, code, atol=1.2)  # two roundings, of the codes that went in and that come out


THREE = frame_times(Fraction(25), 3)
LOSSLESS = {"preset": "veryfast", "bf": "0", "crf": "1"}


def second_frame(path: Path, coding: Coding) -> LazyImage:
    write_video(path, THREE, map(counted_picture, range(3)), coding=coding)
    shown = list(tick_frames(probe(path), 0, 3))[1].shown
    assert shown is not None
    return shown


@pytest.mark.parametrize("colour", [(1, 1, 1, 1), (5, 1, 6, 6), (5, 2, 6, 6), None])
def test_a_decoded_frame_gives_the_picture_that_its_rgb_gives(
    tmp_path: Path, colour: tuple[int, int, int, int] | None
) -> None:
    shown = second_frame(tmp_path / "v.mp4", Coding(colour=colour, options=LOSSLESS))
    crop = Crop(x0_px=101, y0_px=7, size_px=183)
    picture = ClipPictures(crop, 128)(shown)
    assert isinstance(picture, VideoFrame)
    by_rgb = crop.image(shown.rgb, picture_area(shown.rgb), 128)
    apart = np.abs(picture.to_ndarray(format="rgb24").astype(int) - by_rgb)
    assert apart.mean() < 3
    assert len(encode_mp4([picture], 128)) > 500


@pytest.mark.parametrize(
    "coding",
    [
        Coding(turn_deg=90, options=LOSSLESS),
        Coding(pixel_aspect=Fraction(3, 2), options=LOSSLESS),
        Coding(pix_fmt="yuv420p10le", options=LOSSLESS),
        Coding(pix_fmt="yuv444p", options=LOSSLESS),
        Coding(options={**LOSSLESS, "flags": "+ildct+ilme", "x264-params": "tff=1"}),
        Coding(colour=(9, 1, 1, 9), options=LOSSLESS),
    ],
    ids=["turned", "oblong pixels", "10-bit", "444", "interlaced", "bt2020"],
)
def test_a_frame_that_is_stored_in_another_way_is_cut_out_of_its_rgb(tmp_path: Path, coding: Coding) -> None:
    shown = second_frame(tmp_path / "v.mp4", coding)
    crop = Crop(x0_px=20, y0_px=7, size_px=100)
    picture = ClipPictures(crop, 64)(shown)
    assert isinstance(picture, np.ndarray)
    np.testing.assert_array_equal(picture, crop.image(shown.rgb, picture_area(shown.rgb), 64))
