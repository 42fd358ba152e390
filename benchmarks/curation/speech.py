"""How good and how fast are the denoisers, and how fast the speech encoders?

    python -m benchmarks.curation.speech FOLDER

FOLDER holds WAV files at 16 kHz. Prints one JSON line: SI-SDR in dB before and after denoising, with white and pink
noise at 0, 5, 10 dB and for the recordings themselves (`clean`), for every denoiser whose weights are on this machine;
and how many seconds of audio each component processes per second of one thread. The cost of a network does not depend
on its weights: where weights are missing, the models of the package `denoiser` and wav2vec 2.0 base are timed with
random ones, and `timed_with_random_weights` names them.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import soundfile
import torch
from denoiser import pretrained

from curation.speech.deepfilternet import DeepFilterDenoiser
from curation.speech.demucs import DEMUCS_MODELS, DemucsDenoiser
from curation.speech.protocols import Denoiser, SpeechEncoder
from curation.speech.settings import SpeechSettings
from curation.speech.wav2vec2 import Wav2Vec2Encoder
from curation.speech.wav2vec2_checkpoint import Wav2Vec2Settings
from curation.speech.whisper import WhisperTinyEncoder
from foundation.array_types import Float32Array
from foundation.weights import ensure_assets, missing_assets
from manifests.timeline import AUDIO_RATE_HZ, SAMPLES_PER_TICK


def si_sdr_db(reference: Float32Array, estimate: Float32Array) -> float:
    """Return the scale-invariant signal-to-distortion ratio (Le Roux et al., 2019)."""
    target = reference * (estimate @ reference) / (reference @ reference)
    distortion = estimate - target
    return round(10.0 * float(np.log10((target @ target) / (distortion @ distortion))), 2)


def coloured(n: int, exponent: float, rng: np.random.Generator) -> Float32Array:
    """Return (n,) samples of noise whose power falls with frequency to the power of `exponent`, of mean square 1."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum[1:] /= np.arange(1, spectrum.size) ** (exponent / 2)
    noise = np.fft.irfft(spectrum, n)
    scaled: Float32Array = (noise / np.sqrt(np.mean(noise**2))).astype(np.float32)
    return scaled


def denoisers(scratch: Path) -> tuple[dict[str, Denoiser], list[str]]:
    """Return the denoisers by name, and the names of those whose weights are random."""
    loaded: dict[str, Denoiser] = {"deepfilternet3": DeepFilterDenoiser(SpeechSettings().max_attenuation_db)}
    absent = [asset.name for asset in missing_assets(DEMUCS_MODELS)]
    for name in DEMUCS_MODELS:
        weights = None
        if name in absent:
            weights = scratch / f"{name}.th"
            torch.save(getattr(pretrained, name)(pretrained=False).state_dict(), weights)
        loaded[name] = DemucsDenoiser(name, "cpu", weights)
    return loaded, absent


def encoders(scratch: Path) -> tuple[dict[str, SpeechEncoder], list[str]]:
    """Return the encoders by name, and the names of those whose weights are random."""
    whisper = WhisperTinyEncoder(ensure_assets(["whisper-tiny.en"])["whisper-tiny.en"])
    settings = Wav2Vec2Settings()
    absent = [asset.name for asset in missing_assets([settings.model])]
    if absent:
        from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

        Wav2Vec2Model(Wav2Vec2Config()).save_pretrained(scratch)
        Wav2Vec2FeatureExtractor().save_pretrained(scratch)  # type: ignore[no-untyped-call]
        settings = Wav2Vec2Settings(model=str(scratch))
    return {"whisper-tiny.en": whisper, "wav2vec2-base": Wav2Vec2Encoder(settings, "cpu")}, absent


def ratios_db(speech: Float32Array, denoise: Denoiser) -> dict[str, tuple[float, float] | float]:
    """Return SI-SDR before and after denoising by kind and level of noise, and that of the denoised recording."""
    rng = np.random.default_rng(0)
    figures: dict[str, tuple[float, float] | float] = {"clean": si_sdr_db(speech, denoise(speech))}
    for name, exponent in (("white", 0.0), ("pink", 1.0)):
        for snr in (0, 5, 10):
            noise = coloured(speech.size, exponent, rng) * np.sqrt(np.mean(speech**2) / 10 ** (snr / 10))
            noisy = (speech + noise).astype(np.float32)
            figures[f"{name}_{snr}_db"] = (si_sdr_db(speech, noisy), si_sdr_db(speech, denoise(noisy)))
    return figures


def times_real_time(recordings: list[Float32Array], process: Callable[[Float32Array], object]) -> float:
    """Return seconds of audio per second of work."""
    process(recordings[0])  # the first call of a network prepares it
    started = time.perf_counter()
    for speech in recordings:
        process(speech)
    return round(sum(recording.size for recording in recordings) / AUDIO_RATE_HZ / (time.perf_counter() - started), 1)


def _encode(encoder: SpeechEncoder, samples: Float32Array) -> object:
    return encoder(samples, samples.size // SAMPLES_PER_TICK)


def read(path: Path) -> Float32Array:
    """Return the samples of a recording, channels averaged, peaks at half of full scale at most."""
    channels, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    if rate_hz != AUDIO_RATE_HZ:
        raise SystemExit(f"{path} is at {rate_hz} Hz; resample it to {AUDIO_RATE_HZ}")
    samples: Float32Array = (0.5 * channels.mean(axis=1)).astype(np.float32)
    return samples


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    recordings = {path.stem: read(path) for path in sorted(folder.glob("*.wav"))}
    if not recordings:
        raise SystemExit(f"{folder} holds no WAV file")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        denoise, random_denoisers = denoisers(Path(scratch))
        encode, random_encoders = encoders(Path(scratch))
    speeds = {name: times_real_time([*recordings.values()], one) for name, one in denoise.items()}
    for name, encoder in encode.items():
        speeds[name] = times_real_time([*recordings.values()], partial(_encode, encoder))
    ratios = {
        name: {stem: ratios_db(speech, one) for stem, speech in recordings.items()}
        for name, one in denoise.items()
        if name not in random_denoisers
    }
    random = [*random_denoisers, *random_encoders]
    print(json.dumps({"si_sdr_db": ratios, "times_real_time": speeds, "timed_with_random_weights": random}))


if __name__ == "__main__":
    main()
