import importlib.metadata
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curation.cli.app import app
from curation.operations import doctor
from curation.operations.doctor import examine
from curation.output.weights_used import needed_assets, wanted_assets
from curation.settings import PRESETS
from foundation import devices
from foundation.weights import asset_path


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that holds no weights; returns the folder that it looks for them in."""
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path / "cache"))
    models = tmp_path / "models"
    models.mkdir()
    monkeypatch.setenv("GAIA_MODELS", str(models))
    return models


def test_every_weight_file_of_every_preset_is_listed_with_licence_and_commercial_use() -> None:
    listed = {component.name: component for component in examine().components}
    for preset, settings in PRESETS.items():
        for name in wanted_assets(settings):
            assert preset in listed[name].presets
            assert listed[name].required == (name in needed_assets(settings))
            assert listed[name].licence
    assert listed["face_landmarker"].commercial_use is True
    assert listed["det_10g"].commercial_use is False


def test_packages_are_listed_with_version_licence_and_commercial_use() -> None:
    listed = {component.name: component for component in examine().components}
    assert listed["onnxruntime"].detail == importlib.metadata.version("onnxruntime")
    assert {name: listed[name].commercial_use for name in ("av", "dlib-bin", "torch", "denoiser")} == {
        "av": True,
        "dlib-bin": True,
        "torch": True,
        "denoiser": False,  # CC-BY-NC
    }
    assert listed["transformers"].presets == ("paper",)


def test_a_preset_is_usable_by_itself(no_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = examine()
    assert not lost.usable
    assert {c.name for c in lost.missing("embedded")} == set(needed_assets(PRESETS["embedded"]))
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 3
    monkeypatch.delenv("GAIA_CACHE")
    for name in needed_assets(PRESETS["embedded"]):  # that tests of runs have fetched
        path = asset_path(name)
        (shutil.copytree if path.is_dir() else shutil.copy)(path, no_weights / path.name)
    monkeypatch.setenv("GAIA_CACHE", str(no_weights / "none"))
    report = examine()
    assert report.usable
    assert report.missing("embedded") == []
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 0
    assert "--preset embedded: everything is here" in said.output
    verdict = said.output.partition("--preset paper: missing ")[2]
    assert all(name in verdict for name in ("det_10g", "3ddfa_mb1", "dns64", "gaia-curate models pull "))
    assert "face_landmarker" not in verdict
    assert "w600k_r50" not in verdict  # dlib's descriptor stands in


def test_every_way_on_is_named_for_each_preset(no_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(no_weights.iterdir())
    verdicts = CliRunner().invoke(app, ["doctor"]).output.partition("\n--preset ")[2].split("\n--preset ")
    by_preset = {verdict.partition(":")[0]: verdict.splitlines() for verdict in verdicts}
    assert set(by_preset) == set(PRESETS)
    for preset, lines in by_preset.items():
        (pull,) = (line for line in lines if line.startswith("  gaia-curate models pull "))
        assert set(pull.split()[3:]) == set(needed_assets(PRESETS[preset]))
        assert "  GAIA_MODELS=FOLDER" in lines
        assert not any(line.startswith("  --preset") for line in lines)  # the other one lacks its weights, too
    assert "let pip reach a package index" in "".join(by_preset["embedded"])
    assert "let pip reach a package index" not in "".join(by_preset["paper"])
    monkeypatch.delenv("GAIA_CACHE")  # where the weights of the preset `embedded` lie
    said = CliRunner().invoke(app, ["doctor"]).output
    assert "  --preset embedded, for which everything is here" in said.partition("--preset paper: ")[2].splitlines()


def test_a_damaged_file_is_missing_and_said_to_be_damaged(no_weights: Path) -> None:
    (no_weights / "det_10g.onnx").write_bytes(b"no network")
    (found,) = (c for c in examine().components if c.name == "det_10g")
    assert not found.found
    assert "damaged" in found.detail
    verdict = CliRunner().invoke(app, ["doctor"]).output.partition("--preset paper: missing ")[2].splitlines()
    assert verdict.index("  gaia-curate models verify") < next(
        place for place, line in enumerate(verdict) if line.startswith("  gaia-curate models pull ")
    )


def test_a_package_that_is_missing_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = importlib.metadata.metadata

    def without_denoiser(name: str) -> object:
        if name == "denoiser":
            raise importlib.metadata.PackageNotFoundError(name)
        return metadata(name)

    monkeypatch.setattr(importlib.metadata, "metadata", without_denoiser)
    report = examine()
    assert "denoiser" in {c.name for c in report.missing("paper")}
    assert "denoiser" not in {c.name for c in report.missing("embedded")}
    assert "pip install --no-deps denoiser==" in report.text()


def test_devices_are_those_that_auto_would_take(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime
    import torch

    monkeypatch.setattr(devices, "cuda_devices", lambda: 1)
    monkeypatch.setattr(doctor, "cuda_devices", lambda: 1)
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    report = examine()
    device = {component.name: component.device for component in report.components}
    assert device["det_10g"] == device["3ddfa_mb1"] == "CUDAExecutionProvider 0"
    assert device["dns64"] == device["facebook/wav2vec2-base-960h"] == "cuda:0"
    assert device["face_landmarker"] == device["whisper-tiny.en"] == "cpu"
    assert device["av"] == ""
    assert "NVIDIA GPUs: 1" in report.text()
