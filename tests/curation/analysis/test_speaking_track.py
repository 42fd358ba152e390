"""Several audio tracks in a file: the one that speaks is heard, and a setting names another."""

from pathlib import Path

import numpy as np
import pytest
from helpers.made_sound import MadeTrack, write_sound
from helpers.made_videos import talking_face

from curation.analysis.speaking_track import speaking_file_track, with_heard_track
from curation.media.audio import sound_tracks, tick_audio
from curation.media.probe import probe
from curation.media.settings import MediaSettings
from curation.perception.voice import SileroVoice
from foundation.array_types import Float32Array


@pytest.fixture(scope="module")
def speech(repository: Path) -> Float32Array:
    """(1, S) 8 s of a voice at 48 kHz."""
    return talking_face(repository / "samples" / "talking_astronaut.mp4").voice[None]


@pytest.fixture(scope="module")
def voice() -> SileroVoice:
    return SileroVoice()


def hum(speech: Float32Array) -> Float32Array:
    return (0.1 * np.sin(2 * np.pi * 100 * np.arange(speech.shape[1]) / 48_000)).astype(np.float32)[None]


def made(path: Path, *tracks: Float32Array, default: int = 1, seconds: float = 8) -> Path:
    made_tracks = [MadeTrack(samples=one, is_default=k == default) for k, one in enumerate(tracks, start=1)]
    return write_sound(path, made_tracks, pictures_s=seconds)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_the_microphone_behind_a_silent_desktop_is_heard(
    tmp_path: Path, suffix: str, speech: Float32Array, voice: SileroVoice
) -> None:
    path = made(tmp_path / f"v.{suffix}", 0 * speech, speech)
    info = with_heard_track(probe(path), voice)
    assert info.sound is not None
    assert (info.sound.number, len(info.sound.tracks)) == (2, 2)
    heard = tick_audio(info, 0, info.n_ticks)
    alone = tick_audio(probe(made(tmp_path / f"w.{suffix}", speech)), 0, info.n_ticks)
    assert heard is not None
    assert alone is not None
    assert np.corrcoef(heard, alone)[0, 1] > 0.99


def test_a_hum_is_not_preferred_to_a_voice(tmp_path: Path, speech: Float32Array, voice: SileroVoice) -> None:
    info = with_heard_track(probe(made(tmp_path / "v.mkv", hum(speech), hum(speech), speech)), voice)
    assert info.sound is not None
    assert info.sound.number == 3


@pytest.mark.parametrize("default", [1, 2])
def test_of_two_that_speak_the_files_own_choice_is_heard(
    tmp_path: Path, speech: Float32Array, voice: SileroVoice, default: int
) -> None:
    info = with_heard_track(probe(made(tmp_path / "v.mkv", speech, 0.5 * speech, default=default)), voice)
    assert info.sound is not None
    assert info.sound.number == default


def test_a_setting_chooses_and_a_file_with_fewer_tracks_is_taken_as_before(
    tmp_path: Path, speech: Float32Array, voice: SileroVoice
) -> None:
    path = made(tmp_path / "v.mkv", 0 * speech, speech)
    for setting, number in (("1", 1), ("2", 2), ("3", 2), ("auto", 2)):
        info = with_heard_track(probe(path), voice, MediaSettings(audio_track=setting))
        assert info.sound is not None
        assert info.sound.number == number
    with pytest.raises(ValueError, match="audio_track"):
        MediaSettings(audio_track="0")


def test_one_track_is_not_looked_at(tmp_path: Path, speech: Float32Array) -> None:
    class Deaf(SileroVoice):
        def __init__(self) -> None:
            pass

    info = probe(made(tmp_path / "v.mkv", speech))
    assert with_heard_track(info, Deaf()) is info


def test_a_sound_file_is_heard_by_the_track_that_speaks(tmp_path: Path, speech: Float32Array) -> None:
    path = made(tmp_path / "a.mkv", 0 * speech, speech, seconds=0)
    sound = sound_tracks(path)
    assert sound is not None
    assert speaking_file_track(path, sound).number == 2
