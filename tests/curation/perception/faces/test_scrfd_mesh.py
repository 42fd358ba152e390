"""The paper preset's face finder on real pictures, beside the embedded one."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from curation.perception.faces.dlib_hog import DlibFaces
from curation.perception.faces.dlib_points import DlibJitterPoints
from curation.perception.faces.mediapipe import MediaPipeFaces
from curation.perception.faces.scrfd_mesh import ScrfdFaces
from curation.perception.faces.search import full_image
from curation.perception.protocols import FaceObservation
from foundation.array_types import RgbImage
from foundation.devices import resolve_device
from foundation.weights import ensure_assets
from manifests.landmarks import key_points, landmark_scheme


def frames(clips: Path, name: str, step: int) -> Iterator[RgbImage]:
    with av.open(str(clips / f"{name}.mp4")) as container:
        for frame in islice(container.decode(video=0), 0, None, step):
            yield frame.to_ndarray(format="rgb24")


def width(face: FaceObservation) -> float:
    return float(face.box_px[2] - face.box_px[0])


@pytest.fixture(scope="module")
def find(shared_dir: Path) -> ScrfdFaces:
    bundle = ensure_assets(["face_landmarker"])["face_landmarker"]
    return ScrfdFaces(shared_dir / "models" / "scrfd_500m_bnkps.onnx", resolve_device("cpu"), bundle)


@pytest.fixture(scope="module")
def portrait(shared_clips: Path) -> RgbImage:
    return next(frames(shared_clips, "lp_d20", 1))


def shifted(picture: RgbImage, right_px: int) -> RgbImage:
    move = np.array([[1.0, 0.0, right_px], [0.0, 1.0, 0.0]])
    return cv2.warpAffine(picture, move, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)


def test_landmarks_are_those_of_the_embedded_preset(find: ScrfdFaces, portrait: RgbImage) -> None:
    (ours,), (theirs,) = find(portrait), MediaPipeFaces(ensure_assets(["face_landmarker"])["face_landmarker"])(portrait)
    apart = np.linalg.norm(ours.landmarks_px - theirs.landmarks_px, axis=1) / width(theirs)
    assert apart.mean() < 0.01
    assert ours.pose_deg == pytest.approx(theirs.pose_deg, abs=2)
    assert ours.blendshapes is not None
    assert width(ours) == pytest.approx(width(theirs), rel=0.1)


def test_jitter_points_are_dlibs(find: ScrfdFaces, portrait: RgbImage) -> None:
    predictor = ensure_assets(["dlib_shape_predictor_68"])["dlib_shape_predictor_68"]
    (ours,), (theirs,) = find(portrait), DlibFaces(predictor)(portrait)
    nose = key_points(theirs.landmarks_px, landmark_scheme("ibug68"))[0]
    expected = np.stack([nose, theirs.box_px[:2], theirs.box_px[2:]])
    assert ours.jitter_box_px is not None
    points_px = DlibJitterPoints(predictor)(portrait, ours.jitter_box_px)
    assert np.linalg.norm(points_px - expected, axis=1).max() < 0.05 * width(ours)


@pytest.mark.slow
@pytest.mark.parametrize("clip", ["lp_d14", "latentsync_demo1", "talkvid_10", "WDA_KatieHill_000"])
def test_speakers_are_found_in_every_frame(clip: str, find: ScrfdFaces, shared_clips: Path) -> None:
    assert [index for index, frame in enumerate(frames(shared_clips, clip, 12)) if not find(frame)] == []


def test_a_cartoon_and_a_grey_picture_have_no_face(find: ScrfdFaces, shared_clips: Path) -> None:
    assert [len(find(frame)) for frame in islice(frames(shared_clips, "dj_video1", 60), 4)] == [0] * 4
    assert find(np.full((360, 640, 3), 127, np.uint8)) == []


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_a_face_has_the_same_place_at_any_distance(scale: float, find: ScrfdFaces, portrait: RgbImage) -> None:
    """A portrait that fills a quarter of the picture's height, and one that fills all of it."""
    (alone,) = find(portrait)
    small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    scene = np.full((480, 854, 3), 90, np.uint8)
    scene[: small.shape[0], 300 : 300 + small.shape[1]] = small
    (there,) = find(scene)
    assert (there.box_px - (300, 0, 300, 0)) / scale == pytest.approx(alone.box_px, abs=0.04 * width(alone))


def test_the_second_look_is_as_large_as_the_widest_face_asks(
    find: ScrfdFaces, portrait: RgbImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    real = ScrfdFaces._full_look
    monkeypatch.setattr(ScrfdFaces, "_full_look", lambda self, frame, px: taken.append(px) or real(self, frame, px))
    scene = np.zeros((512, 512, 3), np.uint8)
    small = cv2.resize(portrait, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    scene[: small.shape[0], : small.shape[1]] = small
    (face,) = find(scene)
    first_px, second_px = taken
    seen_px = width(face) / full_image(512, 512).side
    assert first_px == 320
    assert seen_px * first_px < 40  # too narrow there
    assert seen_px * second_px == pytest.approx(42, abs=3)  # wide enough, at the next multiple of 32
    taken.clear()
    assert find(np.zeros((512, 512, 3), np.uint8)) == []
    assert taken == [320, 640]


def test_two_faces_are_two_the_wider_first(find: ScrfdFaces, portrait: RgbImage) -> None:
    half = cv2.resize(portrait, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    both = np.zeros((480, 720, 3), np.uint8)
    both[:240, :240] = half
    both[:, 240:] = portrait
    wide, narrow = find(both)
    assert narrow.box_px[2] < 240 < wide.box_px[0]
    assert width(narrow) / width(wide) == pytest.approx(0.5, abs=0.05)


def test_a_face_that_moved_is_followed_and_none_elsewhere_is_seen(find: ScrfdFaces, portrait: RgbImage) -> None:
    scene = np.zeros((480, 960, 3), np.uint8)
    scene[:, :480] = portrait
    before = find(scene)
    scene[:, 480:] = portrait  # a second face comes
    moved = shifted(scene, 30)
    (followed,) = find(moved, before)
    assert followed.landmarks_px[:, 0] == pytest.approx(before[0].landmarks_px[:, 0] + 30, abs=0.03 * width(before[0]))
    assert len(find(moved)) == 2


def test_a_lost_face_makes_it_look_everywhere(find: ScrfdFaces, portrait: RgbImage) -> None:
    scene = np.zeros((480, 960, 3), np.uint8)
    scene[:, :480] = portrait
    before = find(scene)
    (found,) = find(np.ascontiguousarray(scene[:, ::-1]), before)
    assert found.box_px[0] > 480


def test_following_changes_little(find: ScrfdFaces, shared_clips: Path) -> None:
    first, second = islice(frames(shared_clips, "WDA_KatieHill_000", 1), 2)
    (alone,), (followed,) = find(second), find(second, find(first))
    assert followed.box_px == pytest.approx(alone.box_px, abs=0.02 * width(alone))
    assert followed.landmarks_px == pytest.approx(alone.landmarks_px, abs=0.02 * width(alone))
    assert np.array_equal(find(second)[0].landmarks_px, alone.landmarks_px)
