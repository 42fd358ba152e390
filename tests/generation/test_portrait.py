from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import TalkingFace
from PIL import Image

from curation.perception.faces.mediapipe import MediaPipeFaces
from curation.settings import CurationSettings
from foundation.array_types import Float32Array, RgbImage, UInt8Array
from foundation.weights import ensure_assets
from generation.portrait import read_image, read_portrait
from generation.pose_check import HeadMeter
from generation.trained_run import GenerationError
from manifests.landmarks import landmark_box, landmark_scheme

SETTINGS = CurationSettings()


@pytest.fixture(scope="module")
def heads() -> HeadMeter:
    ensure_assets(["face_landmarker"])
    return HeadMeter(finder=MediaPipeFaces(), poses=None)


def _saved(folder: Path, picture: np.ndarray, **options: object) -> Path:
    Image.fromarray(np.ascontiguousarray(picture)).save(folder / "portrait.png", **options)
    return folder / "portrait.png"


def test_the_face_is_in_the_middle_and_as_wide_as_in_clips(
    heads: HeadMeter, talking_face: TalkingFace, tmp_path: Path
) -> None:
    wall = np.full((500, 900, 3), 128, np.uint8)
    wall[100:420, 500:820] = talking_face.pictures[0]
    portrait = read_portrait(_saved(tmp_path, wall), heads, SETTINGS, 256)
    assert portrait.image.shape == (256, 256, 3)
    x0, y0, x1, y1 = landmark_box(portrait.landmarks_px)
    assert x1 - x0 == pytest.approx(256 * SETTINGS.crop.face_ratio, abs=1.0)
    assert (x0 + x1) / 2 == pytest.approx(128, abs=1.0)
    assert (y0 + y1) / 2 == pytest.approx(128, abs=1.0)
    assert portrait.face_width_px == pytest.approx(154, abs=10)  # as wide as in its own picture


def test_landmarks_lie_on_the_cropped_face(heads: HeadMeter, talking_face: TalkingFace, tmp_path: Path) -> None:
    portrait = read_portrait(_saved(tmp_path, talking_face.pictures[0]), heads, SETTINGS, 256)
    (again,) = heads.finder(portrait.image)
    width = np.ptp(again.landmarks_px[:, 0])
    distance = np.linalg.norm(again.landmarks_px - portrait.landmarks_px, axis=1)
    assert distance.mean() < 0.02 * width


def test_a_picture_that_lies_on_its_side_for_exif_gives_the_same_portrait(
    heads: HeadMeter, talking_face: TalkingFace, tmp_path: Path
) -> None:
    upright = read_portrait(_saved(tmp_path, talking_face.pictures[0]), heads, SETTINGS, 256)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = read_portrait(_saved(tmp_path, np.rot90(talking_face.pictures[0]), exif=exif), heads, SETTINGS, 256)
    assert (turned.image == upright.image).all()
    assert (turned.landmarks_px == upright.landmarks_px).all()


def test_a_picture_without_a_face_is_refused(heads: HeadMeter, tmp_path: Path) -> None:
    with pytest.raises(GenerationError, match="no face was found"):
        read_portrait(_saved(tmp_path, np.full((300, 300, 3), 90, np.uint8)), heads, SETTINGS, 256)


def test_of_several_faces_one_has_to_be_named(heads: HeadMeter, talking_face: TalkingFace, tmp_path: Path) -> None:
    face = talking_face.pictures[0]
    smaller = np.asarray(Image.fromarray(face).resize((240, 240)))
    both = np.full((320, 700, 3), 128, np.uint8)
    both[:, :320], both[40:280, 400:640] = face, smaller
    path = _saved(tmp_path, both)
    with pytest.raises(GenerationError, match=r"shows 2 faces; choose one with --face, or .* largest: 1: .* 2: "):
        read_portrait(path, heads, SETTINGS, 256)
    first, second = (read_portrait(path, heads, SETTINGS, 256, face=number) for number in (1, 2))
    assert second.face_width_px == pytest.approx(0.75 * first.face_width_px, rel=0.05)
    with pytest.raises(GenerationError, match="--face is 3, but"):
        read_portrait(path, heads, SETTINGS, 256, face=3)


