from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.made_sound import MadeTrack, write_sound
from helpers.made_videos import talking_face

from curation.media.audio import tick_audio
from curation.media.probe import probe
from curation.settings import CurationSettings
from curation.speech.models import SpeechModels, load_speech
from foundation.array_types import Float16Array, Float32Array
from foundation.storage.path_text import path_of_text
from generation.speech import DrivingSpeech, read_speech, speech_features
from generation.trained_run import GenerationError
from manifests.files.tables import table_files
from manifests.record import read_dataset
from manifests.schema.arrow_arrays import numpy_of

SETTINGS = CurationSettings()


def _sound_file(path: Path, samples: Float32Array, rate_hz: int, codec: str = "pcm_f32le") -> Path:
    kinds = {"pcm_f32le": "flt", "pcm_s16le": "s16", "libmp3lame": "fltp", "flac": "s16"}
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate_hz, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
        for part in av.AudioResampler(format=kinds[codec], layout="mono").resample(frame):
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return path


def _tone(seconds: float, rate_hz: int) -> Float32Array:
    return (0.3 * np.sin(2 * np.pi * 200 / rate_hz * np.arange(round(seconds * rate_hz)))).astype(np.float32)


@pytest.mark.parametrize(
    ("n_samples", "rate_hz", "n_frames"),
    [
        (44_100, 44_100, 25),
        (8_000 * 2 + 159, 8_000, 50),  # 50.497 frames
        (8_000 * 2 + 161, 8_000, 51),  # 50.503 frames
        (1_765, 8_000, 6),  # 5.516 frames
        (96_000, 96_000, 25),
    ],
)
def test_a_video_has_the_nearest_number_of_frames_to_25_a_second(
    n_samples: int, rate_hz: int, n_frames: int, tmp_path: Path
) -> None:
    speech = read_speech(_sound_file(tmp_path / "a.wav", _tone(n_samples / rate_hz, rate_hz), rate_hz))
    assert speech.n_frames == n_frames
    assert len(speech.audio_16k) == pytest.approx(n_samples * 16_000 / rate_hz, abs=1)
    assert len(speech.audio_48k) == pytest.approx(n_samples * 48_000 / rate_hz, abs=1)


@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.mp3", "libmp3lame")])
def test_any_sound_file_at_any_rate_sounds_as_it_did(name: str, codec: str, tmp_path: Path) -> None:
    speech = read_speech(_sound_file(tmp_path / name, _tone(1.0, 44_100), 44_100, codec))
    middle = speech.audio_16k[4_000:12_000]
    spectrum = np.abs(np.fft.rfft(middle))
    assert np.argmax(spectrum) == 100  # 200 Hz in half a second
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)


def test_a_sound_of_less_than_a_fifth_of_a_second_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match=r"0\.199 s of sound; give at least 0\.2 s"):
        read_speech(_sound_file(tmp_path / "a.wav", _tone(0.199, 16_000), 16_000))
    assert read_speech(_sound_file(tmp_path / "b.wav", _tone(0.2, 16_000), 16_000)).n_frames == 5


@pytest.mark.parametrize(("suffix", "codec"), [("m4a", "aac"), ("mp3", "libmp3lame"), ("opus", "libopus")])
def test_what_a_codec_adds_at_the_ends_makes_no_frame(tmp_path: Path, suffix: str, codec: str) -> None:
    rate_hz = 48_000 if codec == "libopus" else 44_100
    track = MadeTrack(samples=_tone(1.0, rate_hz)[None], codec=codec, rate_hz=rate_hz)
    speech = read_speech(write_sound(tmp_path / f"a.{suffix}", [track]))
    assert speech.n_frames == 25
    assert len(speech.audio_16k) == 16_000


