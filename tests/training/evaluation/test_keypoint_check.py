import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from foundation.array_types import Float32Array, RgbImage
from foundation.errors import UsageError
from manifests.record import read_dataset
from training.evaluation.face_models import FaceReader
from training.evaluation.keypoint_check import KeypointCheck, NoLandmarkModelError, keypoint_check


def _middle(picture: RgbImage) -> Mapping[str, Float32Array]:
    """All 68 landmarks at the middle of the white pixels; the face is missing where there are none."""
    rows, columns = np.nonzero(picture[..., 0] > 127)
    point = [columns.mean() + 0.5, rows.mean() + 0.5] if len(rows) else [np.nan, np.nan]
    return {"landmarks": np.tile(np.float32(point), (68, 1))}


class _White:
    digest = finder = "white"
    scheme = "ibug68"
    shapes: Mapping[str, tuple[int, ...]] = {"landmarks": (68, 2)}
    unavailable: Mapping[str, str] = {}

    def reader(self) -> FaceReader:
        return _middle


def _square(x: int, width: int = 64) -> RgbImage:
    """A white square of an eighth of the width, `x` eighths from the left, half-way down."""
    picture = np.zeros((width, width, 3), np.uint8)
    picture[width // 2 : width // 2 + width // 8, x * width // 8 : (x + 1) * width // 8] = 255
    return picture


@pytest.mark.parametrize("width", [64, 256, 512])
def test_distance_is_in_pixels_of_a_picture_256_wide_whatever_its_size(width: int) -> None:
    check = KeypointCheck(_White())
    here, there = check.landmarks(_square(2, width)), check.landmarks(_square(4, width))
    np.testing.assert_allclose(here, np.tile([80.0, 144.0], (68, 1)), atol=0.01)
    assert check.distance(there, here) == pytest.approx(64.0, abs=0.01)
    assert check.distance(here, here) == 0.0


def test_picture_without_a_face_has_no_distance() -> None:
    check = KeypointCheck(_White())
    nothing = check.landmarks(np.zeros((64, 64, 3), np.uint8))
    assert np.isnan(nothing).all()
    assert check.distance(nothing, check.landmarks(_square(2))) is None


def _offering(monkeypatch: pytest.MonkeyPatch, *load: object) -> None:
    points = [SimpleNamespace(load=lambda function=function: function) for function in load]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points if group == "gaia_avatar.faces" else [])


def _unknown(name: str, _parts: object) -> None:
    raise UsageError(f"there is no {name}")


class _Lacking(_White):
    shapes: Mapping[str, tuple[int, ...]] = {}
    unavailable: Mapping[str, str] = {"landmarks": "weights are not on this machine"}


def test_model_is_the_one_that_the_record_of_the_dataset_names(
    made_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    _offering(monkeypatch, lambda name, parts: asked.append((name, parts)) or _White())
    with pytest.raises(NoLandmarkModelError, match="does not say which model found its landmarks"):
        keypoint_check(made_clips, "ibug68")
    record = read_dataset(made_clips).model_dump(mode="json")
    (tmp_path / "dataset.json").write_text(json.dumps({**record, "config": {"perception": {"faces": "dlib"}}}))
    assert keypoint_check(tmp_path, "ibug68").landmarks(_square(2)).shape == (68, 2)
    assert asked == [("dlib", ("landmarks",))]
    with pytest.raises(NoLandmarkModelError, match="finds landmarks 'ibug68', and the clips have 'mediapipe478'"):
        keypoint_check(tmp_path, "mediapipe478")
    for load, said in (
        (_unknown, "'dlib' cannot be loaded: there is no dlib"),
        (lambda _name, _parts: _Lacking(), "'dlib' is missing: weights are not on this machine"),
    ):
        _offering(monkeypatch, load)
        with pytest.raises(NoLandmarkModelError, match=said):
            keypoint_check(tmp_path, "ibug68")
    _offering(monkeypatch)
    with pytest.raises(NoLandmarkModelError, match="'dlib' is missing: no installed package offers face models"):
        keypoint_check(tmp_path, "ibug68")
