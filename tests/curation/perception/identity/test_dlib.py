"""Descriptors are near for one person, far for others, those of dlib's network, and near those of its alignment."""

from itertools import islice
from pathlib import Path

import av
import dlib
import numpy as np
import pytest

from curation.perception.faces.dlib_hog import DlibFaces
from curation.perception.identity.dlib import DlibIdentity, five_points
from foundation.array_types import RgbImage
from foundation.weights import ensure_assets
from manifests.landmarks import key_points, landmark_scheme

CLIPS = ("WDA_KatieHill_000", "WDA_AlexandriaOcasioCortez_000", "lp_d20", "talkvid_10")


@pytest.fixture(scope="module")
def pictures(shared_clips: Path) -> dict[str, list[RgbImage]]:
    """Two pictures of each speaker, three seconds apart."""
    taken = {}
    for name in CLIPS:
        with av.open(str(shared_clips / f"{name}.mp4")) as container:
            taken[name] = [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), 5, 100, 75)]
    return taken


def on_five_points(network: dlib.face_recognition_model_v1, frame: RgbImage, key_points_px: np.ndarray) -> np.ndarray:
    """All of it done by dlib: alignment by the five points, and the network."""
    # dlib has the centre of the first pixel at 0, we at 0.5
    points = [dlib.point(*(round(float(value) - 0.5) for value in point)) for point in five_points(key_points_px)]
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, 1, 1), points)  # the rectangle plays no part
    return np.array(network.compute_face_descriptor(frame, shape))


@pytest.mark.slow
def test_one_person_is_near_and_others_are_far_and_dlib_agrees(pictures: dict[str, list[RgbImage]]) -> None:
    paths = ensure_assets(["dlib_face_recognition_resnet", "dlib_shape_predictor_68"])
    finder, describe = DlibFaces(paths["dlib_shape_predictor_68"]), DlibIdentity(paths["dlib_face_recognition_resnet"])
    predictor = dlib.shape_predictor(str(paths["dlib_shape_predictor_68"]))
    network = dlib.face_recognition_model_v1(str(paths["dlib_face_recognition_resnet"]))
    descriptors: dict[str, list[np.ndarray]] = {}
    for name, frames in pictures.items():
        for frame in frames:
            face = finder(frame)[0]
            points = key_points(face.landmarks_px, landmark_scheme("ibug68"))
            ours = describe(frame, points)
            assert ours.shape == (describe.dim,)
            np.testing.assert_allclose(ours, on_five_points(network, frame, points), rtol=0, atol=1e-4)
            shape = predictor(frame, dlib.rectangle(*(round(float(edge)) for edge in face.box_px)))
            assert np.linalg.norm(ours - np.array(network.compute_face_descriptor(frame, shape))) < 0.25
            descriptors.setdefault(name, []).append(ours)
    for name, (first, second) in descriptors.items():
        assert np.linalg.norm(first - second) < 0.5, name
        others = [np.linalg.norm(first - other[0]) for key, other in descriptors.items() if key != name]
        assert np.median(others) > 0.6
