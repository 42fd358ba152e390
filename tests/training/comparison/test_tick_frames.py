from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import Coding, Sound, counted_picture, counted_video, frame_times, read_count, write_video
from helpers.square_faces import square_video

from training.comparison.tick_frames import UnreadableVideoError, chunks, first_picture, mono_sound, read_facts


def counts(path: Path) -> list[int]:
    """Return the number that each tick shows."""
    return [read_count(picture) for part in chunks(read_facts(path), 320, 192) for picture in part]


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (Fraction(25), list(range(30))),
        # at the times 0, 0.04, ... of 30 pictures of 1/30 s: 25 ticks, number floor(30 / 25 k)
        (Fraction(30), [30 * k // 25 for k in range(25)]),
        (Fraction(25, 2), [k // 2 for k in range(60)]),
    ],
    ids=["25", "30", "12.5"],
)
def test_a_tick_shows_the_picture_of_its_time(tmp_path: Path, fps: Fraction, expected: list[int]) -> None:
    video = counted_video(tmp_path / "video.mp4", frame_times(fps, 30), coding=Coding(rate=fps))
    assert counts(video) == expected
    assert read_facts(video).fps == fps


def test_the_rounding_of_times_to_milliseconds_moves_no_picture(tmp_path: Path) -> None:
    times = [Fraction(round(1000 * k / 30), 1000) for k in range(30)]
    video = counted_video(tmp_path / "video.mkv", times, coding=Coding(rate=Fraction(30)))
    assert counts(video) == [30 * k // 25 for k in range(25)]


def test_a_late_start_is_the_zero_of_the_clock_for_pictures_and_sound(tmp_path: Path) -> None:
    samples = np.where(np.arange(48_000) < 24_000, 0.0, 0.5).astype(np.float32)
    samples[24_000:] *= np.sin(np.arange(24_000) / 4).astype(np.float32)
    video = counted_video(
        tmp_path / "video.mkv", frame_times(Fraction(25), 25), coding=Coding(start_s=Fraction(2)),
        sound=Sound(samples=samples, codec="flac", start_s=Fraction(1, 5)),
    )  # fmt: skip
    assert counts(video) == list(range(25))
    sound = mono_sound(read_facts(video), 25)
    assert sound is not None
    assert len(sound) == 16_000
    # the track begins at 0.2 s, its tone 0.5 s later
    assert abs(int(np.argmax(np.abs(sound) > 0.05)) - 11_200) < 40


def test_a_picture_is_scaled_and_turned_as_the_file_says(tmp_path: Path) -> None:
    video = write_video(
        tmp_path / "video.mp4", frame_times(Fraction(25), 3), [counted_picture(k, 64, 48) for k in range(3)],
        coding=Coding(turn_deg=90),
    )  # fmt: skip
    facts = read_facts(video)
    assert (facts.width_px, facts.height_px) == (48, 64)
    assert first_picture(video).shape == (64, 48, 3)
    (pictures,) = chunks(facts, 24, 32)
    assert pictures.shape == (3, 32, 24, 3)
    # turned a quarter to the left, the red corner below left comes to lie below right
    red = pictures[0, 26:, 14:].reshape(-1, 3).mean(axis=0)
    assert red[0] > red[2] + 50


def test_memory_holds_one_second_at_a_time(tmp_path: Path) -> None:
    video = read_facts(counted_video(tmp_path / "video.mp4", frame_times(Fraction(25), 60)))
    assert [len(part) for part in chunks(video, 32, 32)] == [25, 25, 10]


def test_what_is_no_video_is_refused_with_its_name(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(UnreadableVideoError, match=r"text\.mp4: it cannot be opened"):
        read_facts(text)
    whole = square_video(tmp_path / "whole.mp4", [4] * 5).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(UnreadableVideoError, match=r"cut\.mp4"):
        read_facts(cut)


def test_a_silent_video_has_no_sound(folders: Path) -> None:
    assert mono_sound(read_facts(folders / "truth" / "a.mp4"), 30) is None
