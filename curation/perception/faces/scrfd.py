"""Face detector SCRFD of InsightFace, for images of any size.

Guo et al., "Sample and Computation Redistribution for Efficient Face Detection" (ICLR 2022). The network runs in a
session of ours, made from its ONNX file; anchors, decoding and suppression are those of `insightface.model_zoo`. Its
`detect` also resizes and pads, which is not needed here: a look has its size already.

Some exports are made for 640x640 alone. Their only traces of that size are the sizes that two Resize nodes enlarge to,
and the shapes written at the graph's ends; the rest is convolutions. Those are taken out when the file is loaded, so
that a look at one face costs as much as a small image (`benchmarks.curation.scrfd`).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.model_cards import ModelCard
from curation.perception.faces.scrfd_graph import with_merged_heads
from curation.perception.faces.search import Candidate
from foundation.array_types import RgbImage
from foundation.devices import Device, onnx_session

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["STRIDE_PX", "Scrfd", "scrfd_card", "with_dynamic_input"]

STRIDE_PX = 32
"""Sides of an image for SCRFD are multiples of this, the stride of its coarsest feature map."""

_MIN_SCORE = 0.5
"""Least confidence of a detection; InsightFace's default."""

_MAX_OVERLAP = 0.4
"""Of two detections with a larger intersection over union the weaker is dropped; InsightFace's default."""


class Scrfd:
    """Finds faces: box, five points and score."""

    def __init__(self, model: Path, device: Device) -> None:
        """Load the network.

        Args:
            model: ONNX file with nine outputs: scores, boxes and five points on three feature maps.
            device: where it runs.

        Raises:
            DeviceError: `device` is a named GPU that onnxruntime cannot use.
            ValueError: the file is no such network, or its input cannot be made dynamic.
        """
        from insightface.model_zoo.scrfd import SCRFD

        session = onnx_session(with_merged_heads(with_dynamic_input(model)), device)
        if len(session.get_outputs()) != 9:
            raise ValueError(
                f"{model} has {len(session.get_outputs())} outputs where SCRFD with five points has nine; "
                "take one of InsightFace's files named *_bnkps, or of the package buffalo_l"
            )
        self._scrfd = SCRFD(session=session)
        self._scrfd.prepare(0, det_thresh=_MIN_SCORE, nms_thresh=_MAX_OVERLAP)

    def __call__(self, look: RgbImage) -> list[Candidate]:
        """Return the faces in `look`, (H, W, 3) with sides that are multiples of `STRIDE_PX`, the surest first."""
        import cv2

        height, width = look.shape[:2]
        if height % STRIDE_PX or width % STRIDE_PX:
            raise ValueError(f"a look of {width}x{height} pixels; SCRFD takes sides that are multiples of {STRIDE_PX}")
        # InsightFace takes OpenCV's order of channels
        answers = self._scrfd.forward(cv2.cvtColor(look, cv2.COLOR_RGB2BGR), _MIN_SCORE)
        scores, boxes_px, points_px = (np.concatenate(of_maps) for of_maps in answers)
        if not len(scores):
            return []
        surest = np.argsort(-scores[:, 0], kind="stable")
        found = np.hstack([boxes_px, scores])[surest].astype(np.float32, copy=False)
        return [
            Candidate(
                box_px=found[one, :4].astype(np.float64),
                eyes_px=points_px[surest[one], :2].astype(np.float64),
                score=float(min(found[one, 4], 1.0)),
            )
            for one in self._scrfd.nms(found)
        ]


def scrfd_card(name: str) -> ModelCard:
    """Return the card of one of the networks, given the name of its weights in the asset registry."""
    return ModelCard(
        kind="faces", name=name, assets=(name,), runtime="onnxruntime", packages=("insightface", "onnx"), on_gpu=True
    )


def with_dynamic_input(model: Path) -> bytes:
    """Return the ONNX file `model` with an input of any height and width; one that has it already, as it is.

    Raises:
        ValueError: the graph fixes a size in another way than InsightFace's exports do.
    """
    import onnx

    content = model.read_bytes()
    proto = onnx.load_from_string(content)
    sides = proto.graph.input[0].type.tensor_type.shape.dim[2:]
    if not any(side.dim_value for side in sides):
        return content
    _scale_instead_of_resize(proto, model)
    for side, name in zip(sides, ("height", "width"), strict=True):
        side.dim_param = name
    for output in proto.graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = f"anchors_{output.name}"
    del proto.graph.value_info[:]
    onnx.checker.check_model(proto)
    dynamic: bytes = proto.SerializeToString()
    return dynamic


def _scale_instead_of_resize(proto: "ModelProto", model: Path) -> None:
    """Let every Resize enlarge by the factor between the sizes it was exported with, instead of to its size."""
    import onnx
    from onnx import numpy_helper

    graph = proto.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    inferred = onnx.shape_inference.infer_shapes(proto).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*inferred.value_info, *inferred.input)
    }
    for node in graph.node:
        if node.op_type != "Resize" or len(node.input) != 4:
            continue
        size = node.input[3]
        if size not in constants:
            raise ValueError(f"{model}: the size of node {node.name} is no constant, yet the input's is fixed")
        factors = constants[size] / np.array(shapes[node.input[0]])
        graph.initializer.append(numpy_helper.from_array(factors.astype(np.float32), f"{node.name}_factors"))
        graph.initializer.remove(next(tensor for tensor in graph.initializer if tensor.name == size))
        # inputs of Resize: image, region, factors, size
        del node.input[2:]
        node.input.append(f"{node.name}_factors")
