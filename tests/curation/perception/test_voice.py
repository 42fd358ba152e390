import itertools
import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from curation.perception.voice import SileroVoice, silero_model_path
from foundation.array_types import Float32Array

CLIPS_WITH_SOUND = (
    "3ddfa_obama", "WDA_AlexandriaOcasioCortez_000", "WDA_KatieHill_000", "dj_video1", "dj_video4", "dj_video5",
    "fr_hamilton", "latentsync_demo1", "lp_d12", "lp_d14", "lp_d20", "lp_d6", "lp_s18", "talkvid_10",
)  # fmt: skip


@pytest.fixture(scope="module")
def voice() -> SileroVoice:
    return SileroVoice()


def _sound(clips: Path, name: str) -> tuple[Float32Array, int]:
    """Return the sound from its own first sample on, as the reference heard it, and the ticks that it fills.

    Not `tick_audio`: that starts at the first picture, and with another start the network's windows lie elsewhere.
    """
    resampler = av.AudioResampler(format="flt", layout="mono", rate=16_000)
    with av.open(str(clips / f"{name}.mp4")) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    audio = np.concatenate([part.to_ndarray().reshape(-1) for part in (*frames, *resampler.resample(None))])
    return audio.astype(np.float32), len(audio) // 640


def _murmur(seconds: float) -> Float32Array:
    """A buzz of 120 Hz through two vowel resonances that opens and closes four times a second."""
    rng = np.random.default_rng(7)
    time_s = np.arange(int(seconds * 16_000)) / 16_000
    pitch = 120 * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * time_s))
    phase = 2 * np.pi * np.cumsum(pitch) / 16_000
    formants = {5: 1.0, 6: 0.8, 10: 0.6, 9: 0.5, 1: 0.5, 2: 0.4}
    buzz = sum(level * np.sin(harmonic * phase) for harmonic, level in formants.items())
    opening = np.clip(np.sin(2 * np.pi * 2 * time_s), 0, 1)
    return (0.1 * buzz * opening + 0.001 * rng.standard_normal(len(time_s))).astype(np.float32)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the package's and torch.jit's own
def test_window_probabilities_equal_those_of_the_packages_own_torch_model(voice: SileroVoice) -> None:
    import torch
    from silero_vad import load_silero_vad

    reference = load_silero_vad()
    audio = _murmur(20.0)[: 600 * 512]  # longer than one block of 512 windows
    expected = [reference(torch.from_numpy(window), 16_000).item() for window in audio.reshape(-1, 512)]
    assert max(expected) > 0.5 > min(expected)
    assert voice.window_probabilities([audio], 600) == pytest.approx(expected, abs=1e-3)


def test_a_tick_takes_the_probability_at_its_centre(voice: SileroVoice) -> None:
    audio = _murmur(2.0)
    windows = voice.window_probabilities([audio], 63)
    ticks = voice([audio], 50)
    # The centre of tick 3 is sample 2240: three eighths of the way from window 3's (1792) to window 4's (2304) is 1984,
    # and 2240 is seven eighths of that way. The centre of tick 0, 320, is one eighth from window 0's (256) to 768.
    assert ticks[3] == pytest.approx(windows[3] / 8 + windows[4] * 7 / 8, abs=1e-6)
    assert ticks[0] == pytest.approx(windows[0] * 7 / 8 + windows[1] / 8, abs=1e-6)


def test_a_call_remembers_nothing_of_the_call_before(voice: SileroVoice) -> None:
    audio = _murmur(2.0)
    first = voice([audio], 50)
    voice([_murmur(5.0)[8000:]], 100)
    assert np.array_equal(voice([audio], 50), first)


def test_where_pieces_end_does_not_show(voice: SileroVoice) -> None:
    audio = _murmur(40.0)
    cut = [0, 1, 700, 262_144, 262_145, 400_000, len(audio)]
    pieces = [audio[first:end] for first, end in itertools.pairwise(cut)]
    assert np.array_equal(voice(pieces, 1000), voice([audio], 1000))


def test_a_piece_that_is_no_sound_is_refused_with_the_place_in_the_whole(voice: SileroVoice) -> None:
    with pytest.raises(ValueError, match="sample 640 is nan"):
        voice([np.zeros(640, np.float32), np.full(1, np.nan, np.float32)], 2)


def test_missing_audio_is_silence_and_surplus_audio_is_not_used(voice: SileroVoice) -> None:
    audio = _murmur(4.0)
    assert len(voice([audio[:16_000]], 100)) == 100
    assert voice([audio[:16_000]], 100)[50:].max() < 0.1
    assert np.array_equal(voice([audio[:8000]], 25), voice([np.pad(audio[:8000], (0, 8000))], 25))
    assert voice([np.zeros(0, np.float32)], 5).max() < 0.1
    assert np.array_equal(voice([audio], 48), voice([audio[: 48 * 640]], 48))  # 48 ticks are 60 windows


def test_sound_that_is_no_sound_is_refused(voice: SileroVoice) -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 640\)"):
        voice([np.zeros((2, 640), np.float32)], 1)
    audio = np.zeros(640, np.float32)
    audio[17] = np.nan
    with pytest.raises(ValueError, match="sample 17 is nan"):
        voice([audio], 1)


def test_model_file_is_found_and_run_without_importing_torch() -> None:
    program = (
        "import sys; from curation.perception.voice import SileroVoice; import numpy as np;"
        "SileroVoice()([np.zeros(640, np.float32)], 1); print('torch' in sys.modules, 'silero_vad' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
    assert silero_model_path().is_file()


@pytest.mark.parametrize("name", CLIPS_WITH_SOUND)
def test_speech_of_real_clips_is_where_the_reference_heard_it(
    name: str, shared_dir: Path, shared_clips: Path, voice: SileroVoice
) -> None:
    from silero_vad import get_speech_timestamps_from_probs

    reference = json.loads((shared_dir / "reference" / "silero_speech.json").read_text())["clips"][name + ".mp4"]
    audio, n_ticks = _sound(shared_clips, name)
    expected = np.array(reference["speech_s"]).reshape(-1, 2).clip(max=n_ticks / 25)  # the video may end before

    probs = voice.window_probabilities([audio], -(-len(audio) // 512))
    segments = get_speech_timestamps_from_probs(probs, sampling_rate=16_000, audio_length_samples=len(audio))
    found = np.array([[s["start"], s["end"]] for s in segments]).reshape(-1, 2) / 16_000
    assert found == pytest.approx(expected, abs=0.15)  # given to 0.1 s; decoded with another start

    # The reference joins pauses below 0.1 s, holds on down to 0.35 and adds 30 ms at both ends; a tick does not.
    centre_s = (np.arange(n_ticks)[:, None] + 0.5) / 25
    speech = ((centre_s >= expected[:, 0]) & (centre_s < expected[:, 1])).any(axis=1)
    assert ((voice([audio], n_ticks) >= 0.5) == speech).mean() >= 0.9
