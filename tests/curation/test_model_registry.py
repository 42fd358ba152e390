"""Models of a user: registered in Python or by a package, used by a run, refused where they are unknown."""

import dataclasses
import importlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import counted_picture, frame_times, write_video
from ray import cloudpickle
from typer.testing import CliRunner

from curation.cli.app import app
from curation.decision.tracks import TrackSettings
from curation.engine.execution import Executor
from curation.model_cards import ModelCard
from curation.model_registry import (
    ENCODERS,
    FACE_FINDERS,
    HEAD_POSES,
    IDENTITIES,
    MASKS,
    TRANSCRIBERS,
    find_plugins,
    register_model,
    registered_models,
)
from curation.operations.doctor import examine
from curation.operations.run import run
from curation.output.ledger import read_ledger
from curation.output.weights_used import perception_weights
from curation.perception.cards import FaceFinderCard, HeadPoseCard, IdentityCard, MaskCard
from curation.perception.models import load_perception, perception_assets, pose_method
from curation.perception.protocols import FaceObservation
from curation.perception.settings import PerceptionSettings
from curation.settings import CurationSettings, SettingsError, load_settings
from curation.speech.cards import EncoderCard
from curation.speech.protocols import SpeechClip
from foundation.array_types import Float16Array, Float32Array, RgbImage
from foundation.errors import CannotStartError, UsageError
from foundation.weights import Asset, AssetFile, MissingAssetsError, asset_names, asset_path
from foundation.weights import registry as weights_registry
from manifests.files.tables import read_table

# Workers cannot import this file: what it defines is sent to them whole, as that of a notebook is.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

BOX = np.array([20, 20, 100, 120], np.float32)
QUIET = ["speech.encoder=none", "speech.denoiser=none"]


def find_middle(frame: RgbImage, near: Sequence[FaceObservation] | None = None) -> list[FaceObservation]:
    """One face at the same place in every frame."""
    del frame, near
    return [
        FaceObservation(
            box_px=BOX,
            score=1.0,
            landmarks_px=np.linspace(BOX[:2], BOX[2:], 68, dtype=np.float32),
            pose_deg=np.zeros(3, np.float32),
            blendshapes=None,
        )
    ]


def describe_alike(frame: RgbImage, key_points_px: Float32Array) -> Float32Array:
    del frame, key_points_px
    return np.ones(7, np.float32)


def half_masked(frame: RgbImage, key_points_px: Float32Array, boxes_px: Float32Array) -> Float32Array:
    del frame, key_points_px
    return np.full(len(boxes_px), 0.25, np.float32)


class Level:
    """Every head looks 4 degrees up."""

    def crop(self, frame: RgbImage, boxes_px: Float32Array) -> np.ndarray:
        del frame
        return np.zeros((len(boxes_px), 1, 1, 3), np.uint8)

    def __call__(self, crops: np.ndarray) -> Float32Array:
        return np.tile(np.array([4, 0, 0], np.float32), (len(crops), 1))


FACES = FaceFinderCard(name="middle", scheme="ibug68", pose_method="none", load=lambda _settings: find_middle)
OWN_ASSET = Asset(
    name="my_weights",
    what="made by the test",
    kind="onnx",
    files=(AssetFile(name="my_weights.onnx", sha256="0" * 64, size_bytes=3),),
    licence="my own",
    licence_url="https://example.org",
    commercial_use=True,
    sources=(),
)


