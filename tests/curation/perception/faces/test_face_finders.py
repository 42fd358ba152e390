"""Both face finders on real pictures, MediaPipe's against MediaPipe itself."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import cv2
import mediapipe
import numpy as np
import pytest
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision

from curation.perception.faces.dlib_hog import DlibFaces
from curation.perception.faces.mediapipe import MediaPipeFaces
from curation.perception.protocols import FaceFinder
from foundation.array_types import RgbImage
from foundation.weights import ensure_assets
from manifests.landmarks import key_points, landmark_scheme


def frames(clips: Path, name: str, step: int) -> Iterator[RgbImage]:
    with av.open(str(clips / f"{name}.mp4")) as container:
        for frame in islice(container.decode(video=0), 0, None, step):
            yield frame.to_ndarray(format="rgb24")


@pytest.fixture(scope="module")
def mediapipe_faces() -> MediaPipeFaces:
    return MediaPipeFaces(ensure_assets(["face_landmarker"])["face_landmarker"])


@pytest.fixture(scope="module")
def dlib_faces() -> DlibFaces:
    return DlibFaces(ensure_assets(["dlib_shape_predictor_68"])["dlib_shape_predictor_68"])


@pytest.fixture(params=["mediapipe_faces", "dlib_faces"])
def finder(request: pytest.FixtureRequest) -> FaceFinder:
    found: FaceFinder = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def portrait(shared_clips: Path) -> RgbImage:
    return next(frames(shared_clips, "lp_d20", 1))


def test_a_face_has_its_points_in_a_tight_box(finder: FaceFinder, portrait: RgbImage) -> None:
    (face,) = finder(portrait)
    scheme = landmark_scheme(finder.scheme)
    assert face.landmarks_px.shape == (scheme.n_points, 2)
    assert face.box_px.tolist() == [*face.landmarks_px.min(axis=0), *face.landmarks_px.max(axis=0)]
    assert 0.5 < face.score <= 1.0
    nose, right_outer, right_inner, left_inner, left_outer, *_ = key_points(face.landmarks_px, scheme)
    assert right_outer[0] < right_inner[0] < nose[0] < left_inner[0] < left_outer[0]
    assert nose[1] > max(right_outer[1], left_outer[1])


def test_the_same_picture_gives_the_same_answer_whatever_came_before(
    finder: FaceFinder, portrait: RgbImage, shared_clips: Path
) -> None:
    (before,) = finder(portrait)
    finder(next(frames(shared_clips, "latentsync_demo1", 1)))
    (after,) = finder(portrait)
    assert np.array_equal(before.landmarks_px, after.landmarks_px)
    assert np.array_equal(before.pose_deg, after.pose_deg)


def test_a_mirrored_picture_has_yaw_and_roll_mirrored(finder: FaceFinder, shared_clips: Path) -> None:
    picture = next(frames(shared_clips, "lp_s18", 1))  # nose towards the right border
    (face,), (mirrored,) = finder(picture)[:1], finder(np.ascontiguousarray(picture[:, ::-1]))[:1]
    assert face.pose_deg[1] > 10
    assert mirrored.pose_deg == pytest.approx(face.pose_deg * (1, -1, -1), abs=6)


def test_a_picture_turned_clockwise_has_that_much_more_roll(finder: FaceFinder, portrait: RgbImage) -> None:
    height, width = portrait.shape[:2]
    turned = cv2.warpAffine(portrait, cv2.getRotationMatrix2D((width / 2, height / 2), -10, 1.0), (width, height))
    (face,), (tilted,) = finder(portrait), finder(turned.astype(np.uint8))
    assert tilted.pose_deg - face.pose_deg == pytest.approx([0, 0, 10], abs=4)


def test_a_picture_without_a_face_gives_an_empty_list(finder: FaceFinder) -> None:
    assert finder(np.full((360, 640, 3), 127, np.uint8)) == []


def test_two_faces_are_two_the_wider_first(finder: FaceFinder, portrait: RgbImage) -> None:
    half = cv2.resize(portrait, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA).astype(np.uint8)
    both = np.zeros((portrait.shape[0], portrait.shape[1] + half.shape[1], 3), np.uint8)
    both[: half.shape[0], : half.shape[1]] = half
    both[:, half.shape[1] :] = portrait
    wide, narrow = finder(both)
    assert wide.box_px[0] > half.shape[1] > narrow.box_px[2]
    assert (narrow.box_px[2] - narrow.box_px[0]) / (wide.box_px[2] - wide.box_px[0]) == pytest.approx(0.6, abs=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("clip", ["latentsync_demo1", "lp_d14", "WDA_KatieHill_000", "talkvid_10", "lp_d20"])
def test_speakers_are_found_in_every_frame(clip: str, mediapipe_faces: MediaPipeFaces, shared_clips: Path) -> None:
    missed = [index for index, frame in enumerate(frames(shared_clips, clip, 10)) if not mediapipe_faces(frame)]
    assert missed == []


@pytest.mark.slow
@pytest.mark.parametrize("clip", ["WDA_KatieHill_000", "lp_d20", "talkvid_10"])
def test_landmarks_blendshapes_and_pose_are_those_of_mediapipe(
    clip: str, mediapipe_faces: MediaPipeFaces, shared_clips: Path
) -> None:
    bundle = ensure_assets(["face_landmarker"])["face_landmarker"]
    options = vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_path=str(bundle)),
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    distances, coefficients = [], []
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for frame in frames(shared_clips, clip, 25):
            height, width = frame.shape[:2]
            theirs = landmarker.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=frame))
            face = mediapipe_faces(frame)[0]
            points = np.array([(point.x * width, point.y * height) for point in theirs.face_landmarks[0]])
            distances.append(np.linalg.norm(points - face.landmarks_px, axis=1) / np.ptp(points[:, 0]))
            assert face.blendshapes is not None
            coefficients.append(np.abs([shape.score for shape in theirs.face_blendshapes[0]] - face.blendshapes))
            # theirs adds the perspective of an assumed camera
            rotation = theirs.facial_transformation_matrixes[0][:3, :3]
            assert face.pose_deg[2] == pytest.approx(np.degrees(-np.arctan2(rotation[1, 0], rotation[0, 0])), abs=3)
    assert np.median(distances) < 0.005  # face widths: the two detectors' boxes differ by the border around the picture
    assert np.median(coefficients) < 0.02


def test_a_cartoon_and_foliage_are_no_faces(mediapipe_faces: MediaPipeFaces, shared_clips: Path) -> None:
    assert [len(mediapipe_faces(frame)) for frame in islice(frames(shared_clips, "dj_video1", 40), 7)] == [0] * 7
    # half way through the clip the plants beside the woman get a score of 0.56
    assert [len(mediapipe_faces(frame)) for frame in islice(frames(shared_clips, "lp_s18", 1), 222, 244, 7)] == [1] * 4
