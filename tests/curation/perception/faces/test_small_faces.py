"""A face as wide as the limits ask is found in a picture of any size, wherever it is."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.made_videos import TalkingFace

from curation.perception.faces.dlib_hog import DlibFaces
from curation.perception.faces.mediapipe import MediaPipeFaces
from curation.perception.faces.scrfd_mesh import ScrfdFaces
from curation.perception.faces.search import are_wide_enough, finer_sides, tiles
from curation.perception.models import load_face_finder
from curation.perception.protocols import FaceFinder
from curation.perception.settings import PerceptionSettings
from curation.rules.small_face import SmallFaceSettings
from foundation.array_types import RgbImage
from foundation.devices import resolve_device
from foundation.weights import ensure_assets

SIZES = [(1280, 720), (1920, 1080), (1080, 1920), (3840, 2160), (4000, 3000), (7680, 4320)]
PLACES = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.5), (0.37, 0.61)]
"""Shares of the room beside the picture of the face."""
FACE_PX = 154
"""Width of the face in the pictures of `TalkingFace`, and their side."""
PICTURE_PX = 320


@pytest.fixture(scope="module")
def mediapipe_faces() -> MediaPipeFaces:
    return MediaPipeFaces(ensure_assets(["face_landmarker"])["face_landmarker"])


def pasted(face: TalkingFace, size: tuple[int, int], place: tuple[float, float], face_px: float) -> RgbImage:
    """Return a plain picture of `size`, width and height, with the face in it."""
    width, height = size
    side = round(PICTURE_PX * face_px / FACE_PX)
    small = cv2.resize(face.pictures[0], (side, side), interpolation=cv2.INTER_AREA)
    picture = np.full((height, width, 3), (64, 80, 96), np.uint8)
    x, y = round(place[0] * (width - side)), round(place[1] * (height - side))
    picture[y : y + side, x : x + side] = small
    return picture


def middle(size: tuple[int, int], place: tuple[float, float], face_px: float) -> tuple[float, float]:
    side = PICTURE_PX * face_px / FACE_PX
    return place[0] * (size[0] - side) + side / 2, place[1] * (size[1] - side) + side / 2


def require_found(finder: FaceFinder, face: TalkingFace, size: tuple[int, int], place: tuple[float, float]) -> None:
    (found,) = finder(pasted(face, size, place, 102))
    width = float(found.box_px[2] - found.box_px[0])
    assert width == pytest.approx(102, rel=0.1)
    centre = (found.box_px[:2] + found.box_px[2:]) / 2
    assert np.abs(centre - middle(size, place, 102)).max() < 35


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", PLACES)
def test_a_face_at_the_limit_is_found_wherever_it_is(
    mediapipe_faces: MediaPipeFaces, talking_face: TalkingFace, size: tuple[int, int], place: tuple[float, float]
) -> None:
    require_found(mediapipe_faces, talking_face, size, place)


@pytest.mark.parametrize("size", [(1920, 1080), (3840, 2160), (4000, 3000), (7680, 4320)])
@pytest.mark.parametrize("network", ["scrfd_500m_bnkps", "scrfd_2.5g"])
def test_scrfd_finds_it_too(shared_dir: Path, talking_face: TalkingFace, network: str, size: tuple[int, int]) -> None:
    bundle = ensure_assets(["face_landmarker"])["face_landmarker"]
    finder = ScrfdFaces(shared_dir / "models" / f"{network}.onnx", resolve_device("cpu"), bundle)
    for place in ((0.0, 0.0), (1.0, 1.0), (0.37, 0.61)):
        require_found(finder, talking_face, size, place)


@pytest.mark.parametrize("size", [(1920, 1080), (3840, 2160), (4000, 3000), (7680, 4320)])
def test_dlib_finds_it_too_and_follows_it_at_its_place(talking_face: TalkingFace, size: tuple[int, int]) -> None:
    finder = DlibFaces(ensure_assets(["dlib_shape_predictor_68"])["dlib_shape_predictor_68"])
    picture = pasted(talking_face, size, (1.0, 1.0), 102)
    (found,) = finder(picture)
    assert found.box_px[2] - found.box_px[0] == pytest.approx(102, rel=0.15)
    (again,) = finder(picture, [found])
    assert np.abs(again.box_px - found.box_px).max() < 6


class CountingDetector:
    """Counts the looks of a detector."""

    def __init__(self, finder: MediaPipeFaces) -> None:
        self._detector = finder._detector
        self.n_looks = 0

    def input(self) -> np.ndarray:
        return self._detector.input()

    def run(self) -> list[np.ndarray]:
        self.n_looks += 1
        return self._detector.run()


def test_finer_looks_are_taken_only_where_no_face_is_wide_enough(talking_face: TalkingFace) -> None:
    finder = MediaPipeFaces(ensure_assets(["face_landmarker"])["face_landmarker"], least_face_px=100.0)
    finder._detector = counter = CountingDetector(finder)
    n_looks = {}
    for face_px in (102, 500):
        counter.n_looks = 0
        assert len(finder(pasted(talking_face, (3840, 2160), (0.4, 0.5), face_px))) == 1
        n_looks[face_px] = counter.n_looks
    # the full frame and the largest tiles, three of 2160 px in 3840; then tiles of 1239 and 711 px
    assert n_looks[500] == 1 + len(tiles(3840, 2160)) == 4
    assert n_looks[102] == 4 + len(tiles(3840, 2160, 1239.4)) + len(tiles(3840, 2160, 711.1))


def test_a_small_turned_head_is_searched_in_its_own_tile_alone(talking_face: TalkingFace) -> None:
    finder = MediaPipeFaces(ensure_assets(["face_landmarker"])["face_landmarker"])
    picture = pasted(talking_face, (3840, 2160), (0.4, 0.5), 102)
    (found,) = finder(picture)
    turned = replace(found, pose_deg=np.array([0.0, 40.0, 0.0], np.float32))
    finder._detector = counter = CountingDetector(finder)
    (again,) = finder(picture, [turned])
    assert counter.n_looks == 1
    np.testing.assert_array_equal(again.landmarks_px, found.landmarks_px)


def test_a_lower_limit_is_followed(talking_face: TalkingFace) -> None:
    picture = pasted(talking_face, (1920, 1080), (0.9, 0.2), 66)
    assert load_face_finder(PerceptionSettings(least_face_px=100))(picture) == []
    (found,) = load_face_finder(PerceptionSettings(least_face_px=64))(picture)
    assert found.box_px[2] - found.box_px[0] == pytest.approx(66, rel=0.12)


def test_the_search_goes_down_to_the_narrowest_face_that_a_tier_keeps() -> None:
    assert PerceptionSettings().least_face_px <= SmallFaceSettings().loose_px


@pytest.mark.parametrize(("coarsest", "finest"), [(1080, 711), (2160, 711), (4320, 711), (3000, 711), (4320, 227)])
def test_no_size_of_face_is_left_out_between_two_steps(coarsest: float, finest: float) -> None:
    # a tile surely shows faces of 18 of its 128 px, and has whole those of 0.33 of its side less two margins of 0.03
    sides = [coarsest, *finer_sides(coarsest, finest)]
    assert sides[-1] == finest
    for coarse, fine in pairwise(sides):
        assert 18 / 128 * coarse <= 0.285 * fine


def test_a_step_that_is_hardly_finer_is_none() -> None:
    assert finer_sides(720, 711) == []
    assert not are_wide_enough([], 100)
