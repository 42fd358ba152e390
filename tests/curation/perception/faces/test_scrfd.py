"""SCRFD's graph with a dynamic input, against the file as it came and against InsightFace's own detector."""

from itertools import islice
from pathlib import Path

import av
import numpy as np
import onnx
import onnxruntime
import pytest
from insightface.model_zoo import get_model
from insightface.model_zoo.scrfd import SCRFD

from curation.perception.faces.scrfd import Scrfd, with_dynamic_input
from curation.perception.faces.search import Square, cut_square, full_image
from foundation.array_types import Float32Array, RgbImage
from foundation.devices import onnx_session, resolve_device

NETWORKS = ("scrfd_500m_bnkps", "scrfd_2.5g")
CPU = resolve_device("cpu")


def outputs(model: bytes | str, pixels: Float32Array) -> list[Float32Array]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return list(session.run(None, {session.get_inputs()[0].name: pixels}))


@pytest.fixture(scope="module")
def look(shared_clips: Path) -> RgbImage:
    """A close-up with a border around it, 640x640."""
    with av.open(str(shared_clips / "lp_d14.mp4")) as container:
        frame = next(islice(container.decode(video=0), 30, None)).to_ndarray(format="rgb24")
    return cut_square(frame, full_image(*frame.shape[1::-1]), 640)


def test_a_static_graph_made_dynamic_gives_at_640_what_it_gave(shared_dir: Path) -> None:
    path = shared_dir / "models" / "scrfd_500m_bnkps.onnx"
    assert [side.dim_value for side in onnx.load(path).graph.input[0].type.tensor_type.shape.dim[2:]] == [640, 640]
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, 3, 640, 640)).astype(np.float32)
    for ours, original in zip(outputs(with_dynamic_input(path), pixels), outputs(str(path), pixels), strict=True):
        assert ours == pytest.approx(original, abs=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("height", "width"), [(160, 160), (224, 320)])
def test_an_input_of_any_size_has_two_answers_per_cell(name: str, height: int, width: int, shared_dir: Path) -> None:
    model = with_dynamic_input(shared_dir / "models" / f"{name}.onnx")
    found = outputs(model, np.zeros((1, 3, height, width), np.float32))
    cells = [height * width // stride**2 for stride in (8, 16, 32)]
    assert [int(np.prod(output.shape)) for output in found] == [2 * n * k for k in (1, 4, 10) for n in cells]


def test_a_graph_with_a_dynamic_input_is_left_as_it_is(shared_dir: Path) -> None:
    path = shared_dir / "models" / "scrfd_2.5g.onnx"
    assert with_dynamic_input(path) == path.read_bytes()


@pytest.mark.parametrize("name", NETWORKS)
def test_faces_are_those_of_insightface(name: str, look: RgbImage, shared_dir: Path) -> None:
    path = shared_dir / "models" / f"{name}.onnx"
    reference = get_model(str(path), providers=["CPUExecutionProvider"])
    reference.prepare(0, input_size=(640, 640))
    boxes, points = reference.detect(look[..., ::-1])  # OpenCV's order of channels
    (face,) = Scrfd(path, CPU)(look)
    assert face.box_px == pytest.approx(boxes[0, :4], abs=0.01)
    assert face.eyes_px == pytest.approx(points[0, :2], abs=0.01)
    assert face.score == pytest.approx(boxes[0, 4], abs=1e-4)


@pytest.fixture(scope="module")
def crowd(look: RgbImage) -> RgbImage:
    """Nine faces of different sizes, some cut off, and answers of which most are suppressed; 640x640."""
    tiles = [cut_square(look, Square(x0=40.0 * k, y0=30.0 * k, side=640.0 - 70 * k), 160) for k in range(9)]
    rows = [np.concatenate(tiles[k : k + 3], axis=1) for k in (0, 3, 6)]
    return np.pad(np.concatenate(rows), ((0, 160), (160, 0), (0, 0)))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("height", "width"), [(640, 640), (480, 640), (320, 192)])
def test_answers_to_one_look_are_insightfaces_to_the_last_bit(
    name: str, height: int, width: int, crowd: RgbImage, shared_dir: Path
) -> None:
    path = shared_dir / "models" / f"{name}.onnx"
    reference = SCRFD(session=onnx_session(with_dynamic_input(path), CPU))
    reference.prepare(0, det_thresh=0.5, nms_thresh=0.4)
    part = np.ascontiguousarray(crowd[:height, -width:])
    boxes, points = reference.detect(part[..., ::-1].copy(), input_size=(width, height))
    found = Scrfd(path, CPU)(part)
    assert len(found) >= 2
    assert [face.box_px.tolist() for face in found] == boxes[:, :4].tolist()
    assert [face.eyes_px.tolist() for face in found] == points[:, :2].tolist()
    assert [face.score for face in found] == boxes[:, 4].tolist()


def test_a_look_without_a_face_has_no_answer(shared_dir: Path) -> None:
    assert Scrfd(shared_dir / "models" / "scrfd_500m_bnkps.onnx", CPU)(np.zeros((160, 160, 3), np.uint8)) == []


def test_the_same_face_in_a_small_look_has_the_same_box(look: RgbImage, shared_dir: Path) -> None:
    detect = Scrfd(shared_dir / "models" / "scrfd_500m_bnkps.onnx", CPU)
    (large,) = detect(look)
    (small,) = detect(look[::4, ::4])
    assert small.box_px * 4 == pytest.approx(large.box_px, abs=0.05 * (large.box_px[2] - large.box_px[0]))


def test_a_look_that_the_feature_maps_do_not_divide_is_refused(look: RgbImage, shared_dir: Path) -> None:
    with pytest.raises(ValueError, match="a look of 640x100 pixels; SCRFD takes sides that are multiples of 32"):
        Scrfd(shared_dir / "models" / "scrfd_500m_bnkps.onnx", CPU)(look[:100])


def test_a_network_without_points_is_refused(shared_dir: Path, tmp_path: Path) -> None:
    graph = onnx.load(shared_dir / "models" / "scrfd_2.5g.onnx")
    del graph.graph.output[6:]
    onnx.save(graph, tmp_path / "boxes.onnx")
    with pytest.raises(ValueError, match=r"boxes\.onnx has 6 outputs where SCRFD with five points has nine"):
        Scrfd(tmp_path / "boxes.onnx", CPU)
