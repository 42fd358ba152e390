from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import Coding, TalkingFace, frame_times, talking_video
from PIL import Image

from curation.perception.models import Perception, load_perception, perception_assets
from curation.settings import CurationSettings
from foundation.array_types import RgbImage
from foundation.weights import ensure_assets
from generation.driving import read_driving, read_head_poses
from generation.trained_run import GenerationError
from manifests.landmarks import landmark_box

SETTINGS = CurationSettings()


@pytest.fixture(scope="module")
def perception() -> Perception:
    ensure_assets(perception_assets(SETTINGS.perception))
    return load_perception(SETTINGS.perception)


def test_every_tick_has_landmarks_and_the_median_face_is_in_the_middle(
    perception: Perception, talking_face: TalkingFace, tmp_path: Path
) -> None:
    path = talking_video(tmp_path / "a.mp4", talking_face, frame_times(Fraction(25), 30))
    driving = read_driving(path, perception, SETTINGS, 256)
    assert driving.landmarks_px.shape == (30, 478, 2)
    assert driving.audio_48k is None
    boxes = landmark_box(driving.landmarks_px)
    assert np.median(boxes[:, 2] - boxes[:, 0]) == pytest.approx(128, abs=1.0)
    assert np.median(boxes[:, 0] + boxes[:, 2]) == pytest.approx(256, abs=2.0)


def test_a_video_in_which_the_face_is_away_is_refused_with_the_time(
    perception: Perception, talking_face: TalkingFace, tmp_path: Path
) -> None:
    shown = [0]

    def hidden(picture: RgbImage) -> RgbImage:
        shown[0] += 1
        return np.full_like(picture, 90) if 10 < shown[0] <= 20 else np.ascontiguousarray(picture)

    path = talking_video(tmp_path / "a.mp4", talking_face, frame_times(Fraction(25), 30), change=hidden)
    with pytest.raises(GenerationError, match=r"no face from 0\.40 s on, for 10 of 30 frames"):
        read_driving(path, perception, SETTINGS, 256)


def test_a_file_that_is_no_video_or_shows_nobody_is_refused(
    perception: Perception, talking_face: TalkingFace, tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    empty = talking_video(
        tmp_path / "empty.mp4", talking_face, frame_times(Fraction(25), 10), change=lambda one: np.full_like(one, 90)
    )
    for path, message in (((tmp_path / "text.mp4"), "cannot be read as a video"), (empty, "no face was found")):
        with pytest.raises(GenerationError, match=message):
            read_driving(path, perception, SETTINGS, 256)


def test_a_video_that_goes_on_in_another_size_is_refused_with_the_time(
    perception: Perception, talking_face: TalkingFace, tmp_path: Path
) -> None:
    first = talking_video(tmp_path / "a.ts", talking_face, frame_times(Fraction(25), 15))
    second = talking_video(
        tmp_path / "b.ts", talking_face, frame_times(Fraction(25), 15), coding=Coding(start_s=Fraction(3, 5)),
        change=lambda one: np.ascontiguousarray(one[:, 40:-40]),
    )  # fmt: skip
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(GenerationError, match=r"changes its size, or fades, at 0\.60 s"):
        read_driving(path, perception, SETTINGS, 256)


def test_the_poses_of_a_video_are_those_of_its_face_as_far_as_they_are_needed(
    perception: Perception, talking_face: TalkingFace, tmp_path: Path
) -> None:
    angles_deg = np.linspace(-12.0, 12.0, 20)
    shown = [0]

    def tilted(picture: RgbImage) -> RgbImage:
        turned = Image.fromarray(picture).rotate(-angles_deg[shown[0] % 20], Image.Resampling.BICUBIC)
        shown[0] += 1
        return np.asarray(turned)

    path = talking_video(tmp_path / "a.mp4", talking_face, frame_times(Fraction(25), 20), change=tilted)
    pose_deg = read_head_poses(path, perception, SETTINGS, 15)
    assert pose_deg.shape == (15, 3)
    (upright,) = perception.faces(np.ascontiguousarray(talking_face.pictures[0]))
    # rolled clockwise, as a viewer sees it, by what the picture was turned
    assert pose_deg[:, 2] - upright.pose_deg[2] == pytest.approx(angles_deg[:15], abs=2.5)
    with pytest.raises(GenerationError, match=r"--pose .*: has 20 frames of 1/25 s, but the speech has 21"):
        read_head_poses(path, perception, SETTINGS, 21)


def test_a_video_of_poses_without_a_face_and_a_misspelt_name_are_refused(
    perception: Perception, talking_face: TalkingFace, tmp_path: Path
) -> None:
    empty = talking_video(
        tmp_path / "empty.mp4", talking_face, frame_times(Fraction(25), 10), change=lambda one: np.full_like(one, 90)
    )
    for path, message in ((empty, "--pose .*: no face was found in it"), (Path("stil"), "predict, still, or formulas")):
        with pytest.raises(GenerationError, match=message):
            read_head_poses(path, perception, SETTINGS, 5)
