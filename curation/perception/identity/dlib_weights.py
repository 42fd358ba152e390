"""Reader of the weights of dlib's face recognition network (dlib_face_recognition_resnet_model_v1.dat).

The file is what dlib's `serialize` writes for the network `anet_type` of its example dnn_face_recognition_ex.cpp. It is
read as numbers and names in one fixed order; whatever differs from that order is an error, and nothing in it is run.

First come the loss layer and one format number for each layer, the last layer first; then the input layer and the
layers themselves, the first one first, each with three flags and three empty tensors that only training uses. Formats:
dlib's dlib/dnn/core.h and dlib/dnn/layers.h.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from curation.perception.identity.dlib_file import DlibFile
from foundation.array_types import Float32Array, Float64Array

__all__ = ["BLOCKS", "INPUT_PX", "Block", "Convolution", "FaceWeights", "read_face_weights"]

INPUT_PX = 150
"""Side of the network's input."""

_DESCRIPTOR = 128

_STEM_CHANNELS, _STEM_WINDOW = 32, 7


class Block(NamedTuple):
    """One residual block: two 3x3 convolutions and a skip connection."""

    channels: int
    halves: bool
    """The first convolution has stride 2, and the skip connection is averaged over 2x2."""


BLOCKS = (
    *[Block(32, halves=False)] * 3,
    *[Block(64, halves=True), *[Block(64, halves=False)] * 3],
    *[Block(128, halves=True), *[Block(128, halves=False)] * 2],
    *[Block(256, halves=True), *[Block(256, halves=False)] * 2],
    Block(256, halves=True),
)
"""From input to output: `alevel4` to `alevel0` of dlib's example."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Convolution:
    """A convolution and the affine layer behind it."""

    filters: Float32Array
    """(out, in, height, width)"""
    bias: Float32Array
    """(out,)"""
    gain: Float32Array
    """(out,) the affine layer multiplies by it,"""
    offset: Float32Array
    """(out,) and adds this."""
    stride: int
    padding: int
    """Zeros on each side."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceWeights:
    """All numbers of the network."""

    mean_rgb: Float64Array
    """(3,) taken off the input, which is then divided by 256 (dlib's `input_rgb_image_sized`)."""
    stem: Convolution
    blocks: tuple[tuple[Convolution, Convolution], ...]
    """Two convolutions for each of `BLOCKS`."""
    projection: Float32Array
    """(256, 128)"""


def read_face_weights(path: Path) -> FaceWeights:
    """Return the weights.

    Raises:
        ValueError: the file is damaged or another one; says at which byte, what was expected and what was found.
        OSError: it cannot be read.
    """
    file = DlibFile(path)
    file.expect_integer(1, "format of the loss layer")
    file.expect_name("loss_metric_2")
    file.real("margin of the loss")
    file.real("threshold of the loss")
    for number in _format_numbers():
        file.expect_integer(number, "format of a layer")
    file.expect_name("input_rgb_image_sized")
    mean_rgb = np.array([file.real(f"mean {colour}") for colour in ("red", "green", "blue")])
    file.expect_integer(INPUT_PX, "height of the input")
    file.expect_integer(INPUT_PX, "width of the input")

    stem = _convolution(file, (_STEM_CHANNELS, 3, _STEM_WINDOW, _STEM_WINDOW), stride=2, first=True)
    _plain_layer(file, "relu_")
    _pooling(file, "max_pool_2", window=3, stride=2)
    blocks = []
    for before, block in pairwise((Block(_STEM_CHANNELS, halves=False), *BLOCKS)):
        first = _convolution(file, (block.channels, before.channels, 3, 3), stride=2 if block.halves else 1)
        _plain_layer(file, "relu_")
        second = _convolution(file, (block.channels, block.channels, 3, 3), stride=1)
        if block.halves:
            _pooling(file, "avg_pool_2", window=2, stride=2)
        _plain_layer(file, "add_prev_")
        _plain_layer(file, "relu_")
        blocks.append((first, second))
    _pooling(file, "avg_pool_2", window=0, stride=1)  # a window of 0 is the complete image
    projection = _projection(file, BLOCKS[-1].channels)
    file.expect_end()
    return FaceWeights(mean_rgb=mean_rgb, stem=stem, blocks=tuple(blocks), projection=projection)


def _format_numbers() -> list[int]:
    """Return the format number of every layer, the last layer first: 2, for marks and jumps 1, with the input 3."""
    fully_connected_and_pooling = [2, 2]
    numbers = fully_connected_and_pooling
    for block in reversed(BLOCKS):
        # relu, sum, for a halving block also pooling, jump and mark; affine, con, relu, affine, con; mark
        numbers += [2, 2, *([2, 1, 1] if block.halves else []), 2, 2, 2, 2, 2, 1]
    max_pool_relu_affine = [2, 2, 2]
    con_with_input = [3]
    return numbers + max_pool_relu_affine + con_with_input


def _convolution(file: DlibFile, shape: tuple[int, int, int, int], stride: int, first: bool = False) -> Convolution:
    """Read the layers `con_` and `affine_`; dlib pads by half a filter where the stride is 1, else not at all."""
    channels, _, height, width = shape
    padding = height // 2 if stride == 1 else 0
    file.expect_name("con_4")
    numbers = file.tensor((prod(shape) + channels, 1, 1, 1))
    for value, what in (
        (channels, "number of filters"),
        (height, "height of a filter"),
        (width, "width of a filter"),
        (stride, "vertical stride"),
        (stride, "horizontal stride"),
        (padding, "vertical padding"),
        (padding, "horizontal padding"),
    ):
        file.expect_integer(value, what)
    file.expect_view(shape)
    file.expect_view((1, channels, 1, 1))
    file.training_rates()
    file.training_state()
    if first:
        file.expect_integer(1, "images per input")
    file.expect_name("affine_")
    gain_and_offset = file.tensor((2 * channels, 1, 1, 1))
    file.expect_view((1, channels, 1, 1))
    file.expect_view((1, channels, 1, 1))
    file.expect_integer(0, "mode of the affine layer")  # one number for a channel, not for a pixel
    file.training_state()
    return Convolution(
        filters=numbers[:-channels].reshape(shape),
        bias=numbers[-channels:],
        gain=gain_and_offset[:channels],
        offset=gain_and_offset[channels:],
        stride=stride,
        padding=padding,
    )


def _plain_layer(file: DlibFile, name: str) -> None:
    """Read a layer without numbers of its own."""
    file.expect_name(name)
    file.training_state()


def _pooling(file: DlibFile, name: str, *, window: int, stride: int) -> None:
    """Read a pooling layer of a square window without padding."""
    file.expect_name(name)
    for value, what in (
        (window, "height of the window"),
        (window, "width of the window"),
        (stride, "vertical stride"),
        (stride, "horizontal stride"),
        (0, "vertical padding"),
        (0, "horizontal padding"),
    ):
        file.expect_integer(value, what)
    file.training_state()


def _projection(file: DlibFile, channels: int) -> Float32Array:
    """Read the fully connected layer, which has no bias."""
    file.expect_name("fc_2")
    file.expect_integer(_DESCRIPTOR, "number of outputs")
    file.expect_integer(channels, "number of inputs")
    projection = file.tensor((channels, _DESCRIPTOR, 1, 1))
    file.expect_view((channels, _DESCRIPTOR, 1, 1))
    file.expect_view((0, 0, 0, 0))
    file.expect_integer(1, "mode of the fully connected layer")  # without a bias
    file.training_rates()
    file.training_state()
    return projection.reshape(channels, _DESCRIPTOR)
