import struct
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import Coding, Sound, counted_picture, frame_times, read_count, write_video

from curation.media.audio import tick_audio
from curation.media.frames import tick_frames
from curation.media.probe import probe

N_TICKS = 200
GROUP = 12
TONE = (0.3 * np.sin(2 * np.pi * 440 * np.arange(48_000 * 8) / 48_000)).astype(np.float32)


def whole_video(path: Path, options: dict[str, str] | None = None) -> Path:
    """Eight seconds whose packets are large enough to damage in their middle."""
    grain = np.random.default_rng(0).integers(0, 60, (192, 320, 3), dtype=np.uint8)
    pictures = (counted_picture(k) // 4 * 3 + np.roll(grain, 7 * k, axis=1) for k in range(N_TICKS))
    coding = Coding(
        options=options or {"preset": "veryfast", "bf": "0", "g": str(GROUP), "crf": "18"},
        muxer_options={"movflags": "+faststart"} if path.suffix == ".mp4" else {},
    )
    sound = Sound(samples=TONE)
    return write_video(path, frame_times(Fraction(25), N_TICKS), pictures, coding=coding, sound=sound)


def shown(path: Path) -> list[int | None]:
    info = probe(path)
    frames = list(tick_frames(info, 0, info.n_ticks))
    assert [frame.tick for frame in frames] == list(range(info.n_ticks))
    return [None if frame.rgb is None else read_count(frame.rgb) for frame in frames]


def overwrite(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    begin = len(content) // 2
    rng = np.random.default_rng(1)
    if how == "zeros":
        content[begin : begin + 3000] = bytes(3000)
    elif how == "noise":
        content[begin : begin + 3000] = rng.bytes(3000)
    else:
        for place in begin + rng.integers(0, 3000, 6):
            content[place] ^= 16
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["noise", *(pytest.param(how, marks=pytest.mark.slow) for how in ("zeros", "bits"))])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("b_frames", ["0", "3"])
def test_damage_costs_the_pictures_up_to_the_next_key_frame(
    tmp_path: Path, how: str, suffix: str, b_frames: str
) -> None:
    path = whole_video(
        tmp_path / f"v.{suffix}",
        {"preset": "veryfast", "bf": b_frames, "g": str(GROUP), "sc_threshold": "0", "crf": "18"},
    )
    overwrite(path, how)
    numbers = shown(path)
    wrong = [tick for tick, number in enumerate(numbers) if number != tick]
    assert wrong, "the damage shows nowhere"
    assert len(numbers) == N_TICKS
    assert max(wrong) - min(wrong) < 2 * GROUP
    assert 60 < min(wrong) < max(wrong) < 140
    # what is shown there is a good picture of at most two ticks away, or nothing
    assert all(numbers[tick] is None or abs(numbers[tick] - tick) <= 2 for tick in wrong)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "flv"])
