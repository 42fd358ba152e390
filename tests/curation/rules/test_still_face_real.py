"""The rule `still_face` on real speakers and on photographs of them, filmed in several ways."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.perception.faces.mediapipe import MediaPipeFaces
from curation.rules.still_face import StillFaceSettings, face_motion, own_shape, still_face
from foundation.array_types import RgbImage
from foundation.weights import ensure_assets
from manifests.landmarks import key_points, landmark_scheme

pytestmark = pytest.mark.slow

TICKS = 75
Film = Callable[[RgbImage, int], RgbImage]


def _noisy(picture: RgbImage, tick: int) -> RgbImage:
    grain = np.random.default_rng(tick).normal(0, 12, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def _compressed(picture: RgbImage, tick: int) -> RgbImage:
    """The picture as a JPEG of poor quality, whose blocks lie elsewhere on every tick."""
    coded = cv2.imencode(".jpg", np.roll(picture, tick % 8, axis=1), [cv2.IMWRITE_JPEG_QUALITY, 35])[1]
    return np.roll(cv2.imdecode(coded, cv2.IMREAD_COLOR), -(tick % 8), axis=1).astype(np.uint8)


def _held_in_a_hand(picture: RgbImage, tick: int) -> RgbImage:
    angle, zoom = 4 * np.sin(tick / 6), 1 + 0.05 * np.sin(tick / 11)
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, zoom)
    matrix[:, 2] += 8 * np.sin(tick / 7), 6 * np.cos(tick / 9)
    return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)


FILMS: dict[str, Film] = {
    "as it is": lambda picture, _: picture,
    "noisy": _noisy,
    "compressed": _compressed,
    "held in a hand": _held_in_a_hand,
    "small and noisy": lambda picture, tick: _noisy(cv2.resize(picture, (224, 224)).astype(np.uint8), tick),
}


def motion_of(pictures: list[RgbImage]) -> np.ndarray:
    find = MediaPipeFaces(ensure_assets(["face_landmarker"])["face_landmarker"])
    found = [find(picture)[0].landmarks_px for picture in pictures]
    points = key_points(np.stack(found), landmark_scheme(find.scheme))
    return face_motion(own_shape(points), np.zeros(len(points), np.bool_), StillFaceSettings().window_ticks)


@pytest.fixture(scope="module", params=["WDA_KatieHill_000", "WDA_AlexandriaOcasioCortez_000"])
def pictures(request: pytest.FixtureRequest, shared_clips: Path) -> list[RgbImage]:
    info = probe(shared_clips / f"{request.param}.mp4")
    return [frame.rgb for frame in tick_frames(info, 0, TICKS) if frame.rgb is not None]


def test_a_real_speaker_moves(pictures: list[RgbImage]) -> None:
    assert not still_face(motion_of(pictures), StillFaceSettings()).failed.any()


@pytest.mark.parametrize("film", FILMS)
def test_a_photograph_is_still_however_it_is_filmed(pictures: list[RgbImage], film: str) -> None:
    filmed = [FILMS[film](pictures[50], tick) for tick in range(55)]
    assert still_face(motion_of(filmed), StillFaceSettings()).failed.all()
