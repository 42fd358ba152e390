from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from curation.media.convert import LazyImage
from curation.media.probe import VideoInfo
from curation.media.tick_pairing import StoredFrame, pair_with_ticks


def not_asked_for() -> LazyImage:
    raise AssertionError("pairing makes no image")


def video(fps: Fraction, n_ticks: int, end_ms: int) -> VideoInfo:
    return VideoInfo(
        path=Path("made.mp4"), size_bytes=1, duration_s=n_ticks / 25, n_ticks=n_ticks, width_px=16, height_px=16,
        fps=fps, codec="h264", sound=None, rotation_deg=0, variable_rate=False, time_base=Fraction(1, 1000),
        first_pts=0, end_pts=end_ms, stamps="pts", output_delay=0,
    )  # fmt: skip


def answers(pictures: Iterable[tuple[int, bool]], info: VideoInfo, first: int = 0) -> list[int | None]:
    arriving = (StoredFrame(pts=pts, frame=not_asked_for if good else None) for pts, good in pictures)
    return [None if shown is None else shown.pts for _, shown in pair_with_ticks(arriving, info, first, info.n_ticks)]


def test_the_nearest_is_shown_and_of_two_the_earlier() -> None:
    pictures = [(0, True), (80, True), (110, True), (130, True)]
    # ticks at 0, 40, 80, 120 ms
    assert answers(pictures, video(Fraction(25), 4, 170)) == [0, 0, 80, 110]


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ({120}, [0, 40, 80, 80, 160, 200, 240, 280]),
        ({120, 160}, [0, 40, 80, 80, 200, 200, 240, 280]),
        ({80, 120, 160, 200}, [0, 40, 40, 40, 240, 240, 240, 280]),
        ({80, 120, 160, 200, 240}, [0, 40, 40, 40, None, 280, 280, 280]),
        ({0, 40, 80}, [None, 120, 120, 120, 160, 200, 240, 280]),
        ({160, 200, 240, 280}, [0, 40, 80, 120, 120, 120, None, None]),
    ],
)
def test_a_good_picture_stands_in_up_to_two_ticks_away(lost: set[int], expected: list[int | None]) -> None:
    pictures = [(pts, pts not in lost) for pts in range(0, 320, 40)]
    assert answers(pictures, video(Fraction(25), 8, 320)) == expected


def test_at_a_high_rate_a_good_picture_reaches_less_far() -> None:
    lost = set(range(60, 200, 20))
    pictures = [(pts, pts not in lost) for pts in range(0, 280, 20)]
    # at 50 a second two intervals are 40 ms: from 40 up to 80, from 200 down to 160
    assert answers(pictures, video(Fraction(50), 7, 280)) == [0, 40, 40, None, 200, 200, 240]


def test_a_long_still_stretch_of_a_variable_rate_is_no_loss() -> None:
    assert (
        answers([(0, True), (400, True)], replace(video(Fraction(5), 12, 480), variable_rate=True))
        == [0] * 6 + [400] * 6
    )


def test_a_hole_in_a_constant_rate_is_a_loss() -> None:
    pictures = [(0, True), (40, True), (240, True), (280, True)]
    assert answers(pictures, video(Fraction(25), 8, 320)) == [0, 40, 40, 40, 240, 240, 240, 280]
    pictures = [(0, True), (40, True), (280, True)]
    assert answers(pictures, video(Fraction(25), 8, 320)) == [0, 40, 40, 40, None, 280, 280, 280]


@pytest.mark.parametrize("variable", [True, False])
def test_a_picture_that_is_held_for_seconds_is_shown_up_to_the_next(variable: bool) -> None:
    pictures = [(0, True), (40, True), (4040, True), (4080, True)]
    info = replace(video(Fraction(25), 103, 4120), variable_rate=variable, held_frames=((40, 4040),))
    assert answers(pictures, info) == [0] + [40] * 100 + [4040, 4080]
    # half a tick before the next one is nearer to it
    assert answers([(0, True), (4020, True)], replace(info, held_frames=((0, 4020),)))[98:] == [0, 0, 4020, 4020, 4020]


def test_a_picture_that_is_held_at_the_end_is_shown_up_to_its_end() -> None:
    info = replace(video(Fraction(25), 76, 3040), held_frames=((40, 3040),))
    assert answers([(0, True), (40, True)], info) == [0] + [40] * 75


def test_of_a_long_hole_that_no_picture_is_held_over_nothing_is_shown() -> None:
    assert answers([(0, True), (4000, True)], video(Fraction(25), 101, 4040)) == [0] * 3 + [None] * 95 + [4000] * 3


def test_what_a_header_promises_beyond_the_last_picture_is_not_shown() -> None:
    pictures = [(0, True), (40, True), (80, True)]
    assert answers(pictures, video(Fraction(25), 6, 120)) == [0, 40, 80, 80, 80, None]


def test_a_window_needs_only_its_own_pictures() -> None:
    info = video(Fraction(25), 8, 320)
    assert answers([(pts, True) for pts in range(120, 320, 40)], info, first=4) == [160, 200, 240, 280]


def test_without_a_good_picture_nothing_is_shown() -> None:
    assert answers([(0, False), (40, False)], video(Fraction(25), 2, 80)) == [None, None]
    assert answers([], video(Fraction(25), 2, 80)) == [None, None]
