"""The networks of a run come with what they were trained on."""

import json
from pathlib import Path

import pytest
import torch

from models.run_folder import RunFolder, RunFolderError
from models.run_networks import load_networks
from models.sampling.sde import VpSde
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, save_weights

SMALL = VaeConfig(width=4, n_layers=1, multipliers=(1, 1, 1), groups=2, image_px=32)


def run_of(folder: Path, sde: dict[str, float] | None) -> RunFolder:
    weights = folder / "step_00000001" / "export" / "ema.safetensors"
    save_weights(weights, Vae(SMALL), SMALL, WeightFacts(landmark_scheme="ibug68", speech_encoder=None))
    (folder / "latest").write_text("step_00000001\n")
    settings = {} if sde is None else {"sde": sde}
    record = {"format": "gaia-run-1", "task": "made", "preset": "recommended", "software": "1"}
    history = [{"from": None, "changed": {}}]
    (folder / "run.json").write_text(json.dumps({**record, "settings": settings, "history": history}))
    return RunFolder(folder)


def test_motion_is_sampled_on_the_noise_schedule_of_the_run(tmp_path: Path) -> None:
    schedule = {"beta_min": 0.05, "beta_max": 10.0, "train_t_min": 1e-4, "sample_t_min": 1e-2}
    assert load_networks(run_of(tmp_path / "own", schedule), "cpu").sde == VpSde(**schedule)
    assert load_networks(run_of(tmp_path / "vae", None), "cpu").sde == VpSde()


def test_an_impossible_noise_schedule_is_refused(tmp_path: Path) -> None:
    schedule = {"beta_min": -1.0, "beta_max": 10.0, "train_t_min": 1e-4, "sample_t_min": 1e-2}
    with pytest.raises(RunFolderError, match=r"beta_min.*use it with the version that trained it"):
        load_networks(run_of(tmp_path, schedule), torch.device("cpu"))
