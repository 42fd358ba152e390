"""What the network and the rule `mask` make of real people: bare faces stay, worn masks and covered mouths go."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.perception.faces.mediapipe import MediaPipeFaces
from curation.perception.masks.embedded import EmbeddedMask
from curation.perception.masks.embedded.teaching.people import FOLDS, HELD_OUT, folds, talk_footage, teaching_footage
from curation.rules.mask import MaskSettings, mask
from manifests.landmarks import key_points, landmark_scheme

SCHEME = landmark_scheme("mediapipe478")
STRIDE = 5
WEARERS = ("p002", "p011", "p034", "p144")

Paint = Callable[[np.ndarray], None]
Dropped = Callable[..., float]


def nothing(_picture: np.ndarray) -> None:
    return


def box_before_the_mouth(picture: np.ndarray) -> None:
    """A fixed microphone as a newsroom has it, in a picture of 512 by 512."""
    picture[300:, 196:316] = (48, 48, 52)


def bar_of_words(picture: np.ndarray) -> None:
    picture[330:386, 60:452] = 0


def bar_below_the_chin(picture: np.ndarray) -> None:
    picture[440:496, 60:452] = 0


def box_beside_the_mouth(picture: np.ndarray) -> None:
    picture[300:, 330:450] = (48, 48, 52)


@pytest.fixture(scope="module")
def dropped(shared_dir: Path) -> Dropped:
    """Return the share of the ticks with a face that the rule drops, in a part of a video that is painted on.

    The widest face is measured on every fifth tick, as the preset `embedded` does where the answer does not change.
    """
    finder, classify = MediaPipeFaces(shared_dir / "models" / "face_landmarker.task"), EmbeddedMask()

    def share(file: str, first_s: float, end_s: float, paint: Paint = nothing) -> float:
        info = probe(shared_dir / file)
        first, end = round(first_s * 25), min(round(end_s * 25), info.n_ticks)
        prob = np.full(end - first, np.nan, np.float32)
        for frame in tick_frames(info, first, end):
            at = frame.tick - first
            if frame.rgb is not None and at % STRIDE == 0:
                picture = frame.rgb.copy()
                paint(picture)
                for face in finder(picture)[:1]:
                    points = key_points(face.landmarks_px[None], SCHEME)
                    prob[at : at + STRIDE] = classify(picture, points, np.asarray(face.box_px)[None])[0]
        if np.isnan(prob).all():
            return float("nan")
        return float(mask(prob, MaskSettings()).failed[~np.isnan(prob)].mean())

    return share


@pytest.mark.parametrize(
    ("file", "first_s", "end_s"),
    [
        pytest.param("p018+p019_01.mp4", 0, 2, id="tilted head in a dark room"),
        pytest.param("p042_01.mp4", 0.6, 2.3, id="looks up in blue light, caption below"),
        pytest.param("p076_01.mp4", 0, 3, id="three quarters to profile"),
        pytest.param("p013_01.mp4", 0, 1.7, id="full profile in the dark"),
        pytest.param("p162_01.mp4", 1, 3, id="dark skin, hand lifted"),
        pytest.param("p162_01.mp4", 6, 7.7, id="dark skin, smile"),
        pytest.param("p178+p179_01.mp4", 12.4, 17.4, id="grins in black and white"),
        pytest.param("p041_01.mp4", 0, 3, id="sings, tilted"),
        pytest.param("p031_01.mp4", 0, 2, id="bearded, shouts"),
        pytest.param("p025_01.mp4", 0, 2, id="bearded, looks up"),
        pytest.param("p004_01.mp4", 0, 2, id="microphone at the cheek"),
        pytest.param("p199_01.mp4", 0, 2, id="microphones below the mouth"),
        pytest.param("p046_01.mp4", 0, 3, id="microphone before the chin, looks down"),
        pytest.param("p047_02.mp4", 0, 3, id="hand at the chin, microphone"),
        pytest.param("p193_01.mp4", 0, 2, id="hand and telephone at the cheek"),
    ],
)
def test_a_bare_mouth_is_never_dropped(dropped: Dropped, file: str, first_s: float, end_s: float) -> None:
    assert dropped(f"talk/{file}", first_s, end_s) == 0


@pytest.mark.parametrize(
    ("file", "first_s", "end_s"),
    [
        pytest.param("p002_01.mp4", 2.0, 4.0, id="surgical, small face"),
        pytest.param("p011+p012_01.mp4", 0, 1.0, id="black, fitted"),
        pytest.param("p034_01.mp4", 0, 2, id="white, at a laptop"),
        pytest.param("p144_01.avi", 2, 4, id="blue cloth"),
        pytest.param("p144_02.mp4", 1, 3, id="red cloth in the dark"),
    ],
)
def test_a_worn_mask_is_dropped(dropped: Dropped, file: str, first_s: float, end_s: float) -> None:
    assert dropped(f"talk/{file}", first_s, end_s) >= 0.9


@pytest.mark.parametrize("paint", [box_before_the_mouth, bar_of_words])
def test_what_covers_the_mouth_of_somebody_never_taught_is_dropped(dropped: Dropped, paint: Paint) -> None:
    assert dropped("clips/WDA_AlexandriaOcasioCortez_000.mp4", 0, 4, paint) >= 0.9


@pytest.mark.parametrize("paint", [nothing, box_beside_the_mouth, bar_below_the_chin])
def test_what_leaves_the_mouth_of_somebody_never_taught_stays(dropped: Dropped, paint: Paint) -> None:
    assert dropped("clips/WDA_AlexandriaOcasioCortez_000.mp4", 0, 4, paint) == 0


@pytest.mark.slow
def test_of_all_people_at_most_one_in_forty_loses_anything(dropped: Dropped, shared_dir: Path) -> None:
    lost, people = set(), set()
    for one in talk_footage(shared_dir):
        if one.path is not None and not one.path.name.startswith(WEARERS):
            share = dropped(f"talk/{one.path.name}", 0, 2.4)
            people |= set() if np.isnan(share) else {one.identity}
            lost |= {one.identity} if share > 0 else set()
    assert len(people) > 100
    # The goal is one in two hundred; measured on all seconds, profiles of three in 131 (docs, model card).
    assert len(lost) <= 0.025 * len(people), sorted(lost)


def test_no_person_of_a_fold_is_in_another(shared_dir: Path) -> None:
    fold = folds(shared_dir)
    of_person: dict[str, set[int]] = {}
    for one in talk_footage(shared_dir):
        for person in "" if one.path is None else one.path.stem.split("_")[0].split("+"):
            of_person.setdefault(person, set()).add(fold[one.identity])
    assert len(of_person) == 146
    assert all(len(found) == 1 for found in of_person.values())
    assert set(fold.values()) == set(range(FOLDS))


def test_people_who_are_held_out_are_not_taught(shared_dir: Path) -> None:
    taught = teaching_footage(shared_dir)
    assert not {one.identity for one in taught} & set(HELD_OUT)
    names = {"" if one.path is None else one.path.name for one in taught}
    # p052 is also the woman of a clip that is held out; p088's repository excludes commercial use.
    assert not any(name.startswith(("p052", "p088")) for name in names)
    assert any(name.startswith("p022") for name in names)
