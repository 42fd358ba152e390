"""Face recognition network of dlib on onnxruntime: the results of dlib itself, at a fraction of the time.

A residual network of 29 convolutions after He et al., "Deep Residual Learning for Image Recognition" (2015), as dlib's
example dnn_face_recognition_ex.cpp defines it. The package dlib-bin is built without a BLAS, which makes it slow.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.perception.identity.dlib_weights import BLOCKS, INPUT_PX, Convolution, FaceWeights, read_face_weights
from foundation.array_types import Float32Array, Float64Array, Int64Array, RgbImage

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

__all__ = ["DlibNetwork", "face_model"]

_OPSET, _IR_VERSION = 13, 8
"""The versions of the ONNX format, which every onnxruntime since 1.20 reads."""


class DlibNetwork:
    """Turns an aligned face into a descriptor."""

    def __init__(self, path: Path) -> None:
        """Load the network; one thread.

        Args:
            path: `dlib_face_recognition_resnet_model_v1.dat`.

        Raises:
            ValueError: the file is damaged or another one.
            OSError: it cannot be read.
        """
        import onnxruntime

        model, tensors = face_model(read_face_weights(path))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # The next level makes filters of another layout: a quarter faster, but 30 to 45 MB more memory for each worker.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        # Apart from the model: InferenceSession keeps the bytes of its model, but only a copy of these.
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(tensor) for tensor in tensors.values()]
        options.add_external_initializers(list(tensors), values)
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, chip: RgbImage) -> Float32Array:
        """Return the (128,) descriptor of a (150, 150, 3) image, as `dlib.get_face_chip` cuts it.

        Raises:
            ValueError: the image has another shape.
        """
        if chip.shape != (INPUT_PX, INPUT_PX, 3):
            raise ValueError(f"chip has shape {chip.shape}; give ({INPUT_PX}, {INPUT_PX}, 3), an aligned face")
        image = np.ascontiguousarray(chip.transpose(2, 0, 1)[None], np.float32)
        descriptors = np.asarray(self._session.run(["descriptor"], {"picture": image})[0], np.float32)
        return descriptors.reshape(-1)


def face_model(weights: FaceWeights) -> "tuple[ModelProto, dict[str, Float32Array]]":
    """Return the network without its large tensors, and those by name.

    Its input is `picture`, float32 (1, 3, 150, 150), RGB from 0 to 255; its output `descriptor`, float32 (1, 128).
    """
    from onnx import TensorProto, helper

    graph = _Graph()
    graph.normalise(weights.mean_rgb)
    graph.convolve(weights.stem, relu=True)
    graph.pool("MaxPool", window=3)
    for block, (first, second) in zip(BLOCKS, weights.blocks, strict=True):
        way_around = graph.end
        graph.convolve(first, relu=True)
        graph.convolve(second, relu=False)
        straight = graph.end
        graph.end = way_around
        if block.halves:
            graph.pool("AveragePool", window=2)
        graph.add(straight)
    graph.project(weights.projection)
    image = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, INPUT_PX, INPUT_PX])
    descriptor = helper.make_tensor_value_info("descriptor", TensorProto.FLOAT, [1, weights.projection.shape[1]])
    proto = helper.make_graph(graph.nodes, "dlib_face_recognition", [image], [descriptor], graph.tensors)
    opset = helper.make_opsetid("", _OPSET)
    return helper.make_model(proto, opset_imports=[opset], ir_version=_IR_VERSION), graph.large_tensors


class _Graph:
    """Builder of an ONNX graph that appends nodes at its end."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []
        """All tensors, the large ones without their numbers."""
        self.large_tensors: dict[str, Float32Array] = {}
        self.end = _Value("picture", channels=3, side=INPUT_PX)

    def _node(self, operator: str, inputs: list[str], output: str = "", **attributes: list[int]) -> str:
        """Append a node; return the name of its output."""
        from onnx import helper

        output = output or f"{operator}_{len(self.nodes)}"
        node = helper.make_node(operator, inputs, [output])
        node.attribute.extend(helper.make_attribute(key, values) for key, values in attributes.items())
        self.nodes.append(node)
        return output

    def _small(self, values: Float32Array | Int64Array) -> str:
        """Put a tensor into the model; return its name."""
        from onnx import numpy_helper

        name = f"small_{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(values, name))
        return name

    def _large(self, values: Float32Array) -> str:
        """Declare a tensor that is stored outside the model; return its name."""
        from onnx import StringStringEntryProto, TensorProto

        name = f"large_{len(self.large_tensors)}"
        self.large_tensors[name] = values
        # The format requires a file; onnxruntime uses the tensor of this name instead of opening it.
        place = StringStringEntryProto(key="location", value=name)
        kind, elsewhere = TensorProto.FLOAT, TensorProto.EXTERNAL
        self.tensors.append(
            TensorProto(name=name, data_type=kind, dims=values.shape, data_location=elsewhere, external_data=[place])
        )
        return name

    def normalise(self, mean_rgb: Float64Array) -> None:
        """Append the input layer: subtract the mean, then divide by 256."""
        mean = self._small(mean_rgb.astype(np.float32).reshape(1, 3, 1, 1))
        divisor = self._small(np.array(256, np.float32))
        name = self._node("Div", [self._node("Sub", [self.end.name, mean]), divisor])
        self.end = _Value(name, channels=3, side=self.end.side)

    def convolve(self, convolution: Convolution, *, relu: bool) -> None:
        """Append a convolution with its affine layer, which goes into the filters."""
        channels, _, height, _ = convolution.filters.shape
        filters = convolution.filters * convolution.gain[:, None, None, None]
        bias = convolution.bias * convolution.gain + convolution.offset
        name = self._node(
            "Conv",
            [self.end.name, self._large(filters), self._small(bias)],
            strides=[convolution.stride] * 2,
            pads=[convolution.padding] * 4,
        )
        if relu:
            name = self._node("Relu", [name])
        side = (self.end.side + 2 * convolution.padding - height) // convolution.stride + 1
        self.end = _Value(name, channels=channels, side=side)

    def pool(self, operator: str, window: int) -> None:
        """Append pooling with stride 2 and without padding; what does not fill a window is left out."""
        name = self._node(operator, [self.end.name], kernel_shape=[window] * 2, strides=[2, 2])
        self.end = _Value(name, channels=self.end.channels, side=(self.end.side - window) // 2 + 1)

    def add(self, other: "_Value") -> None:
        """Append the sum with another value, and ReLU; the smaller of both gets zeros behind each axis."""
        channels, side = max(self.end.channels, other.channels), max(self.end.side, other.side)
        terms = [self._padded(value, channels, side) for value in (other, self.end)]
        self.end = _Value(self._node("Relu", [self._node("Add", terms)]), channels=channels, side=side)

    def _padded(self, value: "_Value", channels: int, side: int) -> str:
        more_channels, more_side = channels - value.channels, side - value.side
        if more_channels == more_side == 0:
            return value.name
        pads = np.array([0, 0, 0, 0, 0, more_channels, more_side, more_side], np.int64)
        return self._node("Pad", [value.name, self._small(pads)])

    def project(self, projection: Float32Array) -> None:
        """Append the mean over the image and the matrix that makes the descriptor of it."""
        mean = self._node("Flatten", [self._node("GlobalAveragePool", [self.end.name])])
        # A copy, because a view holds the whole file in memory.
        self._node("MatMul", [mean, self._large(projection.copy())], "descriptor")


class _Value:
    """Output of a node: `channels` square feature maps of `side` pixels."""

    def __init__(self, name: str, *, channels: int, side: int) -> None:
        self.name, self.channels, self.side = name, channels, side
