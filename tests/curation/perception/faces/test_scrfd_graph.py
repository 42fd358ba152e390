"""SCRFD's heads as one convolution, against the graph as it came."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import version_converter

from curation.perception.faces.scrfd import with_dynamic_input
from curation.perception.faces.scrfd_graph import with_merged_heads
from foundation.array_types import Float32Array
from foundation.devices import onnx_session, resolve_device

CPU = resolve_device("cpu")


def outputs(model: bytes, pixels: Float32Array) -> list[Float32Array]:
    session = onnx_session(model, CPU)
    return list(session.run(None, {session.get_inputs()[0].name: pixels}))


def convolutions(model: bytes) -> int:
    return [node.op_type for node in onnx.load_from_string(model).graph.node].count("Conv")


@pytest.mark.parametrize(
    ("name", "fewer"),
    [
        pytest.param("scrfd_500m_bnkps", 6, id="three heads a map become one"),
        pytest.param("scrfd_2.5g", 3, id="boxes are scaled, and stay apart"),
    ],
)
def test_merged_heads_give_the_same_numbers_to_the_last_bit(name: str, fewer: int, shared_dir: Path) -> None:
    model = with_dynamic_input(shared_dir / "models" / f"{name}.onnx")
    merged = with_merged_heads(model)
    assert convolutions(model) - convolutions(merged) == fewer
    for height, width in ((160, 160), (192, 320)):
        levels = np.random.default_rng(width).integers(0, 256, (1, 3, height, width))
        pixels = ((levels - 127.5) / 128).astype(np.float32)
        for before, after in zip(outputs(model, pixels), outputs(merged, pixels), strict=True):
            np.testing.assert_array_equal(after, before)


def test_weights_that_nobody_reads_any_more_are_gone(shared_dir: Path) -> None:
    graph = onnx.load_from_string(
        with_merged_heads(with_dynamic_input(shared_dir / "models" / "scrfd_500m_bnkps.onnx"))
    ).graph
    read = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} <= read


def test_a_graph_of_a_later_operator_set_is_merged_too(shared_dir: Path) -> None:
    came = with_dynamic_input(shared_dir / "models" / "scrfd_2.5g.onnx")
    later = version_converter.convert_version(onnx.load_from_string(came), 13).SerializeToString()
    merged = with_merged_heads(later)
    assert convolutions(later) - convolutions(merged) == 3
    pixels = np.zeros((1, 3, 64, 64), np.float32)
    for before, after in zip(outputs(later, pixels), outputs(merged, pixels), strict=True):
        np.testing.assert_array_equal(after, before)
