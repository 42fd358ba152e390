import hashlib
import subprocess
import sys
from pathlib import Path

import ctranslate2
import numpy as np
import pytest

from curation.speech.whisper import WhisperTinyEncoder, log_mel
from foundation.array_types import Float32Array
from foundation.weights import ensure_assets


@pytest.fixture(scope="module")
def model_folder() -> Path:
    return ensure_assets(["whisper-tiny.en"])["whisper-tiny.en"]


@pytest.fixture(scope="module")
def encoder(model_folder: Path) -> WhisperTinyEncoder:
    return WhisperTinyEncoder(model_folder)


def similarity(a: Float32Array, b: Float32Array) -> float:
    """Mean cosine of rows after each array's own mean row is taken off."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return float(np.mean((a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)))


def test_log_mel_is_that_of_the_reference() -> None:
    t = np.arange(480_000) / 16_000
    chirp = (0.5 * np.sin(2 * np.pi * (100 * t + 120 * t * t)) * (t < 28)).astype(np.float32)
    # WhisperFeatureExtractor() of transformers 5.23.0, input_features[0] at (band, frame).
    reference = {
        (0, 0): 1.39344,
        (3, 100): 0.20030,
        (10, 37): 0.06031,
        (20, 300): 1.35295,
        (40, 1000): -0.54731,
        (75, 2700): 1.28153,
        (79, 2999): -0.54731,
        (30, 500): 0.55068,
        (12, 123): 0.55864,
    }
    mel = log_mel(chirp)
    assert mel.shape == (80, 3000)
    np.testing.assert_allclose([mel[at] for at in reference], list(reference.values()), atol=1e-4)
    assert mel.mean() == pytest.approx(-0.44879, abs=1e-4)


def test_whisper_understands_the_speech_from_this_log_mel(model_folder: Path, speech: Float32Array) -> None:
    model = ctranslate2.models.Whisper(str(model_folder), compute_type="float32", intra_threads=1)
    window = np.concatenate([speech, np.zeros(480_000 - speech.size, np.float32)])
    features = ctranslate2.StorageView.from_array(log_mel(window)[np.newaxis])
    answer = model.generate(features, [["<|startoftranscript|>", "<|notimestamps|>"]], beam_size=1)[0]
    words = "".join(answer.sequences[0]).replace("Ġ", " ").lower()
    for word in ("politicians", "medical", "education", "background", "women"):
        assert f" {word}" in words


def test_a_click_changes_the_rows_of_its_own_tick(encoder: WhisperTinyEncoder, speech: Float32Array) -> None:
    rng = np.random.default_rng(1)
    before = encoder(speech, 200).astype(np.float64)
    offsets = []
    for first in (30, 44):
        ticks = range(first, 170, 28)
        clicked = speech.copy()
        for tick in ticks:
            middle = tick * 640 + 320
            clicked[middle - 20 : middle + 20] += (0.5 * np.hanning(40) * rng.standard_normal(40)).astype(np.float32)
        change = np.square(encoder(clicked, 200) - before).sum(axis=1)
        for tick in ticks:
            around = change[tick - 4 : tick + 5]
            offsets.append(around @ np.arange(-4, 5) / around.sum())
    assert len(offsets) == 10
    assert abs(np.mean(offsets)) < 0.3  # a shift by one tick is 1


def test_sound_two_ticks_later_gives_rows_two_ticks_later(encoder: WhisperTinyEncoder, speech: Float32Array) -> None:
    rows = encoder(speech, 200).astype(np.float32)
    later = encoder(np.concatenate([np.zeros(2 * 640, np.float32), speech]), 202).astype(np.float32)
    by_shift = {shift: similarity(rows[10:180], later[10 + shift : 180 + shift]) for shift in range(5)}
    assert max(by_shift, key=by_shift.__getitem__) == 2
    assert by_shift[2] > 0.95


def test_the_same_samples_give_the_same_bytes_in_another_process(
    encoder: WhisperTinyEncoder, model_folder: Path, speech: Float32Array, tmp_path: Path
) -> None:
    first = encoder(speech, 200)
    encoder(speech[::-1].copy(), 100)
    np.testing.assert_array_equal(encoder(speech, 200), first)
    np.save(tmp_path / "speech.npy", speech)
    program = (
        "import hashlib, pathlib, sys, numpy; from curation.speech.whisper import WhisperTinyEncoder as E\n"
        "rows = E(pathlib.Path(sys.argv[1]))(numpy.load(sys.argv[2]), 200)\n"
        "print(hashlib.sha256(rows.tobytes()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(model_folder), str(tmp_path / "speech.npy")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == hashlib.sha256(first.tobytes()).hexdigest()


def test_short_sound_is_followed_by_silence_and_long_sound_is_cut(
    encoder: WhisperTinyEncoder, speech: Float32Array
) -> None:
    short = encoder(speech[:64_000], 150)
    padded = encoder(np.concatenate([speech[:64_000], np.zeros(32_000, np.float32)]), 150)
    assert short.shape == (150, encoder.dim)
    assert short.dtype == np.float16
    np.testing.assert_array_equal(short, padded)
    np.testing.assert_array_equal(encoder(speech, 100), encoder(speech[:64_000], 100))


@pytest.mark.slow
@pytest.mark.parametrize("n_ticks", [750, 751, 1376, 1400])
def test_clips_longer_than_a_window_are_joined_in_the_middle_of_the_overlap(
    encoder: WhisperTinyEncoder, speech: Float32Array, n_ticks: int
) -> None:
    audio = np.tile(speech, 7)[: n_ticks * 640]
    rows = encoder(audio, n_ticks)
    assert rows.shape == (n_ticks, 384)
    first = encoder(audio[: 750 * 640], 750)
    np.testing.assert_allclose(rows[:688], first[:688], atol=0.02)
    if n_ticks > 1000:
        second = encoder(audio[626 * 640 :], min(750, n_ticks - 626))
        np.testing.assert_allclose(rows[690:1000], second[64:374], atol=0.3)


def test_chunks_are_encoded_with_half_a_second_beyond_their_ends(encoder: WhisperTinyEncoder) -> None:
    audio = np.random.default_rng(3).standard_normal(400 * 640).astype(np.float32) * np.float32(0.1)
    rows = encoder.chunk_rows(audio, 400)  # two chunks of 200 ticks
    assert rows.shape == (400, 384)
    np.testing.assert_array_equal(rows[:200], encoder.chunk_rows(audio[: 212 * 640], 212)[:200])
    np.testing.assert_array_equal(rows[200:], encoder.chunk_rows(audio[188 * 640 :], 212)[12:])


def test_chunks_end_in_silence_where_the_sound_ends_early(encoder: WhisperTinyEncoder) -> None:
    audio = np.random.default_rng(4).standard_normal(40 * 640).astype(np.float32)
    silent = np.concatenate([audio, np.zeros(20 * 640, dtype=np.float32)])
    np.testing.assert_array_equal(encoder.chunk_rows(audio, 60), encoder.chunk_rows(silent, 60))
    assert encoder.chunk_rows(audio, 0).shape == (0, 384)
