"""Mask classifier FaceMaskDetection of AIZOOTech: an SSD on 260x260 images with the classes mask and no mask.

github.com/AIZOOTech/FaceMaskDetection (MIT). `ssd` runs the TensorFlow Lite file that upstream offers; `ssd_onnx` an
export of upstream's PyTorch model. Anchors and decoding are upstream's. The PyTorch model halves its feature maps
rounding down, so its maps lack the last row and column (5,456 anchors instead of 5,972).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from curation.perception.cards import MaskCard
from curation.perception.runtime.litert import LiteRtNetwork, without_start_up_chatter
from foundation.array_types import BoolArray, Float32Array, Float64Array, RgbImage
from foundation.devices import Device, onnx_session, resolve_device
from foundation.weights import asset_path

__all__ = ["SSD_MASK", "SSD_ONNX_MASK", "SsdMask", "load_ssd", "load_ssd_onnx", "ssd_anchors", "with_plain_pads"]

_ASSET, _ONNX_ASSET = "face_mask_detection", "face_mask_detection_onnx"

_INPUT_PX = 260

_SIDE_OVER_BOX = 1.8
"""Side of the square given to the detector over the longer side of the face's box."""

_MAP_CELLS = (33, 17, 9, 5, 3)
"""Rows and columns of the feature maps."""

_ANCHOR_SIZES = ((0.04, 0.056), (0.08, 0.11), (0.16, 0.22), (0.32, 0.45), (0.64, 0.72))
"""Per feature map, in sides of the image."""

_ANCHOR_RATIOS = (1.0, 0.62, 0.42)
"""Width over height; the first with both sizes, the others with the smaller."""

_CENTRE_VARIANCE = 0.1
"""Unit of the offsets of the centre: the anchor's width or height times this."""

_Network = Callable[[Float32Array], tuple[Float32Array, Float32Array]]
"""Given a (260, 260, 3) image, RGB from 0 to 1: (A, 4) offsets of the anchors, (A, 2) scores of mask and no mask."""


class SsdMask:
    """A `MaskClassifier`; the most confident anchor on a face decides."""

    def __init__(self, network: _Network, anchors: Float32Array) -> None:
        """Take a loaded network; see `load_ssd` and `load_ssd_onnx`.

        Args:
            network: gives the offsets and scores of all anchors.
            anchors: (A, 4) from `ssd_anchors`, in the order of the network's output.
        """
        self._network = network
        self._anchors = anchors

    def __call__(self, frame: RgbImage, key_points_px: Float32Array, boxes_px: Float32Array) -> Float32Array:  # noqa: ARG002 - the Protocol's
        """Return the (F,) probability of a mask for F faces.

        Args:
            frame: (H, W, 3) image.
            key_points_px: (F, 9, 2); this detector needs none.
            boxes_px: (F, 4) x0, y0, x1, y1, source pixels.

        Raises:
            ValueError: a box has no area in the image.
        """
        return np.array([self._probability(frame, box) for box in boxes_px], np.float32)

    def _probability(self, frame: RgbImage, box_px: Float32Array) -> float:
        import cv2

        x0, y0, x1, y1 = _square(box_px, *frame.shape[1::-1])
        if x1 <= x0 or y1 <= y0:
            raise ValueError(
                f"box {box_px.tolist()} has no area in a picture of {frame.shape[1]} by {frame.shape[0]} px"
            )
        # A square that reaches beyond the image is cut there and stretched again, as the reference scores have it.
        look = cv2.resize(frame[y0:y1, x0:x1], (_INPUT_PX, _INPUT_PX), interpolation=cv2.INTER_LINEAR)
        offsets, scores = self._network(np.asarray(look, np.float32) / np.float32(255))
        corners = (box_px.reshape(2, 2).astype(np.float64) - (x0, y0)) / (x1 - x0, y1 - y0)
        here = _centres_within(self._anchors, offsets, corners)
        surest = np.where(here, scores.max(axis=1), -1.0).argmax()
        return float(scores[surest, 0])


def load_ssd(model: Path | None = None) -> SsdMask:
    """Load the detector as a TensorFlow Lite file, which runs on the CPU.

    Args:
        model: `face_mask_detection.tflite`; None takes the one of the asset registry.

    Raises:
        MissingAssetsError: it is not on this machine.
    """
    content = (asset_path(_ASSET) if model is None else model).read_bytes()
    with without_start_up_chatter():
        network = LiteRtNetwork(content)

    def run(image: Float32Array) -> tuple[Float32Array, Float32Array]:
        offsets, scores = network(image[None])
        return offsets[0], scores[0]

    return SsdMask(run, ssd_anchors())