@pytest.fixture(autouse=True)
def no_models_of_others(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for one in (FACE_FINDERS, HEAD_POSES, IDENTITIES, MASKS, ENCODERS, TRANSCRIBERS):
        monkeypatch.setattr(one, "_own", {})
    monkeypatch.setattr(weights_registry, "_BY_NAME", dict(weights_registry._BY_NAME))
    yield
    find_plugins.cache_clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    for number in range(2):
        pictures = [counted_picture(10 * number + k) for k in range(6)]
        write_video(tmp_path / "raw" / f"{number}.mp4", frame_times(Fraction(25), 6), pictures)
    return tmp_path / "raw"


def settings(*overrides: str) -> CurationSettings:
    return load_settings(CurationSettings(), None, [*QUIET, *overrides])


def boxes(dataset: Path) -> list[list[float]]:
    return [row["box"] for row in read_table(dataset, "frames", ["box"]).to_pylist()]


def register_all() -> CurationSettings:
    register_model(FACES)
    register_model(HeadPoseCard(name="level", load=lambda _settings: Level()))
    register_model(MaskCard(name="quarter", load=lambda _settings: half_masked))
    register_model(IdentityCard(name="alike", dim=7, same_person_distance=0.125, load=lambda _settings: describe_alike))
    chosen = ("faces=middle", "pose=level", "mask=quarter", "identity=alike")
    return settings("analysis.every_tick=true", *(f"perception.{choice}" for choice in chosen))


def test_registered_models_are_values_of_the_settings_and_are_loaded() -> None:
    perception = register_all().perception
    assert perception_assets(perception) == []
    assert [record.name.partition(" ")[0] for record in perception_weights(perception)] == ["silero-vad"]
    models = load_perception(perception)
    assert (models.faces, models.describer, models.mask) == (find_middle, describe_alike, half_masked)
    assert isinstance(models.pose, Level)
    assert (models.landmarks.name, models.descriptor_dim, models.jitter) == ("ibug68", 7, None)
    assert pose_method(perception) == "level"


@pytest.mark.parametrize(
    "executor",
    [
        Executor(kind="inline", workers=1),
        pytest.param(Executor(kind="ray", workers=1), marks=pytest.mark.slow),
    ],
    ids=["inline", "ray"],
)
def test_a_run_measures_with_registered_models_and_records_them(
    executor: Executor, source: Path, tmp_path: Path
) -> None:
    dataset = tmp_path / "dataset"
    report = run(str(source), dataset, register_all(), executor)
    assert [record.error_code for record in report.records] == [None, None]
    chosen = json.loads((dataset / "dataset.json").read_text())["config"]["perception"]
    assert (chosen["faces"], chosen["pose"], chosen["mask"]) == ("middle", "level", "quarter")
    assert chosen["identity"] == "alike"
    rows = read_table(dataset, "frames").to_pylist()
    assert len(rows) == 12
    for row in rows:
        assert list(row["pose_deg"]) == [4.0, 0.0, 0.0]
        assert row["mask_prob"] == 0.25
        assert len(row["landmarks"]) in (68, 136)


class LameEncoder:
    """Loads, and fails on whatever it hears."""

    name = "lame"
    dim = 4

    def __call__(self, audio_16k: Float32Array, n_ticks: int) -> Float16Array:
        return self.encode_clips([SpeechClip(audio_16k, n_ticks)])[0]

    def encode_clips(self, clips: Sequence[SpeechClip]) -> list[Float16Array]:
        message = f"{len(clips)} clips in half precision"
        raise RuntimeError(message)


@pytest.mark.parametrize(
    "executor",
    [
        Executor(kind="inline", workers=1),
        pytest.param(Executor(kind="ray", workers=1), marks=pytest.mark.slow),
    ],
    ids=["inline", "ray"],
)
def test_an_encoder_that_fails_on_any_sound_ends_the_run_before_a_video_is_analysed(
    executor: Executor, source: Path, tmp_path: Path
) -> None:
    analysed: list[RgbImage] = []

    def find_and_note(frame: RgbImage, near: Sequence[FaceObservation] | None = None) -> list[FaceObservation]:
        analysed.append(frame)
        return find_middle(frame, near)

    chosen = register_all()
    register_model(dataclasses.replace(FACES, load=lambda _settings: find_and_note))
    register_model(EncoderCard(name="lame", load=lambda _settings: LameEncoder()))
    chosen = load_settings(chosen, None, ["speech.encoder=lame"])
    with pytest.raises(CannotStartError, match=r"speech\.encoder.*RuntimeError: 1 clips in half precision") as caught:
        run(str(source), tmp_path / "dataset", chosen, executor)
    assert caught.value.exit_code == 3
    assert "Traceback" not in str(caught.value)
    assert analysed == []
    assert read_ledger(tmp_path / "dataset") == {}


def test_a_dataset_is_not_gone_on_with_where_its_model_is_not_registered(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = tmp_path / "dataset"
    chosen = register_all()
    run(str(source), dataset, chosen, Executor(kind="inline", workers=1))
    monkeypatch.setattr(FACE_FINDERS, "_own", {})
    result = CliRunner().invoke(app, ["decide", str(dataset), "--out", str(tmp_path / "other")])
    assert result.exit_code == 2
    assert "was made with perception.faces=middle: " in result.output
    assert "has to be registered first" in result.output
    register_model(FACES)
    assert run(str(source), dataset, chosen, Executor(kind="inline", workers=1)).already_done == 2


@pytest.mark.parametrize("setting", ["faces", "pose", "mask", "identity"])
def test_a_model_that_is_not_registered_is_refused_with_the_names_that_there_are(setting: str) -> None:
    with pytest.raises(SettingsError, match=rf"perception\.{setting}' is 'none_of_these'.*register_model"):
        settings(f"perception.{setting}=none_of_these")


def test_the_settings_name_registered_models_in_their_errors() -> None:
    register_model(FACES)
    with pytest.raises(SettingsError, match="'scrfd', 'mediapipe', 'dlib' or 'middle'"):
        settings("perception.faces=yolo")


def test_the_distance_of_one_person_is_the_cards() -> None:
    register_all()
    assert TrackSettings(max_descriptor_distance=3.0).max_distance(IDENTITIES.card("alike", IdentityCard)) == 0.125


def test_another_version_of_a_model_replaces_it_and_a_built_in_one_stays() -> None:
    register_model(FACES)
    newer = dataclasses.replace(FACES, pose_method="newer")
    register_model(newer)
    assert registered_models() == (newer,)
    with pytest.raises(UsageError, match="'dlib' of kind faces is built in"):
        register_model(dataclasses.replace(FACES, name="dlib"))
    with pytest.raises(UsageError, match="kind 'cuts' cannot be registered; the kinds are faces, pose"):
        register_model(ModelCard(kind="cuts", name="mine"))


def test_a_card_of_another_type_or_with_unknown_landmarks_is_refused() -> None:
    register_model(ModelCard(kind="faces", name="plain"))
    with pytest.raises(TypeError, match="'plain' of kind faces: its card is a ModelCard; give a FaceFinderCard"):
        load_perception(PerceptionSettings(faces="plain"))
    with pytest.raises(ValueError, match="landmark scheme 'mine' is unknown; known are"):
        dataclasses.replace(FACES, scheme="mine")


def test_weights_of_an_own_model_are_assets_like_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIA_MODELS", str(tmp_path))
    register_model(dataclasses.replace(FACES, assets=(OWN_ASSET,)))
    chosen = PerceptionSettings(faces="middle", identity="arcface")
    assert "my_weights" in asset_names()
    assert perception_assets(chosen)[0] == "my_weights"
    with pytest.raises(MissingAssetsError, match="my_weights"):
        asset_path("my_weights")
    with pytest.raises(UsageError, match="asset 'det_10g' is built in"):
        register_model(dataclasses.replace(FACES, assets=(dataclasses.replace(OWN_ASSET, name="det_10g"),)))


def test_doctor_lists_registered_models_and_what_they_lack() -> None:
    register_model(FACES)
    register_model(MaskCard(name="lame", packages=("no-such-package",), load=lambda _settings: half_masked))
    listed = {component.name: component for component in examine().components}
    assert (listed["middle"].found, listed["middle"].detail) == (True, "--set perception.faces=middle")
    assert (listed["lame"].found, listed["lame"].detail) == (False, "needs no-such-package")
    assert not listed["lame"].required
    assert "own model: mask" in examine().text()


def test_an_installed_package_offers_models_by_entry_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugin_of_a_test.py").write_text(
        "from curation.perception.cards import MaskCard\n"
        "CARD = MaskCard(name='plugged', load=lambda settings: None)\n"
        "NOTHING = 3\n"
    )
    info = tmp_path / "plugin_of_a_test-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-of-a-test\nVersion: 1.0\n")
    entry_points = info / "entry_points.txt"
    entry_points.write_text("[gaia_avatar.models]\nplugged = plugin_of_a_test:CARD\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    find_plugins.cache_clear()
    assert PerceptionSettings(mask="plugged").mask == "plugged"
    assert [card.name for card in registered_models()] == ["plugged"]
    for wrong, message in (("NOTHING", "of type int; it has to be a model card"), ("LOST", "cannot be loaded")):
        entry_points.write_text(f"[gaia_avatar.models]\nplugged = plugin_of_a_test:{wrong}\n")
        os.utime(info, (1, len(wrong)))
        importlib.invalidate_caches()
        find_plugins.cache_clear()
        with pytest.raises(UsageError, match=message):
            find_plugins()
