"""Where a track ends: by its file, not by the last block that its codec had to fill."""

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_sound import MadeTrack, write_sound

from curation.media.audio import FileAudio, file_audio, sound_tracks, tick_audio
from curation.media.probe import probe
from foundation.array_types import Float32Array

FORMATS = {
    "mp4": ("aac", 44_100), "m4a": ("aac", 48_000), "mov": ("pcm_s16le", 44_100),
    "mp3": ("libmp3lame", 44_100), "opus": ("libopus", 48_000), "webm": ("libopus", 48_000),
    "wav": ("pcm_s16le", 44_100), "flac": ("flac", 44_100),
}  # fmt: skip


def tone(seconds: float, rate_hz: int) -> Float32Array:
    return (0.4 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def read(path: Path) -> FileAudio:
    sound = sound_tracks(path)
    assert sound is not None
    audio = file_audio(path, sound.heard)
    assert audio is not None
    return audio


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.34])
def test_a_file_is_as_long_as_its_sound(tmp_path: Path, suffix: str, seconds: float) -> None:
    codec, rate_hz = FORMATS[suffix]
    path = write_sound(
        tmp_path / f"a.{suffix}", [MadeTrack(samples=tone(seconds, rate_hz)[None], codec=codec, rate_hz=rate_hz)]
    )
    audio = read(path)
    rounding_s = 0.001 if suffix == "webm" else 1 / rate_hz
    assert float(audio.duration_s) == pytest.approx(seconds, abs=rounding_s)
    assert len(audio.samples) == pytest.approx(seconds * 16_000, abs=1 + rounding_s * 16_000)
    # the tone begins and ends with the file
    assert np.abs(audio.samples[80:160]).max() > 0.2
    assert np.abs(audio.samples[-160:-80]).max() > 0.2


def with_edit_of(path: Path, duration_s: Fraction) -> Path:
    """Shorten the edit list of the only track of an MP4 file."""
    content = bytearray(path.read_bytes())
    scale = struct.unpack_from(">I", content, content.index(b"mvhd") + 16)[0]
    at = content.index(b"elst") + 12
    struct.pack_into(">I", content, at, round(duration_s * scale))
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("duration_s", [Fraction(1, 2), Fraction(99, 100)])
def test_an_edit_list_may_end_within_a_packet(tmp_path: Path, duration_s: Fraction) -> None:
    path = write_sound(tmp_path / "a.m4a", [MadeTrack(samples=tone(1, 48_000)[None])])
    audio = read(with_edit_of(path, duration_s))
    assert float(audio.duration_s) == pytest.approx(float(duration_s), abs=0.001)


def test_what_a_codec_adds_at_the_end_is_silence_in_a_video(tmp_path: Path) -> None:
    track = MadeTrack(samples=tone(1, 44_100)[None], rate_hz=44_100)
    info = probe(write_sound(tmp_path / "v.mp4", [track], pictures_s=2))
    heard = tick_audio(info, 0, 50)
    assert heard is not None
    assert np.abs(heard[15_800:15_990]).max() > 0.3
    assert np.abs(heard[16_016:]).max() == 0.0
