import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.pickled_checkpoints import make_pickled
from typer.testing import CliRunner

from models.weights import WeightFacts, read_facts
from training.cli.app import app

SMALL = (
    *("model.width=4", "model.multipliers=[1, 1, 1]", "model.groups=2", "model.image_px=32"),
    *("train.batch=4", "train.micro_batch=2", "check_pairs=4"),
)


@pytest.fixture(scope="module")
def dataset(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    clips = [{"video": name, "n_frames": n} for name, n in (("a", 80), ("b", 90))]
    return make_clips(tmp_path_factory.mktemp("data") / "dataset", *clips)


def _gaia_train(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return done.exit_code, done.output


def _set(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


@pytest.mark.slow
def test_a_run_goes_on_and_says_how_well_frames_are_rebuilt(dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = ["vae", dataset, "--out", run, "--size", "tiny", "--device", "cpu", *_set(*SMALL)]
    code, said = _gaia_train(*command, *_set("train.steps=2"))
    assert code == 0, said
    assert f"{run}: 2 of 2 steps are done" in said
    assert "unseen frames of learned clips, 4 pairs: rebuilt at" in said
    code, said = _gaia_train(*command, *_set("train.steps=3"))
    assert code == 0, said
    measured = json.loads((run / "reconstruction_check.json").read_text())
    assert measured["checkpoint"] == "step_00000003"
    assert set(measured["unseen"]) == {"pairs", "psnr_db", "copy_psnr_db", "gain_db"}
    weights = run / "step_00000003" / "export" / "ema.safetensors"
    assert read_facts(weights) == WeightFacts(landmark_scheme="ibug68", speech_encoder=None)
    assert (run / "dataset.json").is_file()
    assert (run / "contact_sheet.png").is_file()
    assert {path.parent.name for path in run.glob("pictures/*/*.png")} == {"reconstructions", "swaps"}
    record = json.loads((run / "run.json").read_text())
    assert (record["task"], record["preset"]) == ("vae", "recommended")
    code, said = _gaia_train("latents", dataset, "--vae", run, "--device", "cpu")
    assert code == 0, said


@pytest.mark.slow
def test_a_dry_run_says_what_it_would_take_and_writes_nothing(dataset: Path, tmp_path: Path) -> None:
    command = ["vae", dataset, "--out", tmp_path / "run", "--size", "tiny", "--device", "cpu", *_set(*SMALL)]
    code, said = _gaia_train(*command, "--dry-run")
    assert code == 0, said
    assert "2 clips" in said
    assert not (tmp_path / "run").exists()


def test_lpips_without_its_weights_ends_with_3_and_says_how_to_go_on(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAIA_MODELS", str(tmp_path))
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path))
    small = _set(*SMALL, "perceptual.network=lpips_vgg")
    code, said = _gaia_train("vae", dataset, "--out", tmp_path / "run", "--size", "tiny", *small)
    assert code == 3
    assert "file: vgg16-397923af.pth" in said
    assert "--set perceptual.network=random_vgg, or none" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.stepz=1", "the nearest known one is 'train.steps'"),
        ("perceptual.network=alex", "perceptual.network"),
        ("held_out_share=1", "'held_out_share' is 1"),
        ("rate.base=0", "'rate.base' is 0"),
        ("model.groups=3", "groups is 3"),
        ("data.where=n_frames > 1000", "n_frames > 1000"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_exit_code_2(
    setting: str, message: str, dataset: Path, tmp_path: Path
) -> None:
    code, said = _gaia_train("vae", dataset, "--out", tmp_path / "run", "--size", "tiny", "--set", setting)
    assert code == 2
    assert message in said
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_is_not_resumed_from_a_pickle_or_on_other_clips_unless_that_is_asked_for(
    dataset: Path, make_clips: Callable[..., Path], tmp_path: Path
) -> None:
    run = tmp_path / "run"

    def resumed(data: Path, steps: int, *more: str) -> tuple[int, str]:
        command = ["vae", data, "--out", run, "--size", "tiny", "--device", "cpu", *more]
        code, said = _gaia_train(*command, *_set(*SMALL, f"train.steps={steps}"))
        return code, " ".join(said.split())

    assert resumed(dataset, 1)[0] == 0
    make_pickled(run)
    code, said = resumed(dataset, 2)
    assert code == 2
    assert "contain a pickle; give --allow-pickled-checkpoint" in said
    code, said = resumed(dataset, 2, "--allow-pickled-checkpoint")
    assert code == 0, said
    clips = [{"video": name, "n_frames": n} for name, n in (("a", 80), ("b", 90), ("c", 70))]
    grown = make_clips(tmp_path / "grown", *clips)
    code, said = resumed(grown, 3)
    assert code == 2
    assert "data.clips is 3, was 2 (1 came, 0 went, 0 have other content)" in said
    moved = shutil.copytree(dataset, tmp_path / "moved")
    assert resumed(moved, 3)[0] == 0
    code, said = resumed(grown, 4, "--accept-changes")
    assert code == 0, said
    assert f"{run}: 4 of 4 steps are done" in said
