"""Poses come in batches and masks at a stride; each must end at the face and tick that it is about."""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import counted_picture, frame_times, read_count, write_video

from curation.analysis.analyze import analyze
from curation.evidence.measures import Evidence
from curation.media.probe import probe
from curation.perception.models import Perception, load_perception, perception_assets
from curation.perception.protocols import FaceObservation
from curation.perception.settings import PerceptionSettings
from foundation.array_types import Float32Array, RgbImage
from foundation.weights import ensure_assets
from manifests.landmarks import landmark_scheme

N_PICTURES = 60
WORN_FROM = 33
"""The left face wears a mask from this picture on."""
LEFT, RIGHT = (np.array([20, 20, 100, 120], np.float32), np.array([200, 20, 260, 120], np.float32))


class TwoFaces:
    """Two faces in every picture, the wider one on the left."""

    scheme = "mediapipe478"
    pose_method = "none"

    def __call__(self, frame: RgbImage, near: Sequence[FaceObservation] | None = None) -> list[FaceObservation]:
        del frame, near
        n_points = landmark_scheme(self.scheme).n_points
        return [
            FaceObservation(
                box_px=box,
                score=1.0,
                landmarks_px=np.linspace(box[:2], box[2:], n_points, dtype=np.float32),
                pose_deg=np.zeros(3, np.float32),
                blendshapes=None,
            )
            for box in (LEFT, RIGHT)
        ]


class PictureNumber:
    """A pose whose pitch is the number of the picture and whose yaw is the left edge of the box."""

    method = "picture_number"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def crop(self, frame: RgbImage, boxes_px: Float32Array) -> np.ndarray:
        crops = np.zeros((len(boxes_px), 2, 2, 3), np.uint8)
        crops[:, 0, 0, 0], crops[:, 0, 0, 1] = read_count(frame), boxes_px[:, 0]
        return crops

    def __call__(self, crops: np.ndarray) -> Float32Array:
        self.batches.append(len(crops))
        return np.concatenate([crops[:, 0, 0, :2], np.zeros((len(crops), 1))], axis=1).astype(np.float32)


class LeftFaceLater:
    """A mask on the left face from picture `WORN_FROM` on."""

    def __init__(self) -> None:
        self.n_asked = 0

    def __call__(self, frame: RgbImage, key_points_px: Float32Array, boxes_px: Float32Array) -> Float32Array:
        assert key_points_px.shape == (len(boxes_px), 9, 2)
        self.n_asked += len(boxes_px)
        return ((boxes_px[:, 0] == LEFT[0]) & (read_count(frame) >= WORN_FROM)).astype(np.float32)


@pytest.fixture(scope="module")
def real_models() -> Perception:
    ensure_assets(perception_assets(PerceptionSettings()))
    return load_perception(PerceptionSettings())


@pytest.fixture(scope="module")
def told(real_models: Perception, tmp_path_factory: pytest.TempPathFactory) -> tuple[Evidence, PictureNumber, int]:
    """What is seen of 60 pictures at 12.5 a second, each on two ticks; the pose model; how often masks were asked."""
    path: Path = tmp_path_factory.mktemp("counted") / "counted.mp4"
    write_video(path, frame_times(Fraction(25, 2), N_PICTURES), map(counted_picture, range(N_PICTURES)))
    info = probe(path)
    pose, mask = PictureNumber(), LeftFaceLater()
    models = dataclasses.replace(real_models, faces=TwoFaces(), pose=pose, mask=mask, mask_stride=5)
    return analyze(info, models, 0, info.n_ticks), pose, mask.n_asked


def pictures_of(ticks: np.ndarray) -> np.ndarray:
    """Tick k shows picture k / 2; of two that are equally near, either."""
    return ticks / 2


def test_every_pose_ends_at_its_face_and_tick(told: tuple[Evidence, PictureNumber, int]) -> None:
    faces, pose = told[0].faces, told[1]
    # The last picture begins on tick 118, which is the last.
    assert len(faces) == 2 * 119
    assert (np.abs(faces.pose_deg[:, 0] - pictures_of(faces.tick)) <= 0.5).all()
    np.testing.assert_array_equal(faces.pose_deg[:, 1], faces.box_px[:, 0])
    # 120 faces in 60 pictures, once each.
    assert pose.batches == [16] * 7 + [8]


def test_every_mask_ends_at_its_face_and_tick_and_few_were_asked_for(
    told: tuple[Evidence, PictureNumber, int],
) -> None:
    faces, n_asked = told[0].faces, told[2]
    left = faces.box_px[:, 0] == LEFT[0]
    shown = faces.pose_deg[:, 0]
    np.testing.assert_array_equal(faces.mask_prob, (left & (shown >= WORN_FROM)).astype(np.float32))
    # Every fifth tick and the last one of either face, and the pictures of four ticks about the change.
    assert 2 * 24 < n_asked <= 2 * 25 + 3
    assert faces.mask_measured.mean() < 0.5
