"""Between looks at the whole picture faces are followed: what that changes, and what it must not."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from curation.analysis.analyze import analyze, analyze_frames
from curation.evidence.measures import GRID_TICKS
from curation.media.frames import tick_frames
from curation.media.probe import VideoInfo, probe
from curation.perception.faces.face_mesh import can_be_followed
from curation.perception.faces.mediapipe import MediaPipeFaces
from curation.perception.faces.search import Candidate, Square
from curation.perception.models import Perception, load_perception, perception_assets
from curation.perception.protocols import FaceObservation
from curation.perception.settings import PerceptionSettings
from foundation.array_types import RgbImage
from foundation.weights import ensure_assets
from manifests.landmarks import key_points, landmark_scheme


@pytest.fixture(scope="module")
def models() -> Perception:
    ensure_assets(perception_assets(PerceptionSettings()))
    return load_perception(PerceptionSettings())


@pytest.fixture(scope="module")
def finder(models: Perception) -> MediaPipeFaces:
    assert isinstance(models.faces, MediaPipeFaces)
    return models.faces


@pytest.fixture(scope="module")
def sample(repository: Path) -> VideoInfo:
    return probe(repository / "samples" / "talking_astronaut.mp4")


class CountingFinder:
    """Notes what it is asked."""

    def __init__(self, finder: MediaPipeFaces) -> None:
        self._finder = finder
        self.scheme, self.pose_method = finder.scheme, finder.pose_method
        self.n_near: list[int | None] = []

    def __call__(self, frame: RgbImage, near: Sequence[FaceObservation] | None = None) -> list[FaceObservation]:
        self.n_near.append(None if near is None else len(near))
        return self._finder(frame, near)


def moved(picture: RgbImage, right_px: int) -> RgbImage:
    return np.ascontiguousarray(np.roll(picture, right_px, axis=1))


def picture_of(info: VideoInfo, tick: int) -> RgbImage:
    rgb = next(iter(tick_frames(info, tick, tick + 1))).rgb
    assert rgb is not None
    return rgb


def test_a_whole_picture_is_searched_once_in_five_ticks_and_faces_are_followed_in_between(
    models: Perception, finder: MediaPipeFaces, sample: VideoInfo
) -> None:
    asked = CountingFinder(finder)
    analyze(sample, dataclasses.replace(models, faces=asked), 0, 12)
    assert GRID_TICKS == 5
    assert asked.n_near == [None, 1, 1, 1, 1, None, 1, 1, 1, 1, None, 1]


def test_a_window_finds_the_faces_that_the_whole_pass_finds(models: Perception, sample: VideoInfo) -> None:
    first, end = 3 * GRID_TICKS, 3 * GRID_TICKS + 8
    whole, window = analyze(sample, models, 0, end).faces, analyze(sample, models, first, end).faces
    inside = whole.tick >= first
    assert window.tick.tolist() == (whole.tick[inside] - first).tolist()
    for column in ("landmarks_px", "box_px", "pose_deg", "score"):
        assert np.array_equal(getattr(window, column), getattr(whole, column)[inside]), column


def test_a_face_that_moved_a_little_is_followed_to_where_it_is(finder: MediaPipeFaces, sample: VideoInfo) -> None:
    before = picture_of(sample, 0)
    found = finder(before)
    width_px = float(found[0].box_px[2] - found[0].box_px[0])
    step = round(0.1 * width_px)
    (followed,) = finder(moved(before, step), found)
    shift = followed.landmarks_px - found[0].landmarks_px
    assert shift.mean(axis=0) == pytest.approx([step, 0], abs=0.01 * width_px)


def test_a_face_that_is_gone_makes_the_whole_picture_searched(finder: MediaPipeFaces, sample: VideoInfo) -> None:
    before = picture_of(sample, 0)
    found = finder(before)
    far = moved(before, before.shape[1] // 2)  # two halves of the picture change places
    assert finder(far, found)[0].landmarks_px == pytest.approx(finder(far)[0].landmarks_px)
    assert finder(np.full_like(before, 127), found) == []


def test_two_faces_that_lead_to_one_make_the_whole_picture_searched(finder: MediaPipeFaces, sample: VideoInfo) -> None:
    picture = picture_of(sample, 0)
    (found,) = finder(picture)
    aside = dataclasses.replace(found, landmarks_px=found.landmarks_px + np.float32(0.05 * np.ptp(found.box_px[::2])))
    (searched,) = finder(picture, [found, aside])
    assert np.array_equal(searched.landmarks_px, found.landmarks_px)


def test_a_turned_head_is_searched_for_in_the_looks_in_which_it_was_seen(
    finder: MediaPipeFaces, shared_clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = probe(shared_clips / "3ddfa_obama.mp4")
    n_looks = []
    detect = MediaPipeFaces._detect

    def counted(self: MediaPipeFaces, frame: RgbImage, square: Square) -> list[Candidate]:
        n_looks.append(square)
        return detect(self, frame, square)

    monkeypatch.setattr(MediaPipeFaces, "_detect", counted)
    before = finder(picture_of(info, 0))
    assert not can_be_followed(before)
    assert len(n_looks) == 4  # 1280x720: the whole picture and three tiles
    again = finder(picture_of(info, 1), before)
    assert len(n_looks) == 5
    searched = finder(picture_of(info, 1))
    assert len(n_looks) == 9
    assert np.array_equal(again[0].landmarks_px, searched[0].landmarks_px)
    # a head that is not in its look any more is searched for in all of the picture
    assert finder(np.zeros_like(picture_of(info, 0)), before) == []
    assert len(n_looks) == 9 + 1 + 4 + 8  # and in tiles of 533 px, in which 75 px are large enough


class Scripted:
    """Finds a face where a script says f, and notes whether it searches all of a picture (?) or follows (1)."""

    scheme, pose_method = MediaPipeFaces.scheme, MediaPipeFaces.pose_method

    def __init__(self, face: FaceObservation, script: str, info: VideoInfo) -> None:
        self._face, self._script = face, script
        self._previews = [picture_of(info, tick) for tick in range(len(script))]
        self.told = ["-"] * len(script)

    def __call__(self, frame: RgbImage, near: Sequence[FaceObservation] | None = None) -> list[FaceObservation]:
        tick = next(k for k, picture in enumerate(self._previews) if np.array_equal(picture, frame))
        self.told[tick] = "?" if near is None else str(len(near))
        return [self._face] if self._script[tick] == "f" else []


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("ffffffffff", "?1111?1111"),
        ("..........f....", "??????----?1???"),  # what was before the start is not known
        ("ff.............", "?11???----?----"),
        ("fffff.fff.", "?1111??111"),  # a search that misses a face is made good on the next picture
        (".....f.........", "??????1???" + "?----"),
    ],
)
def test_pictures_are_left_out_only_where_a_search_found_nobody_after_nobody(
    script: str, told: str, models: Perception, finder: MediaPipeFaces, sample: VideoInfo
) -> None:
    (face,) = finder(picture_of(sample, 0))
    scripted = Scripted(face, script, sample)
    analyze_frames(sample, dataclasses.replace(models, faces=scripted), 0, len(script))
    assert "".join(scripted.told) == told


@pytest.mark.slow
@pytest.mark.parametrize("clip", ["WDA_KatieHill_000", "latentsync_demo1", "lp_d6", "3ddfa_obama"])
def test_following_shakes_no_more_than_searching(clip: str, finder: MediaPipeFaces, shared_clips: Path) -> None:
    """Jerk of the key points, in face widths: no flutter where a look at the whole picture comes in between."""
    info = probe(shared_clips / f"{clip}.mp4")
    ways: dict[str, list[np.ndarray]] = {"searched": [], "followed": []}
    before: list[FaceObservation] = []
    for frame in tick_frames(info, 0, 50):
        assert frame.rgb is not None
        searched = finder(frame.rgb)
        before = finder(frame.rgb, before) if frame.tick % GRID_TICKS else searched
        for way, faces in (("searched", searched), ("followed", before)):
            width = searched[0].box_px[2] - searched[0].box_px[0]
            ways[way].append(key_points(faces[0].landmarks_px, landmark_scheme("mediapipe478")) / width)
    searched_points, followed_points = (np.array(points) for points in ways.values())
    assert np.median(np.linalg.norm(searched_points - followed_points, axis=-1)) < 0.006
    jerk = {
        way: np.median(np.linalg.norm(np.diff(np.array(points), n=2, axis=0), axis=-1)) for way, points in ways.items()
    }
    assert jerk["followed"] < jerk["searched"] + 0.002  # the rule `jitter` allows steps of 0.12