def test_every_way_to_store_a_voice_gives_the_voice(tmp_path: Path, repository: Path) -> None:
    voice = talking_face(repository / "samples" / "talking_astronaut.mp4").voice[: 4 * 48_000]
    silent = 0 * voice
    mono = read_speech(write_sound(tmp_path / "mono.wav", [MadeTrack(samples=voice[None], codec="pcm_s16le")]))
    ways = {
        "antiphase.wav": [MadeTrack(samples=np.array([voice, -voice]), layout="stereo", codec="pcm_s16le")],
        "centre.wav": [
            MadeTrack(samples=np.array([silent, silent, voice, *[silent] * 3]), layout="5.1", codec="pcm_s16le")
        ],
        "second.mka": [MadeTrack(samples=one[None], codec="flac", is_default=one is silent) for one in (silent, voice)],
        "slow.mka": [MadeTrack(samples=voice[None], codec="flac", stamp=lambda _packet, time_s: time_s * 1.0001)],
    }
    for name, tracks in ways.items():
        speech = read_speech(write_sound(tmp_path / name, tracks))
        assert speech.n_frames == 100
        assert speech.track == ("2 of 2" if name == "second.mka" else None)
        n = min(len(speech.audio_16k), len(mono.audio_16k))
        assert np.corrcoef(speech.audio_16k[:n], mono.audio_16k[:n])[0, 1] > 0.98
        assert np.std(speech.audio_16k) == pytest.approx(np.std(mono.audio_16k), rel=0.02)


def test_speech_of_more_than_half_an_hour_is_refused_as_soon_as_it_is_longer(tmp_path: Path) -> None:
    silence = np.zeros(1_801 * 1_000, np.float32)
    path = _sound_file(tmp_path / "long.flac", silence, 1_000, "flac")
    assert path.stat().st_size < 1_000_000
    with pytest.raises(GenerationError, match=r"--speech .*: it has more than 30 minutes; cut it there"):
        read_speech(path)


def test_files_without_sound_are_refused(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "text.wav").write_text("not a sound")
    for path in (tmp_path / "text.wav", tmp_path / "missing.wav", repository / "docs" / "images" / "result.png"):
        with pytest.raises(GenerationError, match="--speech"):
            read_speech(path)


@pytest.mark.slow
def test_the_sound_of_a_training_clip_gives_the_features_in_the_manifest(curated_sample: Path, tmp_path: Path) -> None:
    rows = [row for part in table_files(curated_sample, "clips") for row in _spoken(part)]
    row, features = rows[0]
    settings = CurationSettings.model_validate(read_dataset(curated_sample).config)
    info = probe(path_of_text(row["path"]))
    audio = tick_audio(info, round(row["start_s"] * 25), round(row["end_s"] * 25))
    assert audio is not None
    speech = read_speech(_sound_file(tmp_path / "clip.wav", audio, 16_000))
    assert speech.n_frames == row["n_frames"]
    made = speech_features(speech, load_speech(settings.speech), settings)
    assert np.abs(made.astype(np.float32) - features.astype(np.float32)).max() < 1e-2


def _spoken(part: Path) -> list[tuple[dict[str, object], Float16Array]]:
    table = pq.read_table(part)
    features = numpy_of(table["speech_features"])
    names = ["path", "start_s", "end_s", "n_frames"]
    return [(row, one) for row, one in zip(table.select(names).to_pylist(), features, strict=True) if one is not None]


class _Position:
    """An encoder whose row is the first sample of its tick: where in the sound it is."""

    name, dim = "position", 1

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, audio_16k: Float32Array, n_ticks: int) -> Float16Array:
        self.asked.append(n_ticks)
        return audio_16k[: n_ticks * 640 : 640, None].astype(np.float16)

    def encode_clips(self, clips: object) -> list[Float16Array]:
        raise NotImplementedError


@pytest.mark.parametrize("n_frames", [750, 751, 1000, 1525])
def test_long_speech_is_encoded_in_parts_that_join_without_a_gap(n_frames: int) -> None:
    encoder = _Position()
    audio = (np.arange(n_frames * 640) // 640 / 2000).astype(np.float32)
    models = SpeechModels(target_lufs=-23.0, denoiser=None, encoder=encoder)
    speech = DrivingSpeech(audio_16k=audio, audio_48k=audio, n_frames=n_frames)
    rows = speech_features(speech, models, SETTINGS)[:, 0].astype(np.float64)
    assert rows.shape == (n_frames,)
    # loudness is normalised first: a factor is left open
    assert np.corrcoef(rows, np.arange(n_frames))[0, 1] > 0.999999
    assert np.abs(np.diff(rows) / np.diff(rows).mean() - 1).max() < 1.5  # float16 steps, no row twice or missing
    assert max(encoder.asked) <= 750
