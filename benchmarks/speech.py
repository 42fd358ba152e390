"""Measure the denoiser and the speech encoder on recordings.

    python benchmarks/speech.py FOLDER

FOLDER holds WAV files at 16 kHz. Prints one JSON line: SI-SDR in dB before and after denoising, with white and pink
noise at 0, 5, 10 dB and for the recordings themselves (`clean`), and how many seconds of sound each component takes
in a second.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import soundfile

from curation.assets import ensure_assets
from curation.speech.deepfilter import DeepFilterDenoiser
from curation.speech.denoise import SpeechSettings
from curation.speech.whisper_features import WhisperTinyEncoder
from manifests.arrays import Float32Array
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
    return (noise / np.sqrt(np.mean(noise**2))).astype(np.float32)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    denoise = DeepFilterDenoiser(SpeechSettings().max_attenuation_db)
    encode = WhisperTinyEncoder(ensure_assets(["whisper-tiny.en"])["whisper-tiny.en"])
    rng = np.random.default_rng(0)
    ratios: dict[str, dict[str, tuple[float, float] | float]] = {}
    sound_s = denoise_s = encode_s = 0.0
    for path in sorted(folder.glob("*.wav")):
        channels, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        if rate_hz != AUDIO_RATE_HZ:
            raise SystemExit(f"{path} is at {rate_hz} Hz; resample it to {AUDIO_RATE_HZ}")
        speech = (0.5 * channels.mean(axis=1)).astype(np.float32)
        started = time.perf_counter()
        figures: dict[str, tuple[float, float] | float] = {"clean": si_sdr_db(speech, denoise(speech))}
        denoised = time.perf_counter()
        encode(speech, speech.size // SAMPLES_PER_TICK)
        encode_s += time.perf_counter() - denoised
        denoise_s += denoised - started
        sound_s += speech.size / AUDIO_RATE_HZ
        for name, exponent in (("white", 0.0), ("pink", 1.0)):
            for snr in (0, 5, 10):
                noise = coloured(speech.size, exponent, rng) * np.sqrt(np.mean(speech**2) / 10 ** (snr / 10))
                noisy = (speech + noise).astype(np.float32)
                figures[f"{name}_{snr}_db"] = (si_sdr_db(speech, noisy), si_sdr_db(speech, denoise(noisy)))
        ratios[path.stem] = figures
    if not ratios:
        raise SystemExit(f"{folder} holds no WAV file")
    speeds = {"denoiser": round(sound_s / denoise_s, 1), "encoder": round(sound_s / encode_s, 1)}
    print(json.dumps({"si_sdr_db": ratios, "times_real_time": speeds}))


if __name__ == "__main__":
    main()
