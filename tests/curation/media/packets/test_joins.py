"""Several recordings in one file: joined byte by byte, or by an encoder that was started again."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import Coding, Sound, counted_picture, frame_times, read_count, write_video

from curation.media.audio import tick_audio
from curation.media.errors import MediaError
from curation.media.frames import tick_frames
from curation.media.probe import VideoInfo, probe
from foundation.array_types import Float32Array

N_TICKS = 75
"""Of one recording: 3 s."""

FIRST, SECOND, THIRD = (0, 440.0), (1000, 880.0), (2000, 1760.0)
"""Number of the first picture, and frequency of the tone, Hz."""

SMALL = {"preset": "veryfast", "bf": "2", "g": "25", "crf": "16"}


def recording(
    path: Path,
    content: tuple[int, float],
    *,
    start_s: int = 0,
    rate_hz: int = 48_000,
    size: tuple[int, int] = (320, 192),
    codec: str = "aac",
    muxer_options: dict[str, str] | None = None,
) -> bytes:
    """Three seconds of counted pictures with a tone; the codecs are those that the container is usual with."""
    number, tone_hz = content
    samples = (0.3 * np.sin(2 * np.pi * tone_hz * np.arange(3 * rate_hz) / rate_hz)).astype(np.float32)
    coding = Coding(options=SMALL, muxer_options=muxer_options or {}, start_s=Fraction(start_s))
    if path.suffix in (".mpg", ".vob"):
        options = {"g": "25", "b": "3000000"}
        coding = Coding(codec="mpeg2video", options=options, time_base=Fraction(1, 25))
        codec = "mp2"
    pictures = (counted_picture(number + k, *size) for k in range(N_TICKS))
    sound = Sound(samples=samples, rate_hz=rate_hz, codec=codec)
    write_video(path, frame_times(Fraction(25), N_TICKS), pictures, coding=coding, sound=sound)
    return path.read_bytes()


def joined(path: Path, *contents: bytes) -> Path:
    path.write_bytes(b"".join(contents))
    return path


def shown(info: VideoInfo, first: int = 0, end: int | None = None) -> list[int | None]:
    frames = tick_frames(info, first, info.n_ticks if end is None else end)
    return [None if frame.rgb is None else read_count(frame.rgb) for frame in frames]


def heard(info: VideoInfo) -> Float32Array:
    sound = tick_audio(info, 0, info.n_ticks)
    assert sound is not None
    return sound


def tone_hz(samples: Float32Array) -> float:
    """Return the loudest frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * 16_000 / len(samples))


def numbers(*contents: tuple[int, float]) -> list[int]:
    return [content[0] + k for content in contents for k in range(N_TICKS)]


def require_both(info: VideoInfo, *contents: tuple[int, float]) -> None:
    """Every tick shows its picture, and every recording sounds like itself from its first tenth of a second on."""
    assert shown(info) == numbers(*contents)
    sound = heard(info)
    for place, (_, expected_hz) in enumerate(contents):
        begin, end = place * 3 * 16_000, (place + 1) * 3 * 16_000
        for first in (begin + 1600, end - 8000):
            assert tone_hz(sound[first : first + 6400]) == pytest.approx(expected_hz, abs=5)


@pytest.mark.parametrize("suffix", ["ts", "m2ts", "mpg", "vob", "mkv", "mp4", "mov", "flv"])
def test_each_recording_of_a_joined_file_is_seen_and_heard(tmp_path: Path, suffix: str) -> None:
    one, two = (recording(tmp_path / f"part.{suffix}", content) for content in (FIRST, SECOND))
    info = probe(joined(tmp_path / f"joined.{suffix}", one, two))
    assert (info.n_ticks, info.duration_s, info.joins) == (150, 6.0, (75,))
    require_both(info, FIRST, SECOND)


def test_three_recordings_in_a_row(tmp_path: Path) -> None:
    for suffix in ("ts", "flv"):
        parts = [recording(tmp_path / f"part.{suffix}", content) for content in (FIRST, SECOND, THIRD)]
        info = probe(joined(tmp_path / f"joined.{suffix}", *parts))
        assert info.joins == (75, 150)
        require_both(info, FIRST, SECOND, THIRD)


@pytest.mark.parametrize(("first_s", "second_s"), [(5000, 0), (0, 20_000), (20_000, 20_001)])
def test_the_clock_of_the_second_may_begin_anywhere(tmp_path: Path, first_s: int, second_s: int) -> None:
    one = recording(tmp_path / "part.ts", FIRST, start_s=first_s)
    two = recording(tmp_path / "part.ts", SECOND, start_s=second_s)
    require_both(probe(joined(tmp_path / "joined.ts", one, two)), FIRST, SECOND)


