"""The figures of docs/explanation/mask_model_card.md on people and drawings that the network was not trained on."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from curation.perception.masks.embedded import EmbeddedMask
from curation.perception.masks.embedded.teaching.evaluate import (
    Row,
    held_out_faces,
    held_out_rows,
    held_out_samples,
)
from curation.perception.masks.embedded.teaching.faces import FaceLandmarks
from curation.perception.masks.embedded.teaching.objects import OBJECTS
from curation.perception.masks.embedded.teaching.people import HELD_OUT
from manifests.landmarks import key_points, landmark_scheme

SCHEME = landmark_scheme("mediapipe478")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rows(shared_dir: Path) -> dict[tuple[str, bool, bool], Row]:
    classifier, faces = EmbeddedMask(), held_out_faces(shared_dir)
    assert {face.identity for face in faces} == set(HELD_OUT)
    return {
        (row.kind, row.covered, distorted): row
        for distorted in (False, True)
        for row in held_out_rows(
            held_out_samples(shared_dir, faces, distorted=distorted), classifier, distorted=distorted
        )
    }


@pytest.mark.parametrize("distorted", [False, True])
def test_at_most_one_bare_face_in_two_hundred_is_called_masked(
    rows: dict[tuple[str, bool, bool], Row], *, distorted: bool
) -> None:
    row = rows["bare", False, distorted]
    assert row.n >= 200
    assert row.called_covered <= 0.005 * row.n


@pytest.mark.parametrize("distorted", [False, True])
def test_at_least_98_percent_of_drawn_masks_are_called_masked(
    rows: dict[tuple[str, bool, bool], Row], *, distorted: bool
) -> None:
    row = rows["mask", True, distorted]
    assert row.n >= 200
    assert row.called_covered >= 0.98 * row.n


def test_objects_beside_the_lips_are_rarely_called_a_cover(rows: dict[tuple[str, bool, bool], Row]) -> None:
    chosen = [row for (kind, covered, _), row in rows.items() if kind in OBJECTS and not covered]
    assert sum(row.n for row in chosen) >= 300
    assert sum(row.called_covered for row in chosen) <= 0.04 * sum(row.n for row in chosen)


def test_objects_over_the_lips_are_called_a_cover(rows: dict[tuple[str, bool, bool], Row]) -> None:
    chosen = [row for (kind, covered, _), row in rows.items() if kind in OBJECTS and covered]
    assert sum(row.n for row in chosen) >= 100
    assert sum(row.called_covered for row in chosen) >= 0.85 * sum(row.n for row in chosen)


@pytest.mark.parametrize("distorted", [False, True])
def test_masks_that_the_reference_sees_are_seen(rows: dict[tuple[str, bool, bool], Row], *, distorted: bool) -> None:
    row = rows["mask", True, distorted]
    assert row.reference_called_masked > 50
    assert row.both_called >= 0.98 * row.reference_called_masked


@pytest.mark.parametrize("distorted", [False, True])
def test_on_bare_faces_network_and_reference_agree(rows: dict[tuple[str, bool, bool], Row], *, distorted: bool) -> None:
    row = rows["bare", False, distorted]
    assert row.called_covered + row.reference_called_masked - 2 * row.both_called <= 0.005 * row.n


def test_no_face_of_the_real_clips_is_called_masked(shared_dir: Path) -> None:
    classify, scores = EmbeddedMask(), []
    with FaceLandmarks(shared_dir / "models" / "face_landmarker.task") as landmarks:
        for clip in sorted((shared_dir / "clips").glob("*.mp4")):
            if clip.stem == "dj_video1":  # a cartoon
                continue
            for frame in _one_frame_a_second(clip):
                for face in landmarks(frame):
                    box = np.concatenate([face.min(axis=0), face.max(axis=0)])
                    scores.append(float(classify(frame, key_points(face, SCHEME)[None], box[None])[0]))
    assert len(scores) > 100
    assert np.mean(np.array(scores) >= 0.5) <= 0.005


def _one_frame_a_second(clip: Path) -> Iterator[np.ndarray]:
    video = cv2.VideoCapture(str(clip))
    step = round(video.get(cv2.CAP_PROP_FPS))
    index = 0
    while video.grab():
        if index % step == 0:
            yield np.ascontiguousarray(video.retrieve()[1][..., ::-1])
        index += 1
