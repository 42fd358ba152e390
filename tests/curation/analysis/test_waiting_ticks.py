"""Pictures that wait: what is measured in cores is what is measured where every tick is, whatever the pictures show."""

import dataclasses
from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

import curation.analysis.waiting_ticks
from curation.analysis.tick_choice import EveryTick, TickChoice
from curation.analysis.waiting_ticks import WaitingTicks
from curation.decision.core_choice import CoreChoice
from curation.decision.grid import margin_ticks
from curation.decision.settings import RulesSettings
from curation.evidence.measures import GRID_TICKS, Faces
from curation.media.convert import LazyImage
from curation.media.display_shape import DisplayShape
from curation.media.frames_again import FramesAgain
from curation.perception.models import Perception
from curation.perception.protocols import FaceObservation
from foundation.array_types import BoolArray, Float32Array, RgbImage
from manifests.landmarks import KEY_POINT_NAMES, landmark_scheme
from manifests.vocabulary import TIERS

RULES = RulesSettings()

STRIDE = 5

SHAPE = DisplayShape(64, 48, 0, flipped=False)


class Picture(LazyImage):
    """The picture of a tick, whose number is its colour."""

    def __init__(self, number: int) -> None:
        super().__init__(SHAPE)
        self.number = number

    @property
    def held_bytes(self) -> int:
        return 1

    def _displayed(self) -> RgbImage:
        return np.full((48, 64, 3), (self.number // 256, self.number % 256, 0), np.uint8)


class PictureAgain(Picture):
    """A picture that notes that it is looked at."""

    def __init__(self, number: int, tick: int, looked_at: list[int]) -> None:
        super().__init__(number)
        self._tick, self._looked_at = tick, looked_at

    def _displayed(self) -> RgbImage:
        self._looked_at.append(self._tick)
        return super()._displayed()


class Again:
    """Gives out pictures a second time, and notes which are looked at."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = numbers
        self.given: list[int] = []

    def at(self, tick: int, _shape: DisplayShape) -> LazyImage:
        return PictureAgain(self._numbers[tick], tick, self.given)

    def close(self) -> None:
        """Hold nothing."""


def number_of(frame: RgbImage) -> int:
    return int(frame[0, 0, 0]) * 256 + int(frame[0, 0, 1])


class Finder:
    """Finds a wide face (w), a narrow one (n) or none (-) by the number of a picture; its place depends on `near`."""

    def __init__(self, script: str) -> None:
        self._script = script

    def __call__(self, frame: RgbImage, near: Sequence[FaceObservation] | None = None) -> list[FaceObservation]:
        number = number_of(frame)
        kind = self._script[number]
        if kind == "-":
            return []
        x0 = float(number % 7) if near is None else float(near[0].box_px[0]) * 0.5 + 1
        side = 300.0 if kind == "w" else 20.0
        points = np.zeros((478, 2), np.float32)
        points[33], points[263] = (-1, -1), (1, -1)  # the outer corners of the eyes, above the tip of the nose
        box = np.array([x0, 0, x0 + side, side], np.float32)
        return [FaceObservation(box_px=box, score=0.9, landmarks_px=points, pose_deg=box[:3], blendshapes=None)]


def mask(frame: RgbImage, _points: Float32Array, boxes: Float32Array) -> Float32Array:
    """Return probabilities by picture and place, some far from those next to them."""
    return np.array([np.sin(number_of(frame) / 9 + box[0]) ** 2 for box in boxes], np.float32)


def models_of(script: str) -> Perception:
    return cast(
        "Perception",
        SimpleNamespace(
            faces=Finder(script), landmarks=landmark_scheme("mediapipe478"), mask=mask, mask_stride=STRIDE,
            describer=lambda frame, _points: np.full(2, number_of(frame), np.float32), descriptor_dim=2,
            pose=None, jitter=None,
        ),
    )  # fmt: skip


def frontal_points(n: int) -> Float32Array:
    """Return (n, 9, 2) key points of faces that look into the camera: eyes above the tip of the nose."""
    points = np.zeros((n, 9, 2), np.float32)
    points[:, KEY_POINT_NAMES.index("right_eye_outer")] = (-1, -1)
    points[:, KEY_POINT_NAMES.index("left_eye_outer")] = (1, -1)
    return points


def choice_of(goes_on: tuple[bool, bool] = (False, False)) -> CoreChoice:
    return CoreChoice(RULES, TIERS, 0.5, STRIDE, goes_on=goes_on)


def measured(
    script: str, numbers: Sequence[int], shots: Sequence[int], choice: TickChoice
) -> tuple[Faces, BoolArray, BoolArray, list[int]]:
    """Return faces, grid ticks, kept rows, and the pictures that were decoded twice."""
    again = Again(numbers)
    ticks = WaitingTicks(models_of(script), choice, len(numbers), cast("FramesAgain", again))
    shown: dict[int, Picture] = {}
    for tick, number in enumerate(numbers):
        picture = shown.setdefault(number, Picture(number))
        ticks.add(tick, tick, number, picture, begins_shot=tick in shots)
    kept = ticks.finish()
    return ticks.collector.faces(kept, ticks.grid), ticks.grid, kept, again.given


def film(seed: int) -> tuple[str, list[int], list[int]]:
    """Return what pictures show, which one each tick shows, and where shots begin."""
    random = np.random.default_rng(seed)
    script, repeats = "", random.random() < 0.5
    while len(script) < 500:
        kind = random.choice(list("ww-n"))
        moment, chance = ("n", 0.4) if kind == "-" else ("-", 0.05)
        script += "".join(random.choice([kind, moment], size=random.integers(5, 130), p=[1 - chance, chance]))
    numbers = [max(0, tick - 1) if repeats and random.random() < 0.3 else tick for tick in range(500)]
    return script, np.maximum.accumulate(numbers).tolist(), random.integers(1, 500, size=3).tolist()


@pytest.mark.parametrize("most_bytes", [10**9, 12])
def test_values_in_cores_are_those_of_measuring_every_tick(most_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curation.analysis.waiting_ticks, "_MOST_BYTES", most_bytes)
    shares, searched = [], []
    for seed in range(16):
        script, numbers, shots = film(seed)
        every, grid, _, none = measured(script, numbers, shots, EveryTick())
        faces, same_grid, kept, _ = measured(script, numbers, shots, choice_of())
        assert not none
        assert grid[same_grid].all()
        searched.append(same_grid.sum() / grid.sum())
        for field in dataclasses.fields(Faces):
            whole, coarse = getattr(every, field.name), getattr(faces, field.name)
            if whole is not None:
                assert np.array_equal(whole[kept[every.tick]], coarse[kept[faces.tick]], equal_nan=True), field.name
        assert (kept | same_grid)[faces.tick].all()
        assert np.array_equal(every.box_px[same_grid[every.tick]], faces.box_px[same_grid[faces.tick]])
        shares.append(kept.mean())
    assert 0.2 < np.mean(shares) < 0.9  # there are cores, and ticks outside them
    assert min(searched) < 0.8  # and groups between barriers that are not searched


def test_pictures_are_decoded_twice_only_before_a_clip_that_follows_on_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curation.analysis.waiting_ticks, "_MOST_BYTES", 12)
    numbers = list(range(300))
    assert measured("w" * 300, numbers, [], choice_of())[3] == []
    assert measured("n" * 300, numbers, [], choice_of())[3] == []
    core_after = measured("n" * 150 + "w" * 150, numbers, [], choice_of())
    # what lies behind the last anchors that fail is searched, because those at 150 do not
    assert min(core_after[3]) == 75 + 2 * GRID_TICKS


@pytest.mark.parametrize("goes_on", [(False, False), (True, False), (False, True), (True, True)])
def test_what_is_certain_stays_so_and_ends_as_the_cores_and_a_stride(goes_on: tuple[bool, bool]) -> None:
    for seed in range(10):
        script, _, _ = film(seed)
        finder, choice = Finder(script), choice_of(goes_on)
        told: list[dict[int, bool]] = []
        for tick in range(0, 500, 5):
            found = finder(Picture(tick).rgb)
            boxes = np.array([face.box_px for face in found], np.float32).reshape(-1, 4)
            points = frontal_points(len(found))
            choice.saw(tick, boxes, np.full(len(found), 0.9, np.float32), points)
            certain = {row: need for row in range(tick + 1) if (need := choice.needs(row, row + 1)) is not None}
            assert all(certain[row] == need for row, need in (told[-1] if told else {}).items())
            told.append(certain)
        core = choice.finish(500)
        needed = [choice.needs(row, row + 1) for row in range(500)]
        assert all(needed[row] == need for row, need in told[-1].items())
        known = sum(told[-1].values())
        assert known >= 0.5 * sum(map(bool, needed))  # most of it is measured on the way
        wide = np.convolve(core, np.ones(2 * STRIDE + 1), "same") > 0
        assert needed == wide.tolist()


def test_a_barrier_is_two_bad_grid_ticks() -> None:
    """25 groups, of which one, then two in a row, show nobody: clips of 3 s cannot lie across the two."""
    margin = margin_ticks(RULES)
    for bad, expected in (([40], 250), ([100, 105], 250), ([60, 65], 250 - (60 + 6 - margin))):
        choice = choice_of()
        for tick in range(0, 250, 5):
            n = 0 if tick in bad else 1
            box = np.array([[0, 0, 300, 300]] * n, np.float32).reshape(-1, 4)
            choice.saw(tick, box, np.full(n, 0.9, np.float32), frontal_points(n))
        assert choice.finish(250).sum() == expected
