"""Pictures and sound on one zero, through decoding and through encoding the clip again."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.made_videos import beep_flash_video

from curation.media.audio import tick_audio
from curation.media.encode import encode_flac, encode_mp4
from curation.media.frames import tick_frames
from curation.media.probe import probe
from foundation.array_types import Float32Array

RATES = {
    "24": Fraction(24), "25": Fraction(25), "29.97": Fraction(30_000, 1001), "30": Fraction(30), "50": Fraction(50),
    "60": Fraction(60), "variable": None,
}  # fmt: skip


def flash_ticks(brightness: list[float]) -> list[int]:
    lit = np.array(brightness) > 150
    return [int(tick) for tick in np.flatnonzero(lit[1:] & ~lit[:-1]) + 1]


def beep_times_s(samples: Float32Array) -> list[float]:
    loud = np.flatnonzero(np.abs(samples) > 0.2)
    starts = loud[np.concatenate([[True], np.diff(loud) > 8000])]
    return [float(start) / 16_000 for start in starts]


@pytest.mark.parametrize("offset_ms", [0, -80, 120])
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("suffix", ["mp4", pytest.param("mkv", marks=pytest.mark.slow)])
def test_every_beep_is_within_ten_milliseconds_of_its_flash(
    tmp_path: Path, rate: str, offset_ms: int, suffix: str
) -> None:
    made = beep_flash_video(tmp_path / f"v.{suffix}", RATES[rate], offset_ms)
    info = probe(made.path)
    first, end = 13, info.n_ticks - 5  # a clip from the middle, as rendering cuts it
    grey = [
        np.repeat(frame.rgb[:64, :64], 4, axis=0).repeat(4, axis=1)
        for frame in tick_frames(info, first, end)
        if frame.rgb is not None
    ]
    sound = tick_audio(info, first, end)
    assert len(grey) == end - first
    assert sound is not None
    with av.open(io.BytesIO(encode_mp4(grey))) as container:
        flashes = flash_ticks([float(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)])
    with av.open(io.BytesIO(encode_flac(sound))) as container:
        beeps = beep_times_s(
            np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)]) / 32_768
        )
    assert len(flashes) == len(beeps) == len(made.event_times_s)
    for flash, beep, event_s in zip(flashes, beeps, made.event_times_s, strict=True):
        assert abs(beep - flash / 25) <= 0.010
        assert abs(beep + first / 25 - event_s) <= 0.003
