import inspect
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import (
    Coding,
    Sound,
    counted_video,
    frame_times,
    read_count,
    variable_times,
)

from curation.media.frames import TickFrame, tick_frames
from curation.media.probe import probe

B_FRAMES = {"preset": "veryfast", "bf": "3", "g": "24", "crf": "16"}


def shown(frames: list[TickFrame]) -> list[int | None]:
    return [None if frame.rgb is None else read_count(frame.rgb) for frame in frames]


def all_shown(path: Path) -> list[int | None]:
    info = probe(path)
    return shown(list(tick_frames(info, 0, info.n_ticks)))


def nearest_numbers(times_s: list[Fraction], n_ticks: int) -> list[int]:
    """By definition: the picture nearest to k / 25 s, the earlier of two that are as near."""
    return [
        min(range(len(times_s)), key=lambda number, tick=tick: (abs(times_s[number] - Fraction(tick, 25)), number))
        for tick in range(n_ticks)
    ]


def test_thirty_pictures_a_second_by_hand(tmp_path: Path) -> None:
    path = counted_video(tmp_path / "v.mp4", frame_times(Fraction(30), 12), coding=Coding(rate=Fraction(30)))
    # ticks at 0, 40, 80, ... ms; pictures at 0, 33.3, 66.7, 100, 133.3, 166.7, 200, ... ms
    assert all_shown(path) == [0, 1, 2, 4, 5, 6, 7, 8, 10, 11]


def test_fifty_and_twelve_and_a_half_pictures_a_second_by_hand(tmp_path: Path) -> None:
    path = counted_video(tmp_path / "a.mp4", frame_times(Fraction(50), 10), coding=Coding(rate=Fraction(50)))
    assert all_shown(path) == [0, 2, 4, 6, 8]
    path = counted_video(tmp_path / "b.mp4", frame_times(Fraction(25, 2), 3), coding=Coding(rate=Fraction(25, 2)))
    assert all_shown(path) == [0, 0, 1, 1, 2, 2]  # half way between two, the earlier


@pytest.mark.parametrize(
    "fps", [Fraction(24), Fraction(25), Fraction(30_000, 1001), Fraction(30), Fraction(50), Fraction(60)]
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("options", [Coding().options, B_FRAMES], ids=["plain", "b-frames"])
def test_every_tick_shows_the_nearest_picture(
    tmp_path: Path, fps: Fraction, suffix: str, options: dict[str, str]
) -> None:
    times_s = frame_times(fps, int(2 * fps))
    path = counted_video(tmp_path / f"v.{suffix}", times_s, coding=Coding(rate=fps, options=options))
    assert all_shown(path) == nearest_numbers(times_s, probe(path).n_ticks)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "mov"])
@pytest.mark.parametrize("options", [Coding().options, B_FRAMES], ids=["plain", "b-frames"])
def test_variable_rate_is_read_by_time_not_by_number(tmp_path: Path, suffix: str, options: dict[str, str]) -> None:
    times_s = variable_times(3)
    path = counted_video(tmp_path / f"v.{suffix}", times_s, coding=Coding(options=options))
    assert all_shown(path) == nearest_numbers(times_s, probe(path).n_ticks)


@pytest.mark.parametrize(
    ("name", "coding"),
    [
        ("v.ts", Coding(options=B_FRAMES)),
        ("v.flv", Coding(options=B_FRAMES)),
        ("v.avi", Coding(options=B_FRAMES, time_base=Fraction(1, 25))),
        ("xvid.avi", Coding(codec="mpeg4", options={"bf": "2", "g": "12"}, time_base=Fraction(1, 25))),
        ("v.mpg", Coding(codec="mpeg2video", options={"bf": "2", "g": "12"}, time_base=Fraction(1, 25))),
        ("v.h264", Coding(options=B_FRAMES, time_base=Fraction(1, 25))),
        ("v.webm", Coding(codec="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"})),
        ("10bit.mp4", Coding(pix_fmt="yuv420p10le", options=B_FRAMES)),
        ("late.mp4", Coding(options=B_FRAMES, start_s=Fraction(1, 2))),
        ("late.mkv", Coding(options=B_FRAMES, start_s=Fraction(1, 2))),
        ("late.ts", Coding(start_s=Fraction(7))),
        ("negative.mkv", Coding(start_s=Fraction(-1, 2), muxer_options={"avoid_negative_ts": "disabled"})),
    ],
)
def test_containers_codecs_and_starts_show_picture_k_at_tick_k(tmp_path: Path, name: str, coding: Coding) -> None:
    path = counted_video(tmp_path / name, frame_times(Fraction(25), 75), coding=coding)
    assert all_shown(path) == list(range(75))
    info = probe(path)
    assert shown(list(tick_frames(info, 50, 75))) == list(range(50, 75))