def test_a_clock_that_runs_over_goes_on(tmp_path: Path) -> None:
    # 33 bits of 90 kHz are 95,443.7 s
    path = tmp_path / "over.ts"
    recording(path, FIRST, start_s=95_442)
    info = probe(path)
    assert info.joins == ()
    require_both(info, FIRST)


def test_a_window_over_a_join_gives_what_a_pass_from_the_start_gives(tmp_path: Path) -> None:
    one, two = (recording(tmp_path / "part.ts", content) for content in (FIRST, SECOND))
    info = probe(joined(tmp_path / "joined.ts", one, two))
    whole = [frame.source_frame for frame in tick_frames(info, 0, 150)]
    assert None not in whole
    assert whole == sorted(whole)
    assert len(set(whole)) == 150
    for first, end in ((60, 90), (74, 76), (75, 80), (76, 150), (0, 75)):
        assert [frame.source_frame for frame in tick_frames(info, first, end)] == whole[first:end]
        window = tick_audio(info, first, end)
        assert window is not None
        assert window == pytest.approx(heard(info)[first * 640 : end * 640], abs=5e-3)


def test_an_encoder_that_is_started_again_writes_no_tables(tmp_path: Path) -> None:
    # FFmpeg guesses what H.264 and AAC are without the tables, and not what Opus is
    one, two = (recording(tmp_path / "part.ts", content, codec="libopus") for content in (FIRST, SECOND))
    packets = [two[at : at + 188] for at in range(0, len(two), 188)]
    tables = (0, 17, 4096)  # PIDs of programmes, services and streams
    later = [packet for packet in packets if (packet[1] & 31) << 8 | packet[2] not in tables]
    require_both(probe(joined(tmp_path / "joined.ts", one, *later)), FIRST, SECOND)


def test_an_encoder_that_is_started_again_writes_no_header_into_flv(tmp_path: Path) -> None:
    one, two = (recording(tmp_path / "part.flv", content) for content in (FIRST, SECOND))
    require_both(probe(joined(tmp_path / "joined.flv", one, two[13:])), FIRST, SECOND)


def test_recordings_in_streams_of_other_numbers(tmp_path: Path) -> None:
    one = recording(tmp_path / "part.ts", FIRST, size=(160, 96))
    two = recording(tmp_path / "part.ts", SECOND, muxer_options={"mpegts_start_pid": "0x300"})
    require_both(probe(joined(tmp_path / "small_first.ts", one, two)), FIRST, SECOND)
    require_both(probe(joined(tmp_path / "large_first.ts", two, one)), SECOND, FIRST)
    require_both(probe(joined(tmp_path / "three.ts", one, two, one)), FIRST, SECOND, FIRST)


def test_sound_of_another_rate(tmp_path: Path) -> None:
    one, two = recording(tmp_path / "1.ts", FIRST), recording(tmp_path / "2.ts", SECOND, rate_hz=16_000)
    require_both(probe(joined(tmp_path / "joined.ts", one, two)), FIRST, SECOND)


def test_fragmented_files(tmp_path: Path) -> None:
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    one, two = (recording(tmp_path / "part.mp4", content, muxer_options=options) for content in (FIRST, SECOND))
    require_both(probe(joined(tmp_path / "joined.mp4", one, two)), FIRST, SECOND)


def test_a_recording_of_which_nothing_decodes_has_ticks_without_a_picture(tmp_path: Path) -> None:
    one, two = (recording(tmp_path / "part.flv", content) for content in (FIRST, SECOND))
    info = probe(joined(tmp_path / "joined.flv", one, two[:13] + bytes(len(two) - 13)))
    assert info.joins == (75,)
    assert shown(info)[:75] == numbers(FIRST)
    assert set(shown(info)[75:]) == {None}
    assert abs(info.n_ticks - 150) <= 15  # an estimate from the number of bytes
    assert np.abs(heard(info)[-16_000:]).max() == 0


def test_a_clock_that_goes_back_where_nothing_can_be_divided_is_refused_by_name(tmp_path: Path) -> None:
    parts = []
    for content, start_s in ((FIRST, 100), (SECOND, 0)):
        options = {"cluster_time_limit": "500", "fflags": "+bitexact"}
        parts.append(recording(tmp_path / "part.mkv", content, start_s=start_s, muxer_options=options))
    # the second without its header: its clusters follow those of the first
    first_cluster, cues = parts[1].index(b"\x1f\x43\xb6\x75"), parts[0].rindex(b"\x1c\x53\xbb\x6b")
    path = joined(tmp_path / "joined.mkv", parts[0][:cues], parts[1][first_cluster:])
    with pytest.raises(MediaError) as caught:
        probe(path)
    assert caught.value.code == "unreadable"
    assert "clock goes back" in caught.value.detail
