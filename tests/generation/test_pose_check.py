from collections.abc import Iterator

import numpy as np
import pytest
from helpers.made_videos import TalkingFace

from curation.perception.models import load_face_finder
from curation.perception.settings import PerceptionSettings
from foundation.array_types import Float32Array, RgbImage, UInt8Array
from generation.pose_check import HeadMeter, PoseAgreement


def test_the_error_is_the_mean_difference_over_frames_with_a_face() -> None:
    asked_deg = np.array([[0.0, 10.0, 0.0], [0.0, -10.0, 0.0], [5.0, 5.0, 5.0]], np.float32)
    measured_deg = np.array([[1.0, 8.0, 0.0], [-3.0, -11.0, 0.0], [np.nan] * 3], np.float32)
    agreement = PoseAgreement(asked_deg=asked_deg, measured_deg=measured_deg)
    assert agreement.n_measured == 2
    errors_deg = agreement.mean_error_deg
    assert errors_deg is not None
    assert errors_deg.tolist() == [2.0, 1.5, 0.0]
    assert str(agreement) == (
        "head pose 1.2 degrees from the one asked for, on average: pitch 2.0, yaw 1.5, roll 0.0 (a face was found in "
        "2 of 3 frames)"
    )


def test_frames_without_a_face_give_no_error() -> None:
    nothing_deg = np.full((2, 3), np.nan, np.float32)
    agreement = PoseAgreement(asked_deg=np.zeros((2, 3), np.float32), measured_deg=nothing_deg)
    assert agreement.mean_error_deg is None
    assert str(agreement) == "head pose not measured, for no face was found in the frames"


def test_frames_pass_unchanged_and_small_ones_are_measured_as_their_enlargement(talking_face: TalkingFace) -> None:
    from PIL import Image

    heads = HeadMeter(finder=load_face_finder(PerceptionSettings()), poses=None)
    large = np.ascontiguousarray(talking_face.pictures[0])
    small = np.asarray(Image.fromarray(large).resize((96, 96)))
    frames: list[RgbImage] = [large, small, np.full_like(small, 90)]
    measured_deg: list[Float32Array] = []
    passed = heads.watched(frames, measured_deg)
    assert isinstance(passed, Iterator)
    assert all(one is other for one, other in zip(passed, frames, strict=True))
    of_large, of_small, of_none = measured_deg
    assert of_small == pytest.approx(of_large, abs=3.0)
    assert np.isnan(of_none).all()
    # the finder's own pose of the picture
    assert of_large.tolist() == heads.finder(large)[0].pose_deg.tolist()


class _Threes:
    """A head pose that answers three times the mean grey of a face."""

    def crop(self, frame: RgbImage, boxes_px: Float32Array) -> UInt8Array:
        assert boxes_px.shape == (1, 4)
        return frame[None]

    def __call__(self, crops: UInt8Array) -> Float32Array:
        return np.full((len(crops), 3), 3.0 * crops.mean(), np.float32)


def test_the_pose_is_that_of_the_model_that_measured_the_training_data(talking_face: TalkingFace) -> None:
    large = np.ascontiguousarray(talking_face.pictures[0])
    heads = HeadMeter(finder=load_face_finder(PerceptionSettings()), poses=_Threes())
    assert heads.of_frame(large)[0] == pytest.approx(3.0 * large.mean(), rel=1e-4)
