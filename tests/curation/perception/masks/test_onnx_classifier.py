from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from curation.perception.masks.onnx_classifier import OnnxMask, UnfitMaskModelError
from foundation.devices import resolve_device

CPU = resolve_device("cpu")
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a classifier whose logit of a mask is ten times the red of the picture less that of its green.

    `tail` names the operators after the logit; `outputs` is 2 for a second class whose logit is 0.
    """

    def make(
        *tail: str, shape: tuple = ("n", 3, 8, 8), kind: int = TensorProto.FLOAT, outputs: int = 1, width: int = 3
    ) -> Path:
        weights = np.zeros((width, outputs), np.float32)
        weights[0, 0], weights[1, 0] = 10.0, -10.0
        nodes = [
            helper.make_node("Cast", ["faces"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats"], ["means"], axes=[2, 3], keepdims=0),
            helper.make_node("MatMul", ["means", "weights"], ["value_0"]),
        ]
        for index, name in enumerate(tail):
            axes = {"axes": [1]} if name == "Squeeze11" else {}
            operator = name.removesuffix("11")
            nodes.append(helper.make_node(operator, [f"value_{index}"], [f"value_{index + 1}"], **axes))
        nodes[-1].output[0] = "mask"
        graph = helper.make_graph(
            nodes,
            "red_means_mask",
            [helper.make_tensor_value_info("faces", kind, list(shape))],
            [helper.make_tensor_value_info("mask", TensorProto.FLOAT, None)],
            [onnx.numpy_helper.from_array(weights, "weights")],
        )
        path = tmp_path / "classifier.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), str(path))
        return path

    return make


def red_and_green() -> tuple[np.ndarray, np.ndarray]:
    """A picture whose left half is red and whose right half is green, and a face in each."""
    frame = np.zeros((60, 120, 3), np.uint8)
    frame[:, :60, 0] = frame[:, 60:, 1] = 51
    return frame, np.array([[20, 20, 40, 40], [80, 20, 100, 40]], np.float32)


def sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


@pytest.mark.parametrize(
    ("tail", "options"),
    [
        ((), {}),
        (("Sigmoid",), {}),
        (("Sigmoid", "Squeeze11"), {}),
        (("Squeeze11",), {}),
        ((), {"outputs": 2}),
        (("Softmax",), {"outputs": 2}),
        (("Sigmoid",), {"shape": (1, 3, 8, 8)}),
    ],
)
def test_logits_and_probabilities_of_one_or_two_classes_are_understood(
    write: Write, tail: tuple[str, ...], options: dict
) -> None:
    frame, boxes = red_and_green()
    answers = OnnxMask(write(*tail, **options), CPU)(frame, np.zeros((2, 9, 2), np.float32), boxes)
    # Red of 51 is 0.2 of 1: a logit of 2 in the red half, of -2 in the green one.
    np.testing.assert_allclose(answers, [sigmoid(2.0), sigmoid(-2.0)], atol=1e-5)


def test_the_square_is_a_quarter_larger_than_the_box_and_the_border_goes_on_beyond_the_frame(write: Write) -> None:
    frame = np.zeros((40, 40, 3), np.uint8)
    frame[:, 16:, 0] = 255
    # Boxes of 16 px: a square from -2 to 18 of which the last 2 of 20 columns are red, and one that is red throughout.
    boxes = np.array([[0, 10, 16, 26], [30, 10, 46, 26]], np.float32)
    answers = OnnxMask(write(shape=("n", 3, 20, 20)), CPU)(frame, np.zeros((2, 9, 2), np.float32), boxes)
    np.testing.assert_allclose(answers, [sigmoid(10 * 0.1), sigmoid(10.0)], atol=1e-5)


def test_no_face_gives_no_answer(write: Write) -> None:
    answers = OnnxMask(write(), CPU)(np.zeros((9, 9, 3), np.uint8), np.zeros((0, 9, 2), np.float32), np.zeros((0, 4)))
    assert answers.shape == (0,)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"shape": ("n", 8, 8, 3), "width": 8}, r"input 'faces' has shape \['n', 8, 8, 3\]"),
        ({"shape": ("n", 3, "h", "w")}, r"input 'faces' has shape \['n', 3, 'h', 'w'\]"),
        ({"shape": (4, 3, 8, 8)}, r"input 'faces' has shape \[4, 3, 8, 8\]"),
        ({"kind": TensorProto.UINT8}, r"input 'faces' is tensor\(uint8\)"),
        ({"outputs": 5}, r"output 'mask' has shape \(1, 5\)"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_what_does_not_fit(
    write: Write, options: dict, complaint: str
) -> None:
    with pytest.raises(UnfitMaskModelError, match=complaint) as refused:
        OnnxMask(write(**options), CPU)
    assert "classifier.onnx" in str(refused.value)
    assert "required: one float32 input (N, 3, H, W)" in str(refused.value)


def test_a_path_without_a_file_and_a_file_that_is_no_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UnfitMaskModelError, match=r"perception\.mask is .*no such file; write embedded, ssd, ssd_onnx, or"
    ):
        OnnxMask(tmp_path / "nothing.onnx", CPU)
    text = tmp_path / "text.onnx"
    text.write_text("no model")
    with pytest.raises(UnfitMaskModelError, match=r"text\.onnx: onnxruntime cannot load it"):
        OnnxMask(text, CPU)
