"""Another form of the landmark network's graph, and the same numbers."""

import zipfile

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from curation.perception.runtime.litert import LiteRtNetwork
from curation.perception.runtime.litert_graph import with_prelu_by_rows
from foundation.weights import asset_path, ensure_assets


@pytest.fixture(scope="module")
def landmark_network() -> bytes:
    ensure_assets(["face_landmarker"])
    with zipfile.ZipFile(asset_path("face_landmarker")) as members:
        return members.read("face_landmarks_detector.tflite")


def prelus(model: bytes) -> list[tuple[list[int], int]]:
    """Return the shape that each PReLU takes, and how many slopes it has."""
    graph_file = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(model), 0))
    graph = graph_file.subgraphs[0]
    return [
        (list(graph.tensors[one.inputs[0]].shape), int(np.prod(graph.tensors[one.inputs[1]].shape)))
        for one in graph.operators
        if graph_file.operatorCodes[one.opcodeIndex].builtinCode == schema.BuiltinOperator.PRELU
    ]


def test_every_output_is_the_same_to_the_bit(landmark_network: bytes) -> None:
    picture = np.random.default_rng(0).random((1, 256, 256, 3), np.float32)
    before = LiteRtNetwork(landmark_network)(picture)
    after = LiteRtNetwork(with_prelu_by_rows(landmark_network))(picture)
    assert len(before) == len(after) == 3
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_large_feature_maps_are_run_row_by_row(landmark_network: bytes) -> None:
    before, after = prelus(landmark_network), prelus(with_prelu_by_rows(landmark_network))
    # 128x128 pixels of 16 or 8 channels and 64x64 of 32 or 16, as rows; the others as they were
    assert {(tuple(shape), slopes) for shape, slopes in before if shape[1] >= 64} == {
        ((1, 128, 128, 16), 16), ((1, 128, 128, 8), 8), ((1, 64, 64, 16), 16), ((1, 64, 64, 32), 32)
    }  # fmt: skip
    assert after == [
        ([1, shape[1], 1, shape[2] * shape[3]], shape[2] * slopes) if shape[1] >= 64 else (shape, slopes)
        for shape, slopes in before
    ]
