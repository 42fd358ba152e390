"""Head pose by 3DDFA_V2 (Guo et al., "Towards Fast, Accurate and Stable 3D Dense Face Alignment", ECCV 2020).

The official checkpoint gives 62 whitened numbers for a face crop; the first twelve are the camera matrix, whose
rotation is the pose. The steps are those of github.com/cleardusk/3DDFA_V2 (MIT), its rounding included, so that the
same box gives the same angles. The network runs on onnxruntime, which needs half of torch's time on one CPU core.
"""

import tempfile
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from curation.perception.cards import HeadPoseCard
from foundation.array_types import Float32Array, Float64Array, RgbImage
from foundation.devices import Device, onnx_session, resolve_device
from foundation.weights import asset_path
from foundation.weights.safe_load import load_pickled_arrays, load_torch_weights

__all__ = ["THREE_DDFA_MB05", "THREE_DDFA_MB1", "ThreeDdfaName", "ThreeDdfaPose", "camera_pose_deg"]

ThreeDdfaName = Literal["3ddfa_mb1", "3ddfa_mb05"]
"""Names of the networks, which are those of their weights in the asset registry too."""

_WHITENING = "3ddfa_whitening"
"""Name of the asset that both networks need besides their weights."""

_WIDTH: dict[ThreeDdfaName, float] = {"3ddfa_mb1": 1.0, "3ddfa_mb05": 0.5}

_INPUT_PX = 120

_SIDE_OVER_BOX = 1.58
"""Side of the crop over the mean of the box's width and height."""

_BELOW_CENTRE = 0.14
"""Distance of the crop's centre below the centre of the box, over the same mean."""

_GIMBAL_LOCK = 0.998
"""Sine of the yaw beyond which pitch and roll turn about one axis."""


class ThreeDdfaPose:
    """A `HeadPose`; give it boxes from brow to chin, as face detectors draw them."""

    def __init__(
        self, name: ThreeDdfaName, device: Device, weights: Path | None = None, whitening: Path | None = None
    ) -> None:
        """Load a network.

        Args:
            name: which one.
            device: where it runs.
            weights: its official checkpoint; None takes that of the asset registry.
            whitening: `param_mean_std_62d_120x120.pkl`; None takes that of the asset registry.

        Raises:
            MissingAssetsError: weights are not on this machine.
            UnsafeAssetError: a file holds more than weights.
            RuntimeError: the checkpoint is of another network.
            DeviceError: the device cannot be used.
        """
        arrays = load_pickled_arrays(asset_path(_WHITENING) if whitening is None else whitening)
        self._mean, self._std = arrays["mean"].astype(np.float32), arrays["std"].astype(np.float32)
        checkpoint = asset_path(name) if weights is None else weights
        self._session = onnx_session(_onnx_model(checkpoint, _WIDTH[name]), device)

    def crop(self, frame: RgbImage, boxes_px: Float32Array) -> npt.NDArray[np.uint8]:
        """Return (F, 120, 120, 3) RGB squares around F faces, black beyond the frame.

        Args:
            frame: (H, W, 3) image.
            boxes_px: (F, 4) x0, y0, x1, y1, source pixels.

        Raises:
            ValueError: a box is empty.
        """
        crops = [_resized(_cut(frame, *_square(box))) for box in boxes_px]
        return np.stack(crops) if crops else np.empty((0, _INPUT_PX, _INPUT_PX, 3), np.uint8)

    def __call__(self, crops: npt.NDArray[np.uint8]) -> Float32Array:
        """Return (F, 3) pitch, yaw and roll, degrees, of F crops from `crop`."""
        if not len(crops):
            return np.empty((0, 3), np.float32)
        images = (np.ascontiguousarray(crops[..., ::-1].transpose(0, 3, 1, 2), np.float32) - 127.5) / 128.0
        whitened = np.asarray(self._session.run(["parameters"], {"pictures": images})[0], np.float32)
        parameters = whitened * self._std + self._mean
        return np.array([camera_pose_deg(row[:12].reshape(3, 4)) for row in parameters], np.float32)


