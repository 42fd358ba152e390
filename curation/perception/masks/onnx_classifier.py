"""Mask classifier from an ONNX file of the user.

Requirements, checked when it is loaded:

- one input, float32 of shape (N, 3, H, W) with H and W fixed: RGB from 0 to 1: the square around the face's box, 1.25
  times as large, resized to H x W; beyond the frame the border is repeated. N may be fixed at 1.
- its first output, float32: (N,) or (N, 1) for a mask, or (N, 2) for mask and no mask, in this order. Where it comes
  from a Sigmoid or a Softmax it is a probability, else a logit.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.model_cards import file_weights
from curation.perception.cards import MaskCard
from curation.perception.settings import PerceptionSettings
from foundation.array_types import Float32Array, Float64Array, RgbImage
from foundation.devices import Device, onnx_session, resolve_device
from foundation.weights import AssetError
from manifests.record import WeightRecord

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession, NodeArg

__all__ = ["ONNX_FILE_MASK", "OnnxMask", "UnfitMaskModelError", "require_model_file"]

_SIDE_OVER_BOX = 1.25

_ONLY_SHAPE = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Cast"})
"""Operators that change no number of what they pass on."""

_CONTRACT = (
    "required: one float32 input (N, 3, H, W) with fixed H and W, RGB from 0 to 1, and as first output float32 (N,), "
    "(N, 1) or (N, 2), mask before no mask"
)


class UnfitMaskModelError(AssetError):
    """The file that `perception.mask` names is not a model that can classify masks."""


class OnnxMask:
    """A `MaskClassifier` around an ONNX file of the user."""

    def __init__(self, model: Path, device: Device) -> None:
        """Load a classifier.

        Args:
            model: the ONNX file.
            device: where it runs.

        Raises:
            UnfitMaskModelError: there is no such file, it is no ONNX model, or its input or output does not fit.
            DeviceError: the device cannot be used.
        """
        self._session = _open_session(model, device)
        self._input, self._height, self._width = _checked_input(self._session.get_inputs(), model)
        self._one_at_a_time = self._session.get_inputs()[0].shape[0] == 1
        self._output = self._session.get_outputs()[0].name
        self._gives_probability = _gives_probability(model, self._output)
        answer = self._run(np.zeros((1, 3, self._height, self._width), np.float32))
        if answer.shape not in {(1,), (1, 1), (1, 2)}:
            raise UnfitMaskModelError(
                f"{model}: output {self._output!r} has shape {answer.shape} for one image; {_CONTRACT}"
            )

    def __call__(self, frame: RgbImage, key_points_px: Float32Array, boxes_px: Float32Array) -> Float32Array:  # noqa: ARG002 - the Protocol's
        """Return the (F,) probability of a mask for F faces.

        Args:
            frame: (H, W, 3) image.
            key_points_px: (F, 9, 2); not used.
            boxes_px: (F, 4) x0, y0, x1, y1, source pixels.
        """
        if not len(boxes_px):
            return np.empty(0, np.float32)
        images = np.stack([self._look(frame, box) for box in boxes_px]).transpose(0, 3, 1, 2)
        batches = np.split(images, len(images)) if self._one_at_a_time else [images]
        answers = np.concatenate([self._run(np.ascontiguousarray(batch)) for batch in batches])
        return _probability(answers.reshape(len(boxes_px), -1), known=self._gives_probability)

    def _look(self, frame: RgbImage, box_px: Float32Array) -> Float32Array:
        """Return the (height, width, 3) square of the frame around a box, 0 to 1."""
        import cv2

        side = max(_SIDE_OVER_BOX * float(max(box_px[2] - box_px[0], box_px[3] - box_px[1])), 1.0)
        low = (box_px[:2] + box_px[2:]) / 2 - side / 2
        x0, y0 = int(np.floor(low[0])), int(np.floor(low[1]))
        columns = np.clip(np.arange(x0, x0 + round(side)), 0, frame.shape[1] - 1)
        rows = np.clip(np.arange(y0, y0 + round(side)), 0, frame.shape[0] - 1)
        square = frame[np.ix_(rows, columns)]
        method = cv2.INTER_AREA if side > self._width else cv2.INTER_LINEAR
        look = np.asarray(cv2.resize(square, (self._width, self._height), interpolation=method), np.float32)
        return look / np.float32(255)

    def _run(self, images: Float32Array) -> Float32Array:
        return np.asarray(self._session.run([self._output], {self._input: images})[0], np.float32)


def _probability(answers: Float32Array, *, known: bool) -> Float32Array:
    """Return the (F,) probability of a mask from (F, 1) or (F, 2) answers.

    Args:
        answers: for a mask, or for mask and no mask.
        known: whether they are probabilities; else they are logits.

    >>> _probability(np.array([[2.0, 2.0]], np.float32), known=False).tolist()
    [0.5]
    """
    if known:
        return answers[:, 0]
    single = answers.shape[1] == 1
    logit: Float64Array = (answers[:, 0] if single else answers[:, 0] - answers[:, 1]).astype(np.float64)
    prob: Float32Array = (0.5 * (1.0 + np.tanh(logit / 2))).astype(np.float32)
    return prob


def require_model_file(model: Path) -> None:
    """Check that the file that `perception.mask` names is there.

    Raises:
        UnfitMaskModelError: it is not.
    """
    if not model.is_file():
        raise UnfitMaskModelError(
            f"perception.mask is {str(model)!r}, but there is no such file; write embedded, ssd, "
            "ssd_onnx, or where an ONNX classifier lies"
        )


def _file_weights(settings: PerceptionSettings) -> list[WeightRecord]:
    require_model_file(Path(settings.mask))
    return [file_weights(settings.mask, "perception", Path(settings.mask), "the user's own", commercial_use=None)]


ONNX_FILE_MASK = MaskCard(
    name="ONNX file",
    runtime="onnxruntime",
    packages=("onnx",),
    on_gpu=True,
    weights=_file_weights,
    load=lambda settings: OnnxMask(Path(settings.mask), resolve_device(settings.device)),
)
"""For every value of `perception.mask` that is the path of a file."""


def _open_session(model: Path, device: Device) -> "InferenceSession":
    require_model_file(model)
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    try:
        return onnx_session(model, device)
    except (errors.Fail, errors.InvalidGraph, errors.InvalidProtobuf, errors.NotImplemented) as error:
        raise UnfitMaskModelError(f"{model}: onnxruntime cannot load it: {error}") from error


def _checked_input(inputs: "Sequence[NodeArg]", model: Path) -> tuple[str, int, int]:
    """Return name, height and width of the only input."""
    if len(inputs) != 1:
        names = ", ".join(repr(one.name) for one in inputs)
        raise UnfitMaskModelError(f"{model} has {len(inputs)} inputs ({names}); {_CONTRACT}")
    name, shape, kind = inputs[0].name, inputs[0].shape, inputs[0].type
    if kind != "tensor(float)":
        raise UnfitMaskModelError(f"{model}: input {name!r} is {kind}; {_CONTRACT}")
    sized = len(shape) == 4 and shape[1] == 3 and all(isinstance(side, int) and side > 0 for side in shape[2:])
    if not sized or (isinstance(shape[0], int) and shape[0] != 1):
        raise UnfitMaskModelError(f"{model}: input {name!r} has shape {shape}; {_CONTRACT}")
    return name, int(shape[2]), int(shape[3])


def _gives_probability(model: Path, output: str) -> bool:
    """Return whether the output comes from a Sigmoid or a Softmax."""
    import onnx

    loaded: ModelProto = onnx.load(str(model), load_external_data=False)
    maker = {name: node for node in loaded.graph.node for name in node.output}
    node = maker.get(output)
    while node is not None and node.op_type in _ONLY_SHAPE:
        node = maker.get(node.input[0])
    return node is not None and node.op_type in {"Sigmoid", "Softmax"}
