"""The sample video is what its truth file says: re-made from its script, and measured with models of other origin."""

import importlib
import itertools
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from manifests.vocabulary import OUTCOMES, TIERS

Pictures = npt.NDArray[np.uint8]
FPS = 25
FACE_WIDTH_PX = 193.0


@pytest.fixture(scope="module")
def video(repository: Path) -> Path:
    return repository / "samples" / "talking_astronaut.mp4"


@pytest.fixture(scope="module")
def truth(repository: Path) -> list[dict[str, Any]]:
    text = (repository / "samples" / "talking_astronaut.truth.json").read_text(encoding="utf-8")
    stretches: list[dict[str, Any]] = json.loads(text)
    return stretches


@pytest.fixture
def script(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(repository / "samples"))
    return importlib.import_module("make_sample")


@pytest.fixture(scope="module")
def pictures(video: Path) -> list[Pictures]:
    with av.open(str(video)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def sound(video: Path, rate_hz: int) -> npt.NDArray[np.float32]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
    with av.open(str(video)) as container:
        blocks = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate(blocks)


def ticks(stretch: dict[str, Any]) -> range:
    return range(round(stretch["start_s"] * FPS), round(stretch["end_s"] * FPS))


def test_truth_accounts_for_every_second_with_known_outcomes(truth: list[dict[str, Any]]) -> None:
    assert truth[0]["start_s"] == 0.0
    for before, after in itertools.pairwise(truth):
        assert before["end_s"] == after["start_s"]
    for stretch in truth:
        assert set(stretch["outcome"]) == set(TIERS)
        assert set(stretch["outcome"].values()) <= set(OUTCOMES)
        assert all(stretch["start_s"] < cut_s < stretch["end_s"] for cut_s in stretch["cuts"])
        shots = [stretch["start_s"], *stretch["cuts"], stretch["end_s"]]
        assert min(np.diff(shots)) > 3.3, "every shot is long enough to be judged"
    assert {stretch["outcome"]["diffusion"] for stretch in truth} == {
        "kept", "frontal", "jitter", "mask", "silence", "several_faces", "no_face"
    }  # fmt: skip
    assert sum(len(stretch["cuts"]) for stretch in truth) == 1


def test_video_is_small_and_as_long_as_its_truth(
    video: Path, truth: list[dict[str, Any]], pictures: list[Pictures]
) -> None:
    assert video.stat().st_size <= 3_000_000
    assert len(pictures) == round(truth[-1]["end_s"] * FPS)
    assert 30 <= truth[-1]["end_s"] <= 60
    with av.open(str(video)) as container:
        picture, voice = container.streams.video[0], container.streams.audio[0]
        assert (picture.width, picture.height, picture.average_rate) == (640, 480, FPS)
        assert (picture.codec_context.name, voice.codec_context.name, voice.channels) == ("h264", "aac", 1)
        assert (picture.start_time, voice.start_time) == (0, 0)


def test_truth_is_what_the_script_makes(script: ModuleType, truth: list[dict[str, Any]]) -> None:
    assert script.truth() == truth


def test_sound_is_what_the_script_makes_and_starts_with_the_pictures(script: ModuleType, video: Path) -> None:
    made = script.timeline().samples
    decoded = sound(video, 22_050)[: len(made)]
    at_zero = np.corrcoef(made[100 : len(decoded) - 100], decoded[100:-100])[0, 1]
    assert at_zero > 0.98
    for shift in (-40, 40):  # 2 ms
        assert np.corrcoef(made[100 : len(decoded) - 100], np.roll(decoded, shift)[100:-100])[0, 1] < 0.9


@pytest.mark.slow
def test_pictures_are_what_the_script_makes(script: ModuleType, pictures: list[Pictures]) -> None:
    for tick in range(0, len(pictures), 12):
        assert cv2.PSNR(script.render(tick), pictures[tick]) > 35.0, f"tick {tick}"


@pytest.mark.slow
def test_voice_model_hears_speech_everywhere_but_in_the_silence(video: Path, truth: list[dict[str, Any]]) -> None:
    import silero_vad
    import torch

    samples = torch.from_numpy(sound(video, 16_000))
    spoken = silero_vad.get_speech_timestamps(
        samples, silero_vad.load_silero_vad(), return_seconds=True, time_resolution=3, min_silence_duration_ms=600
    )
    silent = next(stretch for stretch in truth if stretch["label"] == "silent")
    assert len(spoken) == 2
    assert spoken[0]["start"] < 0.2
    assert spoken[0]["end"] == pytest.approx(silent["start_s"], abs=0.2)
    assert spoken[1]["start"] == pytest.approx(silent["end_s"], abs=0.2)
    assert spoken[1]["end"] > truth[-1]["end_s"] - 0.3


def frontal_angle_deg(points: npt.NDArray[np.float64]) -> float:
    """GAIA A.1: from the horizontal through the nose tip, the sum of the angles to the two outer eye corners."""
    to_right, to_left = points[33] - points[1], points[263] - points[1]
    return float(sum(np.degrees(np.arctan2(-y, x)) % 360 for x, y in (to_right, to_left)))


@pytest.mark.slow
def test_face_model_sees_each_stretch_as_intended(
    shared_dir: Path, pictures: list[Pictures], truth: list[dict[str, Any]]
) -> None:
    import mediapipe

    vision = mediapipe.tasks.vision
    options = vision.FaceLandmarkerOptions(
        base_options=mediapipe.tasks.BaseOptions(model_asset_path=str(shared_dir / "models" / "face_landmarker.task")),
        num_faces=3,
    )
    height, width = pictures[0].shape[:2]
    with vision.FaceLandmarker.create_from_options(options) as landmarker:

        def faces(tick: int) -> list[npt.NDArray[np.float64]]:
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pictures[tick])
            found = landmarker.detect(image).face_landmarks
            return [np.array([(point.x * width, point.y * height) for point in face]) for face in found]

        for stretch in truth:
            label, inside = stretch["label"], ticks(stretch)
            inner = range(inside.start + 6, inside.stop - 6)
            seen = {tick: faces(tick) for first in inner[::20] for tick in (first, first + 1)}
            expected = {"no_face": 0, "two_faces": 2}.get(label, 1)
            assert {len(found) for found in seen.values()} == {expected}, label
            if expected != 1:
                continue
            off_deg = [abs(frontal_angle_deg(found[0]) - 180) for found in seen.values()]
            assert min(off_deg) > 40 if label == "turned" else max(off_deg) < 8, label
            cut_ticks = {round(cut_s * FPS) for cut_s in stretch["cuts"]}
            steps = [
                float(np.linalg.norm(seen[first + 1][0][1] - seen[first][0][1])) / FACE_WIDTH_PX
                for first in inner[::20]
                if first + 1 not in cut_ticks
            ]
            assert min(steps) > 0.12 if label == "shaken" else max(steps) < 0.03, label
            opening = [np.ptp(found[0][[13, 14], 1]) / np.ptp(found[0][:, 1]) for found in seen.values()]
            if label == "good":
                assert np.ptp(opening) > 0.03, "the mouth moves"
            if label == "silent":
                assert max(opening) < 0.01, "the mouth is closed"


@pytest.mark.slow
def test_mask_model_sees_the_mask_and_only_there(
    shared_dir: Path, pictures: list[Pictures], truth: list[dict[str, Any]]
) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(shared_dir / "models" / "face_mask_detection.onnx"))
    for stretch in truth[:7]:
        middle = pictures[ticks(stretch)[len(ticks(stretch)) // 2]]
        square = cv2.resize(middle[50:400, 5:355], (260, 260)).astype(np.float32) / 255
        answers = session.run(None, {session.get_inputs()[0].name: square.transpose(2, 0, 1)[None]})
        scores = next(answer for answer in answers if answer.shape[-1] == 2)[0]
        mask_score = scores[scores.max(1).argmax()][0]
        assert mask_score > 0.9 if stretch["label"] == "masked" else mask_score < 0.1, stretch["label"]
