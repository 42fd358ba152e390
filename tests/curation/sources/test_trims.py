"""Stretches of a video: which ticks lie in them."""

from dataclasses import replace
from fractions import Fraction

import pytest
from helpers.made_videos import counted_video, frame_times

from curation.media.errors import MediaError
from curation.media.probe import VideoInfo, probe
from curation.sources.trims import Trim, requested_s, requested_ticks


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    """Of a video of 4 s."""
    return probe(counted_video(tmp_path_factory.mktemp("made") / "a.mp4", frame_times(Fraction(25), 100)))


def test_without_a_stretch_every_tick_is_asked_for(info: VideoInfo) -> None:
    assert requested_ticks((), info) == ((0, 100),)


@pytest.mark.parametrize(
    ("trim", "ticks"),
    [
        (Trim(start=1.0, end=3.0), (25, 75)),
        (Trim(start=0.28, end=0.56), (7, 14)),  # 0.28 * 25 is a little more than 7 in floating point
        (Trim(start=1.01, end=2.01), (26, 51)),  # ticks 26 to 50 are at 1.04 to 2.00 s
        (Trim(start=3.5), (88, 100)),
        (Trim(start=3.0, end=4.9), (75, 100)),  # annotation in whole seconds may end behind the video
        (Trim(start=25, end=50, unit="pictures"), (25, 50)),
    ],
)
def test_a_tick_belongs_to_the_stretch_that_holds_its_time(trim: Trim, ticks: tuple[int, int], info: VideoInfo) -> None:
    assert requested_ticks((trim,), info) == (ticks,)


def test_pictures_are_counted_at_the_rate_of_the_file(info: VideoInfo) -> None:
    # at 50 pictures a second, 60 to 119 are 1.2 s to 2.4 s
    faster = replace(info, fps=Fraction(50))
    assert requested_ticks((Trim(start=60, end=120, unit="pictures"),), faster) == ((30, 60),)


def test_stretches_that_touch_are_one(info: VideoInfo) -> None:
    trims = (Trim(start=0.0, end=1.0), Trim(start=1.0, end=2.0), Trim(start=3.0, end=3.2))
    assert requested_ticks(trims, info) == ((0, 50), (75, 80))


@pytest.mark.parametrize(
    ("trim", "said"),
    [
        (Trim(start=4.0, end=4.5), "the stretch 4 to 4.5 s is asked for, and the video ends at 4 s"),
        (Trim(start=9.0), "the stretch 9 s to the end is asked for"),
        (Trim(start=0.0, end=5.01), "the stretch 0 to 5.01 s is asked for, and the video ends at 4 s"),
        (Trim(start=0.01, end=0.03), "lies between two ticks"),
    ],
)
def test_a_stretch_outside_the_video_is_an_error_of_the_video(trim: Trim, said: str, info: VideoInfo) -> None:
    with pytest.raises(MediaError, match=said) as raised:
        requested_ticks((trim,), info)
    assert raised.value.code == "trim_outside"


def test_seconds_that_are_asked_for_end_with_the_video() -> None:
    assert requested_s((Trim(start=1.0, end=2.5), Trim(start=3.0, end=4.9)), 4.0, 25.0) == 2.5
