from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.made_videos import Coding, counted_picture, frame_times, read_count, write_video

from curation.media.frames import tick_frames
from curation.media.probe import probe
from foundation.array_types import RgbImage

THREE = frame_times(Fraction(25), 3)
LOSSLESS = {"preset": "veryfast", "bf": "0", "crf": "1"}


def second_picture(path: Path) -> RgbImage:
    rgb = list(tick_frames(probe(path), 0, 3))[1].rgb
    assert rgb is not None
    return rgb


def colour_error(shown: RgbImage, truth: RgbImage) -> float:
    """Mean absolute difference, in levels, away from the edges of the bars, where chroma is shared."""
    inside = np.zeros(truth.shape[:2], bool)
    inside[104:184, 8:152] = inside[104:184, 168:312] = True
    return float(np.abs(shown.astype(int) - truth.astype(int))[inside].mean())


@pytest.mark.parametrize("turn_deg", [90, 180, 270])
def test_a_turned_picture_is_shown_upright(tmp_path: Path, turn_deg: int) -> None:
    stored = [np.ascontiguousarray(np.rot90(counted_picture(k), -turn_deg // 90)) for k in range(3)]
    path = write_video(tmp_path / "v.mp4", THREE, stored, coding=Coding(turn_deg=turn_deg, options=LOSSLESS))
    shown = second_picture(path)
    assert read_count(shown) == 1
    assert colour_error(shown, counted_picture(1)) < 3


def test_pixels_are_made_square(tmp_path: Path) -> None:
    coding = Coding(pixel_aspect=Fraction(3, 2), options=LOSSLESS)
    shown = second_picture(write_video(tmp_path / "v.mp4", THREE, map(counted_picture, range(3)), coding=coding))
    assert shown.shape == (192, 480, 3)
    assert read_count(shown) == 1


@pytest.mark.parametrize(
    ("pix_fmt", "colour"),
    [
        ("yuv420p", (1, 1, 1, 1)),
        ("yuv420p", (5, 1, 6, 6)),
        ("yuv420p", (5, 2, 6, 6)),
        ("yuv420p", (1, 2, 1, 1)),
        ("yuv420p10le", (1, 1, 1, 1)),
        ("yuv420p10le", (9, 1, 14, 9)),
        ("yuv444p", (1, 1, 1, 1)),
        ("yuv420p", None),
    ],
    ids=["bt709", "bt601", "bt601-full", "bt709-full", "10-bit", "bt2020", "444", "untagged"],
)
def test_matrix_range_and_depth_give_the_colours_that_went_in(
    tmp_path: Path, pix_fmt: str, colour: tuple[int, int, int, int] | None
) -> None:
    coding = Coding(pix_fmt=pix_fmt, colour=colour, options=LOSSLESS)
    path = write_video(tmp_path / "v.mp4", THREE, map(counted_picture, range(3)), coding=coding)
    assert colour_error(second_picture(path), counted_picture(1)) < 3  # the wrong matrix is 12 off, the range 10


@pytest.mark.parametrize(
    "coding",
    [
        Coding(options=LOSSLESS),
        Coding(turn_deg=90, options=LOSSLESS),
        Coding(pixel_aspect=Fraction(3, 2), options=LOSSLESS),
        Coding(pix_fmt="yuv420p10le", colour=(9, 1, 14, 9), options=LOSSLESS),
        Coding(pix_fmt="yuv420p10le", colour=(9, 1, 16, 9), options=LOSSLESS),
        Coding(options={**LOSSLESS, "flags": "+ildct+ilme", "x264-params": "tff=1"}),
    ],
    ids=["plain", "turned", "oblong pixels", "bt2020", "pq", "interlaced"],
)
def test_a_thumbnail_is_the_mean_over_areas_of_what_a_viewer_sees(tmp_path: Path, coding: Coding) -> None:
    path = write_video(tmp_path / "v.mp4", THREE, map(counted_picture, range(3)), coding=coding)
    shown = list(tick_frames(probe(path), 0, 3))[1].shown
    assert shown is not None
    thumbnail = shown.thumbnail(48, 27)
    assert thumbnail.shape == (27, 48, 3)
    means = cv2.resize(shown.rgb.astype(np.float32), (48, 27), interpolation=cv2.INTER_AREA)
    assert np.abs(thumbnail - means).mean() < 2.5
    assert np.abs(thumbnail - means).max() < 16


@pytest.mark.parametrize(("lines", "matrix"), [(576, 5), (720, 1)])
def test_an_untagged_picture_is_read_as_players_read_its_size(tmp_path: Path, lines: int, matrix: int) -> None:
    colourful = np.tile(np.array([30, 180, 60], np.uint8), (lines, 1024, 1))
    tagged = Coding(colour=(matrix, 1, 1, 1), options=LOSSLESS)
    truth = second_picture(write_video(tmp_path / "tagged.mp4", THREE, [colourful] * 3, coding=tagged))
    # the same code values without the tag: unspecified is 2
    path = tmp_path / "untagged.mp4"
    untagged = Coding(colour=(matrix, 1, 1, 1), options={**LOSSLESS, "x264-params": "colormatrix=undef"})
    write_video(path, THREE, [colourful] * 3, coding=untagged)
    np.testing.assert_allclose(second_picture(path).astype(int), truth.astype(int), atol=1)
    np.testing.assert_allclose(truth[0, 0].astype(int), colourful[0, 0].astype(int), atol=4)


@pytest.mark.parametrize(("transfer", "white_code"), [(16, 148), (18, 191)], ids=["pq", "hlg"])
def test_hdr_reference_white_comes_out_bright_and_greys_stay_in_order(
    tmp_path: Path, transfer: int, white_code: int
) -> None:
    # ITU-R BT.2408: reference white (203 cd/m2) is at 58 % of the PQ signal and 75 % of the HLG signal
    steps = np.linspace(0, white_code, 8).round().astype(np.uint8)
    picture = np.repeat(np.repeat(steps, 40)[None, :, None], 192, axis=0).repeat(3, axis=2)
    coding = Coding(pix_fmt="yuv420p10le", colour=(9, 1, transfer, 9), options=LOSSLESS)
    shown = second_picture(write_video(tmp_path / "v.mp4", THREE, [picture] * 3, coding=coding))
    greys = shown[96, 20::40].astype(int)
    assert np.ptp(greys, axis=1).max() <= 4  # grey stays grey
    assert np.all(np.diff(greys[:, 0]) > 0)
    assert greys[-1, 0] >= 180
    assert greys[0, 0] <= 12


def test_an_interlaced_picture_is_shown_without_a_comb(tmp_path: Path) -> None:
    def woven(number: int) -> RgbImage:
        picture = counted_picture(2 * number)
        picture[1::2] = counted_picture(2 * number + 1)[1::2]
        return picture

    options = {**LOSSLESS, "flags": "+ildct+ilme", "x264-params": "tff=1"}
    path = write_video(tmp_path / "v.mp4", THREE, map(woven, range(3)), coding=Coding(options=options))
    shown = second_picture(path)
    assert shown.shape == (192, 320, 3)
    assert read_count(shown) == 2  # the top field's picture
    comb = np.abs(np.diff(shown[8:88].astype(int), axis=0)).max()
    assert comb < 16  # bars of the bottom field would differ by 200
