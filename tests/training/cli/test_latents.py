from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.spoilt_clips import rewrite_array
from typer.testing import CliRunner, Result

from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, save_weights
from training.cli.app import app
from training.latents.files import fingerprint_of, latents_folder, read_facts

CONFIG = VaeConfig(width=4, n_layers=1, multipliers=(1, 1, 1), groups=2, image_px=64)


@pytest.fixture
def dataset(make_clips: Callable[..., Path], tmp_path: Path) -> Path:
    clips = ({"video": "a", "n_frames": 8}, {"video": "b", "n_frames": 6}, {"video": "c", "n_frames": 5})
    return make_clips(tmp_path / "dataset", *clips)


@pytest.fixture
def vae_run(tmp_path: Path) -> Path:
    """A run folder whose newest checkpoint has a VAE."""
    run = tmp_path / "vae"
    checkpoint = run / "step_00000007"
    torch.manual_seed(0)
    facts = WeightFacts(landmark_scheme="ibug68", speech_encoder=None)
    save_weights(checkpoint / "export" / "ema.safetensors", Vae(CONFIG), CONFIG, facts)
    (checkpoint / "state.json").write_text("{}")
    (run / "latest").write_text("step_00000007\n")
    return run


def _gaia_train(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _folder(dataset: Path, vae_run: Path) -> Path:
    return latents_folder(dataset, fingerprint_of(vae_run / "step_00000007" / "export" / "ema.safetensors"))


def test_the_newest_checkpoints_vae_encodes_the_dataset(dataset: Path, vae_run: Path) -> None:
    done = _gaia_train("latents", dataset, "--vae", vae_run, "--device", "cpu")
    assert done.exit_code == 0, done.output
    folder = _folder(dataset, vae_run)
    assert f"latents: {folder}\n3 clips, 19 frames\n" in done.output
    assert read_facts(folder).vae == CONFIG


def test_clips_can_be_chosen_by_sql(dataset: Path, vae_run: Path) -> None:
    done = _gaia_train("latents", dataset, "--vae", vae_run, "--where", "n_frames > 5", "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert "2 clips, 14 frames" in done.output


def test_damaged_clips_are_told_and_fail(dataset: Path, vae_run: Path) -> None:
    (dataset / "media" / "b.tar").write_bytes(b"no tar")
    for _ in range(2):  # encoded, and found encoded
        done = _gaia_train("latents", dataset, "--vae", vae_run, "--device", "cpu")
        assert done.exit_code == 1, done.output
        assert "2 clips, 13 frames" in done.output
        assert "damaged clips, without latents: 1; `gaia-curate validate" in done.output


@pytest.mark.parametrize("column", ["landmarks", "pose_deg"])
def test_clips_with_numbers_that_are_not_finite_are_told_by_name_and_have_no_latents(
    column: str, dataset: Path, vae_run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite_array(dataset, "b", 0, column, lambda array: array * np.nan)
    done = _gaia_train("latents", dataset, "--vae", vae_run, "--device", "cpu")
    assert done.exit_code == 1, done.output
    assert "damaged clips, without latents: 1; `gaia-curate validate" in done.output
    (told,) = [record.message for record in caplog.records if "skipped" in record.message]
    assert told.startswith("clip skipped: b-0000000-0000005: ")
    assert f"column {column} holds numbers that are not finite" in told
    facts = read_facts(_folder(dataset, vae_run))
    assert np.isfinite([*facts.latents.mean, *facts.pose_deg.mean]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere", "--vae", "RUN"), "is no dataset"),
        (("DATASET", "--vae", "nowhere"), "give a folder that `gaia-train` wrote with --out"),
        (("DATASET", "--vae", "RUN", "--where", "frames > 1"), "is no condition over clips"),
    ],
)
def test_what_cannot_be_used_ends_with_2(
    dataset: Path, vae_run: Path, arguments: tuple[str, ...], message: str
) -> None:
    given = [{"DATASET": dataset, "RUN": vae_run}.get(argument, argument) for argument in arguments]
    done = _gaia_train("latents", *given)
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert "Traceback" not in done.output


def test_a_gpu_that_is_not_there_ends_with_3(dataset: Path, vae_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    done = _gaia_train("latents", dataset, "--vae", vae_run, "--device", "cuda")
    assert done.exit_code == 3
    assert "has no GPU" in done.output