def test_an_edit_list_that_cuts_the_beginning_away_is_followed(tmp_path: Path) -> None:
    # the track starts half a second before the file's zero: MP4 says by an edit list that players start at zero
    coding = Coding(start_s=Fraction(-1, 2), muxer_options={"avoid_negative_ts": "disabled"})
    path = counted_video(tmp_path / "v.mp4", frame_times(Fraction(25), 50), coding=coding)
    assert all_shown(path) == list(range(13, 50))  # picture 13 is at 20 ms


def test_one_picture_and_one_picture_a_second(tmp_path: Path) -> None:
    assert all_shown(counted_video(tmp_path / "one.mp4", [Fraction(0)])) == [0]
    path = counted_video(tmp_path / "slow.mp4", frame_times(Fraction(1), 3), coding=Coding(rate=Fraction(1)))
    assert all_shown(path) == [0] * 13 + [1] * 25 + [2] * 37  # ticks 12 and 37 lie before the middles at 12.5 and 37.5


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_window_shows_what_a_pass_from_the_start_shows(tmp_path: Path, suffix: str) -> None:
    path = counted_video(tmp_path / f"v.{suffix}", variable_times(4), coding=Coding(options=B_FRAMES))
    info = probe(path)
    whole = list(tick_frames(info, 0, info.n_ticks))
    for first, end in ((1, 4), (24, 26), (33, 80), (info.n_ticks - 1, info.n_ticks), (7, 7)):
        window = list(tick_frames(info, first, end))
        assert [frame.tick for frame in window] == list(range(first, end))
        for frame, reference in zip(window, whole[first:end], strict=True):
            assert frame.source_frame == reference.source_frame
            np.testing.assert_array_equal(frame.rgb, reference.rgb)


def test_the_same_picture_has_the_same_number_and_another_has_another(tmp_path: Path) -> None:
    path = counted_video(tmp_path / "v.mp4", frame_times(Fraction(10), 20), coding=Coding(rate=Fraction(10)))
    info = probe(path)
    frames = list(tick_frames(info, 0, info.n_ticks))
    for before, after in pairwise(frames):
        assert (before.source_frame == after.source_frame) == (read_count(before.rgb) == read_count(after.rgb))
        assert (before.source_frame == after.source_frame) == (before.rgb is after.rgb)


def test_it_is_a_stream_that_starts_before_the_end_is_decoded(tmp_path: Path) -> None:
    info = probe(counted_video(tmp_path / "v.mp4", frame_times(Fraction(25), 50)))
    frames = tick_frames(info, 0, 50)
    assert inspect.isgenerator(frames)
    assert next(frames).tick == 0
    frames.close()


@pytest.mark.parametrize(("first", "end"), [(-1, 3), (3, 2), (0, 51)])
def test_ticks_outside_the_video_are_refused(tmp_path: Path, first: int, end: int) -> None:
    info = probe(counted_video(tmp_path / "v.mp4", frame_times(Fraction(25), 50)))
    with pytest.raises(ValueError, match="not within"):
        list(tick_frames(info, first, end))


def test_sound_that_starts_before_the_pictures_does_not_move_them(tmp_path: Path) -> None:
    sound = Sound(samples=np.zeros(96_000, np.float32), start_s=Fraction(-80, 1000))
    path = counted_video(tmp_path / "v.mp4", frame_times(Fraction(25), 25), sound=sound)
    assert all_shown(path) == list(range(25))