def test_a_small_face_in_the_background_is_no_rival(
    heads: HeadMeter, talking_face: TalkingFace, tmp_path: Path
) -> None:
    tiny = np.asarray(Image.fromarray(talking_face.pictures[0]).resize((140, 140)))
    both = np.full((320, 520, 3), 128, np.uint8)
    both[:, :320], both[90:230, 350:490] = talking_face.pictures[0], tiny
    portrait = read_portrait(_saved(tmp_path, both), heads, SETTINGS, 256)
    assert portrait.face_width_px == pytest.approx(154, abs=10)


def test_landmarks_are_of_the_finders_scheme(heads: HeadMeter, talking_face: TalkingFace, tmp_path: Path) -> None:
    portrait = read_portrait(_saved(tmp_path, talking_face.pictures[0]), heads, SETTINGS, 128)
    assert portrait.landmarks_px.shape == (landmark_scheme(MediaPipeFaces.scheme).n_points, 2)
    assert portrait.image.shape == (128, 128, 3)


def test_a_picture_that_would_fill_the_memory_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (9_000, 9_000)).save(path)  # 81 million pixels in 10 KB, below the limit of Pillow itself
    with pytest.raises(GenerationError, match=r"is 9000x9000 pixels, and 64,000,000 are the most .* make the picture"):
        read_image(path)


@pytest.mark.parametrize(
    "content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n", b"/* XPM */\n"]
)
def test_formats_that_no_portrait_has_are_not_opened(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "portrait.png").write_bytes(content)
    with pytest.raises(GenerationError, match="no picture that can be read"):
        read_image(tmp_path / "portrait.png")


def test_more_faces_than_one_search_finds_are_listed(
    heads: HeadMeter, talking_face: TalkingFace, tmp_path: Path
) -> None:
    row = np.full((320, 6 * 330, 3), 128, np.uint8)
    for number in range(6):
        row[:, number * 330 : number * 330 + 320] = talking_face.pictures[0]
    with pytest.raises(GenerationError, match=r"shows [56] faces; .* 5: \d+ px wide at"):
        read_portrait(_saved(tmp_path, row), heads, SETTINGS, 256)


class _Anywhere:
    """A head pose that answers one yaw, whatever it is shown."""

    def __init__(self, yaw_deg: float) -> None:
        self.yaw_deg = yaw_deg

    def crop(self, frame: RgbImage, boxes_px: Float32Array) -> UInt8Array:
        return np.stack([frame[:1, :1]] * len(boxes_px))

    def __call__(self, crops: UInt8Array) -> Float32Array:
        return np.full((len(crops), 3), self.yaw_deg, np.float32)


@pytest.mark.parametrize(("yaw_deg", "says"), [(20.0, 0), (-40.0, 1), (70.0, None)])
def test_a_face_that_looks_aside_is_noted_and_a_profile_refused(
    yaw_deg: float, says: int | None, heads: HeadMeter, talking_face: TalkingFace, tmp_path: Path
) -> None:
    turned = HeadMeter(finder=heads.finder, poses=_Anywhere(yaw_deg))
    path = _saved(tmp_path, talking_face.pictures[0])
    if says is None:
        with pytest.raises(GenerationError, match="turned 70 degrees to the side, so that half of it is hidden"):
            read_portrait(path, turned, SETTINGS, 256)
        return
    notes = read_portrait(path, turned, SETTINGS, 256).notes
    assert len(notes) == says
    assert all("turned 40 degrees to the side" in note for note in notes)


def test_a_face_that_has_to_be_enlarged_is_noted_and_one_of_a_few_pixels_refused(
    heads: HeadMeter, talking_face: TalkingFace, tmp_path: Path
) -> None:
    # 154 px wide: shown with half of the size
    path = _saved(tmp_path, talking_face.pictures[0])
    assert read_portrait(path, heads, SETTINGS, 256).notes == ()
    (note,) = read_portrait(path, heads, SETTINGS, 1024).notes
    assert "px wide and is enlarged 3.3 times" in note
    with pytest.raises(GenerationError, match=r"networks of this run take 1024 px; give a picture .* at least 256 px"):
        read_portrait(path, heads, SETTINGS, 2048)