def load_ssd_onnx(device: Device, model: Path | None = None) -> SsdMask:
    """Load the detector as an ONNX file.

    Args:
        device: where it runs.
        model: `face_mask_detection.onnx`; None takes the one of the asset registry.

    Raises:
        MissingAssetsError: it is not on this machine.
        DeviceError: the device cannot be used.
    """
    session = onnx_session(with_plain_pads(asset_path(_ONNX_ASSET) if model is None else model), device)

    def run(image: Float32Array) -> tuple[Float32Array, Float32Array]:
        found = session.run(["boxes", "scores"], {"image": np.ascontiguousarray(image.transpose(2, 0, 1)[None])})
        offsets, scores = (np.asarray(output, np.float32)[0] for output in found)
        return offsets, scores

    return SsdMask(run, ssd_anchors(without_last=True))


def with_plain_pads(model: Path) -> bytes:
    """Return an ONNX file with the empty name gone by which its Pads say that they fill with zeros.

    Without it onnxruntime makes them the padding of the convolutions that follow: the same numbers, 6 % sooner.
    """
    import onnx

    proto = onnx.load(str(model))
    for node in proto.graph.node:
        if node.op_type == "Pad" and node.input[-1] == "":
            del node.input[-1]
    content: bytes = proto.SerializeToString()
    return content


def _square(box_px: Float32Array, width: int, height: int) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 of the detector's input around a face, cut at the borders of the frame; whole pixels."""
    left, top, right, bottom = (float(edge) for edge in box_px)
    half = int(_SIDE_OVER_BOX * max(right - left, bottom - top) / 2)
    x, y = int((left + right) / 2), int((top + bottom) / 2)
    return max(0, x - half), max(0, y - half), min(width, x + half), min(height, y + half)


def _centres_within(anchors: Float32Array, offsets: Float32Array, corners: Float64Array) -> BoolArray:
    """Return (A,) whether the box that an anchor predicts has its centre in a face's box.

    A neighbour with a mask may be in the square, too.

    Args:
        anchors: (A, 4) from `ssd_anchors`.
        offsets: (A, 4) the detector's offsets; the first two are those of the centre.
        corners: (2, 2) top left and bottom right corner of the face's box, in sides of the square.
    """
    centres = anchors[:, :2] + offsets[:, :2] * _CENTRE_VARIANCE * anchors[:, 2:]
    inside: BoolArray = np.logical_and(centres >= corners[0], centres <= corners[1])
    within: BoolArray = np.logical_and(inside[:, 0], inside[:, 1])
    return within


SSD_MASK = MaskCard(
    name="ssd",
    assets=(_ASSET,),
    runtime="ai-edge-litert",
    load=lambda _settings: load_ssd(),
)

SSD_ONNX_MASK = MaskCard(
    name="ssd_onnx",
    assets=(_ONNX_ASSET,),
    runtime="onnxruntime",
    packages=("onnx",),
    on_gpu=True,
    load=lambda settings: load_ssd_onnx(resolve_device(settings.device)),
)


def ssd_anchors(*, without_last: bool = False) -> Float32Array:
    """Return the (5972, 4) anchors in the order of the detector's output: x, y, width, height in sides of the image.

    Of every cell, row by row: a square of both sizes, then the smaller at the other ratios.

    Args:
        without_last: leave out the last row and column of every feature map, which the PyTorch model lacks: (5456, 4).

    >>> ssd_anchors()[[0, -1]].round(3)
    array([[0.015, 0.015, 0.04 , 0.04 ],
           [0.833, 0.833, 0.415, 0.988]], dtype=float32)
    """
    anchors = []
    for cells, (small, large) in zip(_MAP_CELLS, _ANCHOR_SIZES, strict=True):
        centres = (np.arange(cells - without_last) + 0.5) / cells
        y, x = np.meshgrid(centres, centres, indexing="ij")
        shapes = [(small, 1.0), (large, 1.0), *((small, ratio) for ratio in _ANCHOR_RATIOS[1:])]
        sides = np.array([(size * np.sqrt(ratio), size / np.sqrt(ratio)) for size, ratio in shapes])
        grid = np.stack([x, y], axis=-1).reshape(-1, 1, 2)
        anchors.append(np.concatenate(np.broadcast_arrays(grid, sides[None]), axis=-1).reshape(-1, 4))
    return np.concatenate(anchors).astype(np.float32)
