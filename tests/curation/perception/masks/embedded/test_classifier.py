import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import pytest

from curation.perception.masks.embedded import EmbeddedMask, classifier
from curation.perception.masks.embedded.teaching.drawing import draw_mask, mask_outline
from curation.perception.masks.embedded.teaching.faces import FaceImage, FaceLandmarks, collect_faces
from curation.perception.masks.embedded.teaching.people import Footage
from manifests.landmarks import key_points, landmark_scheme

SCHEME = landmark_scheme("mediapipe478")
# MediaPipe's points on the way around a mask: bridge of the nose, cheek, jaw, chin, jaw, cheek.
FLAT_MASK = [6, 118, 93, 132, 58, 172, 136, 149, 152, 378, 365, 397, 288, 361, 323, 347]


@pytest.fixture(scope="module")
def astronauts(shared_dir: Path) -> list[FaceImage]:
    return collect_faces(shared_dir, [Footage(identity="astronaut", path=None)], per_file=4)


def test_weights_are_small_and_are_those_that_the_code_expects() -> None:
    weights = resources.files("curation.perception.masks.embedded").joinpath("mask.onnx").read_bytes()
    assert len(weights) <= 500_000
    EmbeddedMask()


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="reinstall the package"):
        EmbeddedMask()


def test_no_face_gives_no_answer() -> None:
    answer = EmbeddedMask()(np.zeros((50, 50, 3), np.uint8), np.empty((0, 9, 2), np.float32), np.empty((0, 4), "f"))
    assert answer.shape == (0,)
    assert answer.dtype == np.float32


def test_faces_together_get_the_answers_that_they_get_alone(astronauts: list[FaceImage]) -> None:
    classify = EmbeddedMask()
    face = astronauts[0]
    points = np.stack([face.key_points_px, face.key_points_px + 9.0, face.key_points_px * 0.8]).astype(np.float32)
    boxes = np.stack([face.box_px, face.box_px + 9.0, face.box_px * 0.8]).astype(np.float32)
    together = classify(face.image, points, boxes)
    alone = [classify(face.image, points[k : k + 1], boxes[k : k + 1])[0] for k in range(3)]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_inference_imports_no_torch() -> None:
    code = "import sys; from curation.perception.masks.embedded import EmbeddedMask; EmbeddedMask()"
    check = "; bad = {'torch', 'mediapipe', 'skimage', 'onnx'} & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    subprocess.run([sys.executable, "-c", code + check], check=True)


def test_a_mask_drawn_on_the_astronaut_is_seen(astronauts: list[FaceImage]) -> None:
    classify = EmbeddedMask()
    rng = np.random.default_rng(11)
    for face in astronauts:
        drawn = draw_mask(face, (face.image / 255).astype(np.float32), rng, "nose")
        masked = np.round(np.clip(drawn, 0, 1) * 255).astype(np.uint8)
        assert classify(face.image, face.key_points_px[None], face.box_px[None])[0] < 0.5
        assert classify(masked, face.key_points_px[None], face.box_px[None])[0] >= 0.5


@pytest.mark.parametrize("colour", [(120, 180, 215), (235, 240, 245), (20, 20, 24), (60, 110, 60)])
@pytest.mark.parametrize("pleats", [False, True])
def test_a_flat_polygon_that_training_never_drew_is_called_a_mask(
    shared_dir: Path, astronauts: list[FaceImage], colour: tuple[int, int, int], *, pleats: bool
) -> None:
    classify = EmbeddedMask()
    for face in astronauts:
        picture = face.image.copy()
        corners = face.landmarks_px[FLAT_MASK]
        cv2.fillPoly(picture, [np.round(corners * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)
        if pleats:
            darker = tuple(int(c * 0.7) for c in colour)
            for share in (0.35, 0.55, 0.75):
                y = int(corners[0, 1] + (corners[8, 1] - corners[0, 1]) * share)
                cv2.line(picture, (int(corners[3, 0]) + 6, y), (int(corners[13, 0]) - 6, y), darker, 1, cv2.LINE_AA)
        with FaceLandmarks(shared_dir / "models" / "face_landmarker.task") as landmarks:
            seen = landmarks.in_middle(picture, face.landmarks_px)
        box = np.concatenate([seen.min(axis=0), seen.max(axis=0)])
        assert classify(picture, key_points(seen, SCHEME)[None], box[None])[0] >= 0.5


def test_drawn_masks_cover_the_mouth_and_pulled_down_ones_do_not(astronauts: list[FaceImage]) -> None:
    rng = np.random.default_rng(5)
    face = astronauts[0]
    mouth = face.landmarks_px[list(SCHEME.inner_lips)].mean(axis=0)
    upper_lip = face.landmarks_px[0]
    for style in ("surgical", "fitted", "cup", "bandana", "scarf"):
        for _ in range(20):
            over_nose = mask_outline(face.landmarks_px, style, "nose", rng)
            on_chin = mask_outline(face.landmarks_px, style, "chin", rng)
            assert cv2.pointPolygonTest(over_nose, tuple(mouth.tolist()), measureDist=False) > 0
            assert cv2.pointPolygonTest(on_chin, tuple(upper_lip.tolist()), measureDist=False) < 0


@pytest.mark.slow
def test_a_face_costs_less_than_a_millisecond_and_a_half_of_one_core(astronauts: list[FaceImage]) -> None:
    classify, face = EmbeddedMask(), astronauts[0]
    arguments = (face.image, face.key_points_px[None], face.box_px[None])
    spent = []
    for _ in range(200):
        started = time.thread_time()
        classify(*arguments)
        spent.append(time.thread_time() - started)
    assert np.median(spent) < 0.0015