def _card(name: ThreeDdfaName) -> HeadPoseCard:
    return HeadPoseCard(
        name=name,
        assets=(name, _WHITENING),
        runtime="onnxruntime",
        packages=("torch",),  # reads the checkpoint and writes it as a graph
        on_gpu=True,
        load=lambda settings: ThreeDdfaPose(name, resolve_device(settings.device)),
    )


THREE_DDFA_MB1 = _card("3ddfa_mb1")

THREE_DDFA_MB05 = _card("3ddfa_mb05")


def camera_pose_deg(camera: Float32Array | Float64Array) -> Float32Array:
    """Return (3,) pitch, yaw, roll in degrees of an affine camera, with the signs of `FaceObservation.pose_deg`.

    3DDFA_V2's `P2sRt` and `matrix2angle`. The two upper rows need not be orthogonal, and are not made so. Its yaw is
    positive towards the person's right, its pitch downwards and its roll counterclockwise: all signs are reversed.

    Args:
        camera: (3, 4); x to the right, y up, z to the camera, times the scale, and the shift.

    >>> camera_pose_deg(np.array([[2.0, 0, 0, 60], [0, 2, 0, 60], [0, 0, 2, 0]])).tolist()
    [0.0, 0.0, 0.0]
    """
    right = camera[0, :3] / np.linalg.norm(camera[0, :3])
    up = camera[1, :3] / np.linalg.norm(camera[1, :3])
    forward = np.cross(right, up)
    sine = float(forward[0])
    if abs(sine) > _GIMBAL_LOCK:
        sign = np.sign(sine)
        yaw, pitch, roll = sign * np.pi / 2, np.arctan2(-sign * right[1], -sign * right[2]), 0.0
    else:
        yaw = np.arcsin(sine)
        pitch = np.arctan2(forward[1], forward[2])
        roll = np.arctan2(up[0], right[0])
    return (-np.degrees([pitch, yaw, roll]) + 0.0).astype(np.float32)


def _square(box_px: Float32Array) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 of the crop around a box, whole pixels."""
    left, top, right, bottom = (float(edge) for edge in box_px)
    mean_side = (right - left + bottom - top) / 2
    side = int(mean_side * _SIDE_OVER_BOX)
    if side < 1:
        raise ValueError(f"box {box_px.tolist()} has no area; give x0, y0, x1, y1 in pixels")
    x0 = (left + right) / 2 - side / 2
    y0 = (top + bottom) / 2 + mean_side * _BELOW_CENTRE - side / 2
    return round(x0), round(y0), round(x0 + side), round(y0 + side)


def _cut(frame: RgbImage, x0: int, y0: int, x1: int, y1: int) -> RgbImage:
    """Return the square, black where it reaches beyond the frame; a view of the frame where it does not."""
    height, width = frame.shape[:2]
    if x0 >= 0 and x1 <= width and y0 >= 0 and y1 <= height:
        return frame[y0:y1, x0:x1]
    square = np.zeros((y1 - y0, x1 - x0, 3), np.uint8)
    left, right = np.clip([x0, x1], 0, width)
    top, bottom = np.clip([y0, y1], 0, height)
    square[top - y0 : bottom - y0, left - x0 : right - x0] = frame[top:bottom, left:right]
    return square


def _resized(square: RgbImage) -> RgbImage:
    import cv2

    return np.asarray(cv2.resize(square, (_INPUT_PX, _INPUT_PX), interpolation=cv2.INTER_LINEAR), np.uint8)


def _onnx_model(checkpoint: Path, width: float) -> bytes:
    """Return the network with the weights of a checkpoint as an ONNX model for a batch of any size."""
    import torch

    from curation.perception.pose.three_ddfa_network import load_three_ddfa_network

    network = load_three_ddfa_network(load_torch_weights(checkpoint), width)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # torch recommends its other exporter, which needs onnxscript and takes seconds.
        warnings.simplefilter("ignore", DeprecationWarning)
        model = Path(folder) / "network.onnx"
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, _INPUT_PX, _INPUT_PX),),
            str(model),
            input_names=["pictures"],
            output_names=["parameters"],
            dynamic_axes={"pictures": {0: "face"}, "parameters": {0: "face"}},
            opset_version=17,
            dynamo=False,
        )
        return model.read_bytes()