def test_of_a_file_cut_short_the_rest_has_no_picture(tmp_path: Path, suffix: str) -> None:
    path = whole_video(tmp_path / f"v.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    numbers = shown(path)
    first_lost = numbers.index(None)
    assert 60 < first_lost < 140
    assert numbers[: first_lost - 2] == list(range(first_lost - 2))
    assert set(numbers[first_lost:]) == {None}
    assert abs(len(numbers) - N_TICKS) <= 3  # Matroska and FLV state the length of the longest track
    info = probe(path)
    sound = tick_audio(info, 0, info.n_ticks)
    assert sound is not None
    assert np.abs(sound[16_000:32_000]).max() > 0.2
    assert np.abs(sound[-16_000:]).max() == 0


def test_a_stream_without_a_stated_length_ends_where_it_is_cut(tmp_path: Path) -> None:
    path = whole_video(tmp_path / "v.ts")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    numbers = shown(path)
    assert 60 < len(numbers) < 140
    assert numbers[:-3] == list(range(len(numbers) - 3))


def test_a_window_over_damage_shows_what_a_pass_from_the_start_shows(tmp_path: Path) -> None:
    path = whole_video(tmp_path / "v.mp4", {"preset": "veryfast", "bf": "3", "g": "24", "crf": "18"})
    overwrite(path, "noise")
    info = probe(path)
    whole = [frame.source_frame for frame in tick_frames(info, 0, N_TICKS)]
    assert None in whole
    first = whole.index(None)
    for begin in (first - 30, first - 3, first, first + 3, first + 30):
        assert [frame.source_frame for frame in tick_frames(info, begin, begin + 20)] == whole[begin : begin + 20]


def test_a_header_that_promises_an_hour_is_answered_at_once(tmp_path: Path) -> None:
    path = whole_video(tmp_path / "v.mkv")
    content = path.read_bytes()
    at = content.index(b"\x44\x89\x88") + 3  # Matroska's Duration: a float of 8 bytes, milliseconds
    path.write_bytes(content[:at] + np.array(3_600_000.0, ">f8").tobytes() + content[at + 8 :])
    begin = time.monotonic()
    numbers = shown(path)
    assert len(numbers) == 90_000
    assert numbers[:N_TICKS] == list(range(N_TICKS))
    assert set(numbers[N_TICKS + 2 :]) == {None}
    info = probe(path)
    assert [frame.rgb for frame in tick_frames(info, 80_000, 80_010)] == [None] * 10
    assert time.monotonic() - begin < 20


def test_a_promise_out_of_proportion_to_what_the_file_holds_is_not_believed(tmp_path: Path) -> None:
    path = whole_video(tmp_path / "v.mkv")
    content = path.read_bytes()
    at = content.index(b"\x44\x89\x88") + 3
    path.write_bytes(content[:at] + np.array(3 * 3_600_000.0, ">f8").tobytes() + content[at + 8 :])
    assert probe(path).n_ticks == N_TICKS


def test_a_promise_out_of_proportion_to_the_pictures_that_are_counted_is_not_believed(tmp_path: Path) -> None:
    path = whole_video(tmp_path / "v.mp4")
    content = path.read_bytes()
    at = content.index(b"stts") + 12  # one run of pictures at equal distances: 4 bytes how many, which say 20 hours now
    assert content[at - 4 : at + 8] == struct.pack(">3I", 1, N_TICKS, 3600)
    path.write_bytes(content[:at] + struct.pack(">I", 20 * 90_000) + content[at + 4 :])
    assert probe(path).n_ticks == N_TICKS


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("place", [0, 50])
def test_a_picture_whose_time_stamp_is_hours_off_does_not_stretch_the_video(
    tmp_path: Path, suffix: str, place: int
) -> None:
    times_s = frame_times(Fraction(25), 50)
    moved = [time_s + 7200 for time_s in times_s]
    all_times = [*times_s, Fraction(7200)] if place else [Fraction(0), *moved]
    path = write_video(tmp_path / f"v.{suffix}", all_times, map(counted_picture, range(51)))
    assert shown(path) == (list(range(50)) if place else list(range(1, 51)))


def test_of_pictures_that_are_all_hours_apart_one_is_the_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", [Fraction(7200 * k) for k in range(3)], map(counted_picture, range(3)))
    assert shown(path) == [0]


def test_two_stretches_hours_apart_are_both_shown(tmp_path: Path) -> None:
    times_s = [time_s if k < 50 else time_s + 7200 for k, time_s in enumerate(frame_times(Fraction(25), 100))]
    for suffix in ("mp4", "mkv"):
        path = write_video(tmp_path / f"v.{suffix}", times_s, map(counted_picture, range(100)))
        assert shown(path) == list(range(100))
        info = probe(path)
        assert info.joins == (50,)
        whole = [frame.source_frame for frame in tick_frames(info, 0, 100)]
        for first, end in ((40, 60), (50, 100), (70, 80)):
            assert [frame.source_frame for frame in tick_frames(info, first, end)] == whole[first:end]


@pytest.mark.parametrize("bit", [20, 24, 30])  # 12 s, 3 minutes, 3 hours
def test_one_flipped_bit_in_a_time_stamp_costs_one_picture(tmp_path: Path, bit: int) -> None:
    coding = Coding(options={"preset": "veryfast", "bf": "3", "g": "24", "crf": "18"})
    path = write_video(
        tmp_path / "v.mp4", frame_times(Fraction(25), N_TICKS), map(counted_picture, range(N_TICKS)), coding=coding
    )
    content = path.read_bytes()
    at = content.index(b"ctts") + 12  # runs of (how many pictures, how much later than decoded), 4 bytes each
    place = at + int.from_bytes(content[at - 4 : at], "big") // 2 * 8 + 4
    assert content[place - 4 : place] == struct.pack(">I", 1)
    later = int.from_bytes(content[place : place + 4], "big") ^ 1 << bit
    path.write_bytes(content[:place] + struct.pack(">I", later) + content[place + 4 :])
    numbers = shown(path)
    assert len(numbers) == N_TICKS
    wrong = [tick for tick, number in enumerate(numbers) if number != tick]
    assert len(wrong) == 1
    assert numbers[wrong[0]] in (wrong[0] - 1, wrong[0] + 1)


@pytest.mark.parametrize("bit", [15, 13, 11])  # 33, 8 and 2 s
def test_a_wrong_time_of_a_cluster_costs_its_pictures(tmp_path: Path, bit: int) -> None:
    coding = Coding(muxer_options={"cluster_time_limit": "1000"})
    path = write_video(
        tmp_path / "v.mkv", frame_times(Fraction(25), 200), map(counted_picture, range(200)), coding=coding
    )
    content = bytearray(path.read_bytes())
    clusters = [k for k in range(len(content)) if content[k : k + 4] == b"\x1f\x43\xb6\x75"]
    time = content.index(b"\xe7\x82", clusters[3]) + 2  # Matroska's Timestamp, 2 bytes, ms
    begin, end = (int.from_bytes(content[content.index(b"\xe7\x82", k) + 2 :][:2], "big") // 40 for k in clusters[3:5])
    content[time : time + 2] = (int.from_bytes(content[time : time + 2], "big") ^ 1 << bit).to_bytes(2, "big")
    path.write_bytes(content)
    numbers = shown(path)
    lost = {tick: number for tick, number in enumerate(numbers) if number != tick}
    assert len(numbers) == 200
    assert set(lost) <= set(range(begin, end + 1))
    assert list(lost.values()).count(None) >= end - begin - 4  # a good picture stands in for two ticks on each side


def test_damaged_sound_leaves_a_hole_and_nothing_else(tmp_path: Path) -> None:
    path = whole_video(tmp_path / "v.mkv")
    overwrite(path, "noise")
    info = probe(path)
    sound = tick_audio(info, 0, N_TICKS)
    assert sound is not None
    assert len(sound) == N_TICKS * 640
    expected = (0.3 * np.sin(2 * np.pi * 440 * np.arange(N_TICKS * 640) / 16_000)).astype(np.float32)
    # After the hole the sound begins anew at its own time stamp, which Matroska rounds to 1 ms: up to 8 samples off.
    for second, shifts in ((1, range(1)), (2, range(1)), (6, range(-8, 9)), (7, range(-8, 9))):
        begin, end = second * 16_000, second * 16_000 + 15_000
        errors = [np.quantile(np.abs(sound[begin:end] - expected[begin - s : end - s]), 0.9) for s in shifts]
        assert min(errors) < 0.05


def test_the_file_is_left_as_it_was(tmp_path: Path) -> None:
    path = whole_video(tmp_path / "v.mp4")
    overwrite(path, "noise")
    before = path.read_bytes()
    info = probe(path)
    list(tick_frames(info, 0, 20))
    tick_audio(info, 0, 20)
    assert path.read_bytes() == before
