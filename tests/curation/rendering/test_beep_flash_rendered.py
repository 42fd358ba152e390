"""Picture and sound of rendered clips fit: beeps stand where flashes stand, for every rate and start of the sound."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import BeepFlash, TalkingFace, beep_flash_video

from curation.engine.units import AnalyzeVideo
from curation.engine.worker import VideoWorker, WorkerPlan
from curation.settings import CurationSettings, load_settings
from curation.sources.content import fingerprint
from curation.sources.entries import SourceVideo
from foundation.array_types import Float32Array
from manifests.files.media import read_audio, read_frames
from manifests.files.tables import read_table
from manifests.files.tar import MemberRange, read_member

WANTED_S = (0.6, 1.6, 2.6, 3.2)
"""At each of these, every rate below has a picture within 4 ms, and so has the 25 Hz clock."""
RATES = {
    "25": Fraction(25), "29.97": Fraction(30_000, 1001), "30": Fraction(30), "50": Fraction(50), "variable": None,
}  # fmt: skip
OFFSETS_MS = (0, -80, 120)
QUICK = (("25", -80), ("variable", 120))
CORNER = (0.02, 0.84, 0.16, 0.98)
"""Where it flashes, parts of the picture: over the shoulder, off the face."""


class Rendering:
    """Curates videos with models that are loaded once."""

    def __init__(self, dataset: Path, denoiser: str) -> None:
        overrides = [f"speech.denoiser={denoiser}", "speech.encoder=none"]
        settings = load_settings(CurationSettings(), None, overrides)
        self._dataset = dataset
        self._worker: VideoWorker = WorkerPlan(settings=settings, dataset=dataset).make_worker()

    def clip(self, path: Path) -> tuple[list[float], Float32Array, int]:
        """Return the brightness of the corner in every frame, the sound, and the first tick, of the only clip."""
        video_id = fingerprint(path)
        size_bytes = path.stat().st_size
        video = SourceVideo(path=path, video_id=video_id, source="made", speaker_id=None, size_bytes=size_bytes)
        record = AnalyzeVideo(video=video).run(self._worker).record
        assert record is not None
        assert (record.status, record.n_clips) == ("ok", 1), record
        assert record.kept_diffusion_s > 3.8
        (row,) = (row for row in read_table(self._dataset, "clips").to_pylist() if row["video_id"] == video_id)
        parts = [
            read_member(
                self._dataset, row["media"], MemberRange(offset=row[f"{kind}_offset"], size=row[f"{kind}_size"])
            )
            for kind in ("mp4", "flac")
        ]
        sound, rate_hz = read_audio(parts[1])
        assert rate_hz == 16_000
        # The crop is the made picture but for a few pixels on each side: this lies well inside the corner.
        corner = [float(frame[225:250, 20:44].mean()) for frame in read_frames(parts[0]).frames]
        return corner, sound, round(row["start_s"] * 25)


@pytest.fixture(scope="module")
def rendering(tmp_path_factory: pytest.TempPathFactory) -> Rendering:
    return Rendering(tmp_path_factory.mktemp("beeps"), "none")


def made_video(path: Path, face: TalkingFace, rate: str, offset_ms: int) -> BeepFlash:
    def picture(time_s: float) -> np.ndarray:
        shown = face.at(time_s).copy()
        x0, y0, x1, y1 = (round(part * 320) for part in CORNER)
        shown[y0:y1, x0:x1] = 0
        return shown

    return beep_flash_video(
        path,
        RATES[rate],
        offset_ms,
        wanted_s=WANTED_S,
        duration_s=4,
        picture=picture,
        flash_box=CORNER,
        base_sound=face.voice[: 4 * 48_000],
    )


def flash_ticks(brightness: list[float]) -> list[int]:
    lit = np.array(brightness) > 128
    return [int(tick) for tick in np.flatnonzero(lit[1:] & ~lit[:-1]) + 1]


def beep_times_s(sound: Float32Array, n_beeps: int) -> list[float]:
    """Return where the `n_beeps` best matches of a 1 kHz tone of 0.2 s begin: of all phases, by its two quadratures."""
    turn = 2 * np.pi * 1000 * np.arange(3200) / 16_000
    match = np.hypot(*(np.correlate(sound, wave(turn), mode="valid") for wave in (np.sin, np.cos)))
    begins = []
    for _ in range(n_beeps):
        begin = int(match.argmax())
        begins.append(begin / 16_000)
        match[max(0, begin - 6400) : begin + 6400] = 0
    return sorted(begins)


def assert_beeps_at_flashes(rendering: Rendering, made: BeepFlash) -> None:
    corner, sound, first_tick = rendering.clip(made.path)
    assert len(sound) == len(corner) * 640
    flashes, beeps = flash_ticks(corner), beep_times_s(sound, len(WANTED_S))
    assert [first_tick + tick for tick in flashes] == [round(25 * time_s) for time_s in WANTED_S]
    for flash, beep_s, event_s in zip(flashes, beeps, made.event_times_s, strict=True):
        assert abs(beep_s - flash / 25) <= 0.010
        assert abs(beep_s + first_tick / 25 - event_s) <= 0.005


@pytest.mark.parametrize(
    ("rate", "offset_ms"),
    [
        pytest.param(rate, offset_ms, marks=() if (rate, offset_ms) in QUICK else pytest.mark.slow)
        for rate in RATES
        for offset_ms in OFFSETS_MS
    ],
)
def test_in_a_rendered_clip_every_beep_is_at_its_flash(
    rendering: Rendering, talking_face: TalkingFace, tmp_path: Path, rate: str, offset_ms: int
) -> None:
    assert_beeps_at_flashes(rendering, made_video(tmp_path / "v.mp4", talking_face, rate, offset_ms))


@pytest.mark.slow
def test_the_denoiser_does_not_move_the_sound(rendering: Rendering, talking_face: TalkingFace, tmp_path: Path) -> None:
    made = made_video(tmp_path / "v.mp4", talking_face, "29.97", 120)
    _, plain, _ = rendering.clip(made.path)
    corner, denoised, _ = Rendering(tmp_path / "dataset", "deepfilternet3").clip(made.path)
    assert len(denoised) == len(plain) == len(corner) * 640
    assert not np.array_equal(denoised, plain)
    # It takes the beeps for noise, so that the voice tells where the sound is: the lag of the best match.
    match = np.correlate(denoised[1600:-1600], plain[3200:-3200], mode="valid")
    assert abs(int(match.argmax()) - 1600) <= 16  # samples: 1 ms
