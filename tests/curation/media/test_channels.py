"""Channels that cancel, surround, channels without a name: the voice is heard in each."""

from pathlib import Path

import numpy as np
import pytest
from helpers.made_sound import MadeTrack, write_sound

from curation.media.audio import tick_audio
from curation.media.channels import within_full_scale
from curation.media.probe import probe
from foundation.array_types import Float32Array


def tone(seconds: float, pitch_hz: float = 440.0, level: float = 0.4) -> Float32Array:
    return (level * np.sin(2 * np.pi * pitch_hz * np.arange(round(seconds * 48_000)) / 48_000)).astype(np.float32)


def heard(path: Path, first: int = 0, end: int = 50) -> Float32Array:
    samples = tick_audio(probe(path), first, end)
    assert samples is not None
    return samples


def made(path: Path, channels: list[Float32Array], layout: str, codec: str = "pcm_s16le", seconds: float = 2) -> Path:
    return write_sound(path, [MadeTrack(samples=np.array(channels), layout=layout, codec=codec)], pictures_s=seconds)


@pytest.mark.parametrize(("suffix", "codec"), [("mov", "pcm_s16le"), ("mp4", "aac"), ("mkv", "libopus")])
def test_a_right_channel_upside_down_leaves_the_voice(tmp_path: Path, suffix: str, codec: str) -> None:
    voice = tone(2)
    turned = heard(made(tmp_path / f"v.{suffix}", [voice, -voice], "stereo", codec))
    upright = heard(made(tmp_path / f"w.{suffix}", [voice, voice], "stereo", codec))
    np.testing.assert_allclose(turned[800:-800], upright[800:-800], atol=0.02)


def test_one_silent_channel_and_two_different_ones_are_mixed_to_their_mean(tmp_path: Path) -> None:
    voice, other = tone(2), tone(2, 700.0)
    for left, right in ((voice, 0 * voice), (voice, other), (voice, 0.4 * voice), (voice, -0.2 * voice)):
        mixed = heard(made(tmp_path / "v.mov", [left, right], "stereo"))
        mean = ((left + right) / 2)[::3]
        np.testing.assert_allclose(mixed[800:-800], mean[800:-800], atol=5e-3)


def test_only_the_stretch_that_cancels_is_turned_and_a_window_is_as_the_whole(tmp_path: Path) -> None:
    voice = tone(12)
    sign = np.where(np.arange(len(voice)) // 48_000 < 6, 1.0, -1.0)
    path = made(tmp_path / "v.mov", [voice, (sign * voice).astype(np.float32)], "stereo", seconds=12)
    whole = heard(path, 0, 300)
    level = np.sqrt(np.mean(whole.reshape(-1, 640) ** 2, axis=1))
    assert np.all(level[:120] > 0.25)
    assert np.all(level[180:] > 0.25)
    for first, end in ((0, 50), (130, 170), (200, 300)):
        np.testing.assert_allclose(heard(path, first, end), whole[first * 640 : end * 640], atol=1e-3)


@pytest.mark.parametrize(
    ("layout", "channel", "gain"),
    [
        # ITU-R BS.775-4, table 2, downmix to 1/0
        ("5.1", 0, 0.5**0.5), ("5.1", 1, 0.5**0.5), ("5.1", 2, 1.0), ("5.1", 3, 0.0), ("5.1", 4, 0.5), ("5.1", 5, 0.5),
        ("5.1(side)", 2, 1.0), ("5.1(side)", 5, 0.5), ("quad", 0, 0.5**0.5), ("quad", 3, 0.5), ("7.1", 2, 1.0),
    ],
)  # fmt: skip
def test_surround_is_mixed_by_bs_775(tmp_path: Path, layout: str, channel: int, gain: float) -> None:
    # Matroska does not tell where the channels of PCM are
    suffix, codec = ("mp4", "aac") if layout == "quad" else ("mkv", "pcm_s16le")
    n_channels = {"5.1": 6, "5.1(side)": 6, "quad": 4, "7.1": 8}[layout]
    channels = [tone(2) if number == channel else tone(2, level=0.0) for number in range(n_channels)]
    mixed = heard(made(tmp_path / f"v.{suffix}", channels, layout, codec))
    assert np.sqrt(np.mean(mixed[800:-800] ** 2)) == pytest.approx(gain * 0.4 / np.sqrt(2), rel=0.02, abs=1e-3)


def test_dialogue_in_the_centre_is_as_loud_as_mono(tmp_path: Path) -> None:
    voice = tone(2)
    channels = [voice if number == 2 else 0 * voice for number in range(6)]
    centre = heard(made(tmp_path / "v.mp4", channels, "5.1", "aac"))
    mono = heard(made(tmp_path / "w.mp4", [voice], "mono", "aac"))
    ratio = np.sqrt(np.mean(centre[1600:-1600] ** 2) / np.mean(mono[1600:-1600] ** 2))
    assert 20 * np.log10(ratio) == pytest.approx(0.0, abs=0.3)


def test_surround_that_adds_up_is_not_clipped(tmp_path: Path) -> None:
    mixed = heard(made(tmp_path / "v.mkv", [tone(2, level=0.9)] * 6, "5.1"))
    whole = 0.9 * (2 * 0.5**0.5 + 1 + 2 * 0.5)
    assert np.abs(mixed[800:-800]).max() == pytest.approx(whole, rel=0.02)
    spectrum = np.abs(np.fft.rfft(mixed[800:-800] * np.hanning(len(mixed) - 1600)))
    third = round(3 * 440 * (len(mixed) - 1600) / 16_000)
    assert spectrum[third - 20 : third + 20].max() < 0.01 * spectrum.max()
    assert np.abs(within_full_scale(mixed)).max() == pytest.approx(1.0)


def test_channels_without_a_name_are_mixed_to_their_mean(tmp_path: Path) -> None:
    channels = [tone(2), *[tone(2, level=0.0)] * 2]
    mixed = heard(made(tmp_path / "v.mov", channels, "3 channels"))
    assert np.sqrt(np.mean(mixed[800:-800] ** 2)) == pytest.approx(0.4 / np.sqrt(2) / 3, rel=0.02)
