"""ArcFace's descriptor, with a made network of the same input and output, against InsightFace's own way to it."""

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from insightface.app.common import Face
from insightface.model_zoo import get_model
from onnx import TensorProto, helper, numpy_helper

from curation.perception.identity.arcface import ArcFaceIdentity, five_points
from foundation.array_types import RgbImage
from foundation.devices import resolve_device
from manifests.landmarks import KEY_POINT_NAMES

FACE = {
    "nose_tip": (151.3, 172.1),
    "right_eye_outer": (92.6, 121.9),
    "right_eye_inner": (124.2, 126.3),
    "left_eye_inner": (173.8, 131.0),
    "left_eye_outer": (206.7, 135.4),
    "mouth_right": (112.9, 211.2),
    "mouth_left": (171.4, 219.8),
    "inner_lip_top": (141.0, 212.7),
    "inner_lip_bottom": (140.2, 218.3),
}
KEY_POINTS = np.array([FACE[name] for name in KEY_POINT_NAMES], np.float32)


def write_network(path: Path, *, side: int = 112, numbers: int = 512) -> Path:
    """Write a network that averages the picture over 8x8 blocks and mixes the blocks at random."""
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((3 * (side // 8) ** 2, numbers)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("AveragePool", ["input.1"], ["blocks"], kernel_shape=[8, 8], strides=[8, 8]),
            helper.make_node("Flatten", ["blocks"], ["flat"]),
            helper.make_node("MatMul", ["flat", "mix"], ["683"]),
        ],
        "made",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["None", 3, side, side])],
        [helper.make_tensor_value_info("683", TensorProto.FLOAT, ["None", numbers])],
        [numpy_helper.from_array(mix, "mix")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6), path)
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("arcface") / "w600k_r50.onnx")


@pytest.fixture(scope="module")
def picture() -> RgbImage:
    noise = np.random.default_rng(1).integers(0, 256, (20, 20, 3), np.uint8)
    return cv2.resize(noise, (320, 300), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


@pytest.mark.filterwarnings("ignore:`estimate` is deprecated:FutureWarning")
def test_the_descriptor_is_that_of_insightface_at_length_one(network: Path, picture: RgbImage) -> None:
    ours = ArcFaceIdentity(resolve_device("cpu"), network)(picture, KEY_POINTS)
    reference = get_model(str(network), providers=["CPUExecutionProvider"])
    # OpenCV's order of channels, the centre of the first pixel at 0
    theirs = reference.get(picture[..., ::-1], Face(kps=five_points(KEY_POINTS) - 0.5))
    assert ours.shape == (512,)
    assert np.linalg.norm(ours) == pytest.approx(1.0, abs=1e-6)
    assert ours == pytest.approx(theirs / np.linalg.norm(theirs), abs=1e-4)


def test_a_turned_and_enlarged_face_has_the_same_descriptor(network: Path, picture: RgbImage) -> None:
    describe = ArcFaceIdentity(resolve_device("cpu"), network)
    turn = cv2.getRotationMatrix2D((150.0, 160.0), 20.0, 1.4) + np.array([[0, 0, 150], [0, 0, 150]])
    turned = cv2.warpAffine(picture, turn, (640, 640)).astype(np.uint8)
    points = ((KEY_POINTS - 0.5) @ turn[:, :2].T + turn[:, 2] + 0.5).astype(np.float32)
    upright, tilted = describe(picture, KEY_POINTS), describe(turned, points)
    assert float(upright @ tilted) > 0.97
    assert float(upright @ describe(turned, KEY_POINTS)) < 0.8


def test_the_five_points_are_eyes_nose_and_mouth_as_they_stand_in_the_picture() -> None:
    assert five_points(KEY_POINTS) == pytest.approx(
        np.array([[108.4, 124.1], [190.25, 133.2], [151.3, 172.1], [112.9, 211.2], [171.4, 219.8]]), abs=1e-3
    )


@pytest.mark.parametrize(("side", "numbers"), [(128, 512), (112, 128)])
def test_another_network_is_refused(tmp_path: Path, side: int, numbers: int) -> None:
    other = write_network(tmp_path / "other.onnx", side=side, numbers=numbers)
    with pytest.raises(ValueError, match=r"other\.onnx takes .* and gives .*w600k_r50\.onnx of buffalo_l"):
        ArcFaceIdentity(resolve_device("cpu"), other)
