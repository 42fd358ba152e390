"""The motion model on real speech and landmarks: what it makes of a clip owes to the clip's own speech."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.motion.config import MOTION_DIFFUSION_SIZES
from models.run_folder import RunFolder
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, save_weights
from training.data.selection import DataConfig, select_clips
from training.diffusion.config import diffusion_config
from training.diffusion.report import motion_report
from training.diffusion.task import DiffusionTask
from training.latents.encode import write_latents
from training.loop.loop import train
from training.loop.parallel import Ranks
from training.loop.progress import TrainProgress

VAE = VaeConfig(width=4, n_layers=1, multipliers=(1, 1, 1, 1), groups=2, image_px=64)
"""Untrained: its latents of landmarks are a function of them all the same."""

CPU = Ranks(device=torch.device("cpu"))


@pytest.mark.slow
def test_with_the_speech_of_other_clips_the_motion_is_wrong_and_the_predicted_pose_beats_the_mean(
    curated_sample: Path, tmp_path: Path
) -> None:
    dataset = Path(shutil.copytree(curated_sample, tmp_path / "dataset"))
    torch.manual_seed(0)
    weights = tmp_path / "vae.safetensors"
    save_weights(weights, Vae(VAE), VAE, WeightFacts(landmark_scheme="mediapipe478", speech_encoder=None))
    every_split = DataConfig(tiers=("diffusion",), splits=("train", "val", "test"))
    write_latents(select_clips(dataset, every_split), weights, ranks=CPU, on_clip=lambda: None)
    tiny = diffusion_config("tiny")
    steps = replace(tiny.train, steps=160, pictures_every=1000, checkpoint_every=1000, tensorboard=False)
    config = replace(tiny, train=steps, model=replace(MOTION_DIFFUSION_SIZES["tiny"], width=64, layers=1))
    task = DiffusionTask(dataset, weights, config)
    run = RunFolder(tmp_path / "run")
    with TrainProgress(io.StringIO()) as progress:
        train(task, config.train, run, CPU, preset="recommended", settings={}, progress=progress)
    check = motion_report(task, run, CPU.device)["train"]
    assert check.n_clips > 4
    assert check.motion.drop > 0.2
    assert check.motion.own > 0.5
    assert check.pose_mse is not None
    assert check.mean_pose_mse is not None
    assert check.pose_mse < 0.7 * check.mean_pose_mse
