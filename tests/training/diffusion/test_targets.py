"""Landmarks as the target: what the sequences hold, what the network is told of them, and what a run refuses."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from foundation.settings import SettingsError
from models.motion.config import MotionDiffusionConfig, PoseConfig
from models.motion.diffusion import MotionDiffusion
from models.motion.speech_encoder import SpeechEncoderConfig
from models.run_folder import RunFolder, RunFolderError
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, load_weights, save_weights
from training.data.clips import ClipReader
from training.data.selection import DataConfig, select_clips
from training.diffusion.config import DiffusionConfig
from training.diffusion.sequences import Excerpt, SequenceConfig
from training.diffusion.task import DiffusionTask
from training.latents.encode import write_latents
from training.loop.config import TrainConfig
from training.loop.loop import train
from training.loop.parallel import Ranks
from training.loop.progress import TrainProgress

VAE = VaeConfig(width=4, n_layers=1, multipliers=(1, 1, 1, 1), groups=2, image_px=64)
LANDMARKS = MotionDiffusionConfig(
    target="landmarks",
    width=64,
    layers=1,
    ffn_width=64,
    dropout=0.0,
    speech_encoder=SpeechEncoderConfig(width=64, layers=1, ffn_width=64),
    pose=PoseConfig(width=16),
)
CONFIG = DiffusionConfig(
    model=LANDMARKS,
    train=TrainConfig(steps=10, batch=2, micro_batch=2, seed=5, validate_every=None),
    sequences=SequenceConfig(allow_short=True),
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A dataset of clips of 80 and 90 frames with latents, and the VAE."""
    folder = tmp_path_factory.mktemp("data")
    dataset = make_clips(folder / "dataset", {"video": "a", "n_frames": 80}, {"video": "b", "n_frames": 90})
    torch.manual_seed(0)
    vae = folder / "vae.safetensors"
    save_weights(vae, Vae(VAE), VAE, WeightFacts(landmark_scheme="ibug68", speech_encoder=None))
    write_latents(
        select_clips(dataset, DataConfig(tiers=("diffusion",))), vae, ranks=Ranks(device=CPU), on_clip=lambda: None
    )
    return dataset, vae


def _train(task: DiffusionTask, run: Path, steps: int = 1, *, accept_changes: bool = False) -> None:
    config = replace(CONFIG.train, steps=steps, workers=0, tensorboard=False, precision="fp32")
    with TrainProgress(io.StringIO()) as progress:
        train(
            task,
            config,
            RunFolder(run),
            Ranks(device=CPU),
            preset="recommended",
            settings={"model": {"target": task.config.model.target}},
            progress=progress,
            accept_changes=accept_changes,
        )


def test_the_target_is_each_coordinate_in_deviations_from_its_mean(data: tuple[Path, Path]) -> None:
    task = DiffusionTask(*data, CONFIG)
    sequence = task.source.sequences.sequence(Excerpt(clip=1, start=5, n_frames=75, reference=2))
    reader = ClipReader(task.source.sequences.index)
    both_px = [reader.array(clip, "landmarks") for clip in (0, 1)]
    # 25 frames of each clip are looked at, evenly spread
    looked_at = np.concatenate([px[np.linspace(0, len(px) - 1, 25).round().astype(int)] for px in both_px])
    clip_px = reader.index.clip_px
    mean_px, std_px = looked_at.mean(axis=0), np.maximum(looked_at.std(axis=0), 0.001 * clip_px)
    expected = (both_px[1] - mean_px) / std_px
    assert sequence.target_TD.numpy() == pytest.approx(expected[5:80].reshape(75, 136), abs=1e-3)
    assert sequence.reference_D.numpy() == pytest.approx(expected[2].reshape(136), abs=1e-3)
    assert task.model.landmarks is not None
    restored_px = task.model.landmarks.restore(sequence.target_TD, 64)
    assert restored_px.numpy() == pytest.approx(both_px[1][5:80] * 64 / clip_px, abs=1e-3)


def test_the_network_is_built_for_the_datasets_points_and_to_be_given_some(data: tuple[Path, Path]) -> None:
    model = DiffusionTask(*data, CONFIG).config.model
    assert (model.landmark_scheme, model.edit, model.target_dims) == ("ibug68", True, 136)
    task = DiffusionTask(*data, replace(CONFIG, model=replace(LANDMARKS, edit=False)))
    assert task.config.model.edit is False
    assert "landmarks ibug68 of 136 numbers" in task.data_summary()
    with pytest.raises(SettingsError, match="'mediapipe478', but the clips have landmarks 'ibug68'"):
        DiffusionTask(*data, replace(CONFIG, model=replace(LANDMARKS, landmark_scheme="mediapipe478")))


def test_a_run_names_its_target_and_goes_on_with_no_other(data: tuple[Path, Path], tmp_path: Path) -> None:
    task = DiffusionTask(*data, CONFIG)
    _train(task, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    trained = load_weights(run.weights(), MotionDiffusion, MotionDiffusionConfig, task.export().facts)
    assert trained.config == task.config.model
    assert trained.landmarks is not None
    assert task.landmarks is not None
    assert torch.equal(trained.landmarks.mean_D, task.landmarks.mean_D)
    _train(DiffusionTask(*data, CONFIG), run.path, 2)
    assert run.newest() is not None
    other = replace(CONFIG, model=replace(LANDMARKS, target="motion_latent"))
    with pytest.raises(RunFolderError, match=r"model\.target"):
        _train(DiffusionTask(*data, other), run.path, 3)
    with pytest.raises(SettingsError, match=r"was trained on landmarks, but model\.target is 'motion_latent'"):
        _train(DiffusionTask(*data, other), run.path, 3, accept_changes=True)
    moved = DiffusionTask(*data, CONFIG)
    assert moved.model.landmarks is not None
    moved.model.landmarks.mean_D += 0.1
    with pytest.raises(SettingsError, match="other means or deviations"):
        _train(moved, run.path, 3)


def test_previews_draw_the_landmarks_for_the_vae(data: tuple[Path, Path]) -> None:
    task = DiffusionTask(*data, CONFIG)
    task.model.eval()
    sheet = task.previews()["speech"]
    assert sheet.shape == (3 * 64, 8 * 64, 3)
