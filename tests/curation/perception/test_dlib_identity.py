"""Descriptors are near for one person, far for others, and those of dlib's own alignment."""

from itertools import islice
from pathlib import Path

import av
import dlib
import numpy as np
import pytest

from curation.assets import ensure_assets
from curation.perception.dlib_faces import DlibFaces
from curation.perception.dlib_identity import DlibIdentity
from manifests.arrays import RgbImage
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
            ours = describe(frame, key_points(face.landmarks_px, landmark_scheme("ibug68")))
            assert ours.shape == (describe.dim,)
            shape = predictor(frame, dlib.rectangle(*(round(float(edge)) for edge in face.box_px)))
            assert np.linalg.norm(ours - np.array(network.compute_face_descriptor(frame, shape))) < 0.25
            descriptors.setdefault(name, []).append(ours)
    for name, (first, second) in descriptors.items():
        assert np.linalg.norm(first - second) < 0.5, name
        others = [np.linalg.norm(first - other[0]) for key, other in descriptors.items() if key != name]
        assert np.median(others) > 0.6
