"""Read driving speech: an audio file becomes one row of features per frame, computed as in curation."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.analysis.speaking_track import speaking_file_track
from curation.media.audio import file_audio, sound_tracks
from curation.media.channels import within_full_scale
from curation.media.errors import MediaError
from curation.settings import CurationSettings
from curation.speech.clean import clean_speech
from curation.speech.models import SpeechModels
from curation.speech.protocols import SpeechEncoder
from foundation.array_types import Float16Array, Float32Array
from generation.trained_run import GenerationError
from manifests.timeline import SAMPLES_PER_TICK, TICK_RATE_HZ, tick_count

__all__ = ["MUX_RATE_HZ", "DrivingSpeech", "read_speech", "speech_features"]

MUX_RATE_HZ = 48_000
"""Sample rate of the audio in the generated video."""

_NO_SOUND = "--speech {path}: holds no sound; give a WAV, FLAC, MP3 or other sound file"

_MIN_FRAMES = 5
"""0.2 s; `models.sampling.long_audio` samples no shorter motion."""

_CHUNK_TICKS, _CONTEXT_TICKS = 500, 50
"""Long speech is encoded 20 s at a time, with 2 s more at either end: the clips of the training data have at most 30 s,
and the cost of wav2vec 2.0 grows with the square of the length."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DrivingSpeech:
    """Audio of a file, at the two rates at which it is used."""

    audio_16k: Float32Array
    """(S,) mono, input of the encoder."""
    audio_48k: Float32Array
    """(S',) mono, for the video: unchanged in level, unless surround channels add up to more than full scale."""
    n_frames: int
    """round(25 seconds)."""
    track: str | None = None
    """Which of the file's audio tracks it is, such as "2 of 3"; None where there is one."""


def read_speech(path: Path) -> DrivingSpeech:
    """Return the audio of a file of any format and rate; of several tracks, that which speaks.

    Raises:
        GenerationError: the file cannot be read, has no audio, less than 0.2 s of it, or more than half an hour.
    """
    try:
        sound = sound_tracks(path)
        if sound is None:
            raise GenerationError(_NO_SOUND.format(path=path))
        sound = speaking_file_track(path, sound)
        audio_16k, audio_48k = file_audio(path, sound.heard), file_audio(path, sound.heard, MUX_RATE_HZ)
    except MediaError as error:
        raise GenerationError(f"--speech {path}: cannot be read as sound: {error.detail}") from error
    if audio_16k is None or audio_48k is None:
        raise GenerationError(_NO_SOUND.format(path=path))
    n_frames = tick_count(audio_16k.duration_s)
    if audio_16k.duration_s * TICK_RATE_HZ < _MIN_FRAMES:
        raise GenerationError(f"--speech {path}: {float(audio_16k.duration_s):.3f} s of sound; give at least 0.2 s")
    return DrivingSpeech(
        audio_16k=audio_16k.samples,
        audio_48k=within_full_scale(audio_48k.samples),
        n_frames=n_frames,
        track=f"{sound.number} of {len(sound.tracks)}" if len(sound.tracks) > 1 else None,
    )


def speech_features(speech: DrivingSpeech, models: SpeechModels, settings: CurationSettings) -> Float16Array:
    """Return the (n_frames, D) features of speech, normalised in loudness and denoised like the training data.

    Raises:
        ValueError: `models` has no encoder.
    """
    if models.encoder is None:
        raise ValueError("speech.encoder is none: speech has no features then")
    clean = clean_speech(speech.audio_16k, models).audio_16k
    longest = int(settings.rules.too_short.max_clip_s * TICK_RATE_HZ)
    if speech.n_frames <= longest:
        return models.encoder(clean, speech.n_frames)
    return np.concatenate(
        [
            _chunk(models.encoder, clean, start, min(start + _CHUNK_TICKS, speech.n_frames), speech.n_frames)
            for start in range(0, speech.n_frames, _CHUNK_TICKS)
        ]
    )


def _chunk(encoder: SpeechEncoder, audio_16k: Float32Array, start: int, end: int, n_frames: int) -> Float16Array:
    """Return the rows of ticks [start, end), encoded with the audio before and after them."""
    first, last = max(0, start - _CONTEXT_TICKS), min(n_frames, end + _CONTEXT_TICKS)
    rows = encoder(audio_16k[first * SAMPLES_PER_TICK : last * SAMPLES_PER_TICK], last - first)
    return rows[start - first : end - first]
