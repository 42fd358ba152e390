"""The rule `jitter` on real speech and on the same speech shaken. benchmarks/results has all figures."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.perception.faces.mediapipe import MediaPipeFaces
from curation.rules.jitter import JitterSettings, face_moves, jitter, steady, step_of
from curation.rules.runs import true_runs
from curation.rules.too_short import TooShortSettings
from curation.rules.verdict import Verdict
from foundation.weights import ensure_assets
from manifests.landmarks import key_points, landmark_scheme

SETTINGS = JitterSettings()
TICKS = TooShortSettings().min_ticks
NO_BREAK = np.zeros(TICKS, np.bool_)
SHAKES = 20


@dataclass(frozen=True)
class Speech:
    """Three seconds of one speaker."""

    points: np.ndarray
    box: np.ndarray

    def motion(self, offset: np.ndarray | float = 0.0) -> np.ndarray:
        """Return the motion after moving each tick's face by (T, 2) face widths."""
        width = (self.box[:, 2] - self.box[:, 0])[:, None]
        moved = np.broadcast_to(offset, (TICKS, 2)) * width
        return face_moves(self.points + moved[:, None], self.box + np.tile(moved, 2), NO_BREAK)


@pytest.fixture(scope="module", params=["WDA_KatieHill_000", "WDA_AlexandriaOcasioCortez_000"])
def speech(request: pytest.FixtureRequest, shared_clips: Path) -> Speech:
    find = MediaPipeFaces(ensure_assets(["face_landmarker"])["face_landmarker"])
    info = probe(shared_clips / f"{request.param}.mp4")
    faces = [find(frame.rgb)[0] for frame in tick_frames(info, 0, TICKS) if frame.rgb is not None]
    landmarks = np.stack([face.landmarks_px for face in faces]).astype(np.float64)
    return Speech(
        points=key_points(landmarks, landmark_scheme(find.scheme)),
        box=np.stack([face.box_px for face in faces]).astype(np.float64),
    )


def judged(motion: np.ndarray, limit: float) -> Verdict:
    return jitter(step_of(motion), steady(motion, limit, SETTINGS.min_steadiness), NO_BREAK, limit, SETTINGS)


def longest_run(failed: np.ndarray) -> int:
    return max((end - first for first, end in true_runs(~failed)), default=0)


def test_real_speech_passes_the_strict_limit(speech: Speech) -> None:
    verdict = judged(speech.motion(), SETTINGS.strict_step)
    assert verdict.failed.mean() <= 0.02


def test_shake_by_a_tenth_of_the_face_leaves_no_clip_even_under_the_loose_limit(speech: Speech) -> None:
    rng = np.random.default_rng(0)
    steps = []
    for _ in range(SHAKES):
        angle = rng.uniform(0.0, 2.0 * np.pi, TICKS)
        motion = speech.motion(0.1 * np.stack([np.cos(angle), np.sin(angle)], axis=1))
        assert longest_run(judged(motion, SETTINGS.loose_step).failed) < TICKS
        steps.append(step_of(motion))
    # two places on a circle of radius 0.1 are 0.2 sin(angle / 2) apart: half of them more than 0.1414
    assert np.nanmedian(steps) == pytest.approx(0.1414, abs=0.01)


def test_shake_within_a_tenth_in_either_direction_leaves_no_second_under_the_strict_limit(speech: Speech) -> None:
    rng = np.random.default_rng(0)
    for _ in range(SHAKES):
        verdict = judged(speech.motion(rng.uniform(-0.1, 0.1, (TICKS, 2))), SETTINGS.strict_step)
        assert verdict.failed.mean() >= 0.8
        assert longest_run(verdict.failed) < 25


def test_a_camera_that_shakes_by_a_tenth_at_six_and_more_times_a_second_leaves_no_clip(speech: Speech) -> None:
    rng = np.random.default_rng(0)
    for rate_hz in (6.0, 7.0, 8.0, 10.0, 12.0):
        angle, phase = rng.uniform(0.0, np.pi), rng.uniform(0.0, 2.0 * np.pi)
        sway = 0.1 * np.sin(2.0 * np.pi * rate_hz * np.arange(TICKS) / 25.0 + phase)
        verdict = judged(speech.motion(sway[:, None] * [np.cos(angle), np.sin(angle)]), SETTINGS.strict_step)
        assert longest_run(verdict.failed) < 25
