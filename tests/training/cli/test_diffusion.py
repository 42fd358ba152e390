import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.spoilt_clips import rewrite_array
from typer.testing import CliRunner

from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, read_facts, save_weights
from training.cli.app import app

VAE = VaeConfig(width=4, n_layers=1, multipliers=(1, 1, 1, 1), groups=2, image_px=64)


@pytest.fixture(scope="module")
def vae_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `gaia-train latents` and `diffusion` read of a run of the VAE."""
    run = tmp_path_factory.mktemp("vae") / "run"
    torch.manual_seed(0)
    weights = run / "step_00000001" / "export" / "ema.safetensors"
    save_weights(weights, Vae(VAE), VAE, WeightFacts(landmark_scheme="ibug68", speech_encoder=None))
    (run / "step_00000001" / "state.json").write_text("{}")
    (run / "latest").write_text("step_00000001")
    return run


@pytest.fixture(scope="module")
def dataset(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips = [{"video": name, "n_frames": n} for name, n in (("a", 80), ("b", 90), ("c", 100))]
    val = {"video": "d", "n_frames": 80, "split": "val"}
    return make_clips(tmp_path_factory.mktemp("data") / "dataset", *clips, val)


def _gaia_train(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return done.exit_code, done.output


@pytest.mark.slow
def test_the_steps_follow_one_another_and_the_run_says_what_speech_is_worth(
    dataset: Path, vae_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    command = ["diffusion", dataset, "--vae", vae_run, "--out", run, "--size", "tiny", "--device", "cpu"]
    small = ["--set", "train.steps=2", "--set", "train.batch=4", "--set", "train.micro_batch=2"]
    code, said = _gaia_train(*command, *small)
    assert (code, "gaia-train latents" in said) == (2, True)
    assert not run.exists()
    code, said = _gaia_train("latents", dataset, "--vae", vae_run, "--device", "cpu")
    assert code == 0, said
    code, said = _gaia_train(*command, *small)
    assert code == 0, said
    assert "train, 3 clips: motion correlates" in said
    assert "val" not in said.split("motion correlates")[0].splitlines()[-1]  # one clip: nothing to shuffle with
    measured = json.loads((run / "motion_check.json").read_text())
    assert measured["checkpoint"] == "step_00000002"
    assert set(measured["train"]) >= {"clips", "motion_correlation", "motion_correlation_shuffled", "pose_mse"}
    weights = run / "step_00000002" / "export" / "ema.safetensors"
    assert read_facts(weights) == WeightFacts(landmark_scheme="ibug68", speech_encoder="made")
    assert (run / "vae.safetensors").is_file()
    assert (run / "dataset.json").is_file()
    assert (run / "contact_sheet.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("speech_features", lambda array: array * np.nan),
        ("pose_deg", lambda array: array + np.inf),
        ("speech_features", lambda array: np.concatenate([array, array], axis=1)),
        ("speech_features", lambda _: None),
    ],
    ids=["speech not finite", "pose not finite", "speech of another width", "no speech"],
)
def test_a_clip_damaged_after_it_was_encoded_is_skipped_by_steps_previews_and_report(
    column: str,
    change: Callable[[np.ndarray], np.ndarray | None],
    dataset: Path,
    vae_run: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spoilt = Path(shutil.copytree(dataset, tmp_path / "dataset"))
    code, said = _gaia_train("latents", spoilt, "--vae", vae_run, "--device", "cpu")
    assert code == 0, said
    rewrite_array(spoilt, "c", 0, column, change)
    small = ("train.steps=2", "train.batch=8", "train.micro_batch=8", "train.pictures_every=1")
    command = ["diffusion", spoilt, "--vae", vae_run, "--out", tmp_path / "run", "--size", "tiny", "--device", "cpu"]
    code, said = _gaia_train(*command, *(word for setting in small for word in ("--set", setting)))
    assert code == 0, said
    assert [record.message.split(": ")[1] for record in caplog.records if "clip skipped" in record.message] == [
        "c-0000000-0000099"
    ]
    assert "train, 2 clips: motion correlates" in said
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert all(line["motion_loss"] is not None and line["bad_steps"] == 0 for line in lines)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.stepz=1", "the nearest known one is 'train.steps'"),
        ("sequences.min_frames=0", "'sequences.min_frames' is 0"),
        ("model.edit=true", "set model.target=landmarks"),
        ("learning_rate=0", "'learning_rate' is 0"),
        ("data.tiers=[vae]", "data.tiers"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_exit_code_2(
    setting: str, message: str, dataset: Path, vae_run: Path, tmp_path: Path
) -> None:
    code, said = _gaia_train("diffusion", dataset, "--vae", vae_run, "--out", tmp_path / "run", "--set", setting)
    assert code == 2
    assert message in said


def test_a_folder_that_is_no_run_of_a_vae_is_refused(dataset: Path, tmp_path: Path) -> None:
    code, said = _gaia_train("diffusion", dataset, "--vae", tmp_path / "no", "--out", tmp_path / "run")
    assert code == 2
    assert "gaia-train" in said
