import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from models.motion.config import MOTION_DIFFUSION_SIZES
from models.motion.diffusion import MotionDiffusion
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, save_weights

VAE = VaeConfig(width=4, n_layers=1, multipliers=(1, 1, 1), groups=2, image_px=32)

SCHEME = "ibug68"


@pytest.fixture(scope="session")
def people(make_clips: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of five people: `anna` and `ben` in split train, the others in test; `dora` has two, `eve` no speech.

    Read it, never write to it.
    """
    test = {"split": "test"}
    return make_clips(
        tmp_path_factory.mktemp("people") / "dataset",
        {"video": "anna", "n_frames": 80},
        {"video": "ben", "n_frames": 80, "source": "two"},
        {"video": "carl", "n_frames": 130, "click": 10, **test},
        {"video": "dora", "n_frames": 80, **test},
        {"video": "dora", "first": 100, "n_frames": 90, **test},
        {"video": "eve", "n_frames": 60, "tier": "vae", "source": "two", **test},
    )


@pytest.fixture(scope="session")
def write_run(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a run with random weights: `write_run(["anna"], motion=True, test_sources=["two"])` learned from Anna."""

    def write(
        learned: Sequence[str] | None = ("anna", "ben"),
        *,
        motion: bool = False,
        test_sources: Sequence[str] = (),
        vae: VaeConfig = VAE,
        of_vae: Sequence[str] | None = None,
        sde: dict[str, float] | None = None,
        seed: int = 0,
    ) -> Path:
        run = tmp_path_factory.mktemp("run") / "tiny"
        torch.manual_seed(seed)
        network = Vae(vae)
        network.latent_statistics.measure(torch.randn(64, *vae.motion_shape))
        export = run / "step_00000007" / "export" / "ema.safetensors"
        vae_facts = WeightFacts(landmark_scheme=SCHEME, speech_encoder=None)
        save_weights(run / "vae.safetensors" if motion else export, network, vae, vae_facts)
        if motion:
            config = replace(MOTION_DIFFUSION_SIZES["tiny"], speech_dim=4, latent_shape=vae.motion_shape)
            diffusion = MotionDiffusion(config)
            torch.nn.init.normal_(diffusion.output.weight, std=0.1)  # zeros before training: no seed would show
            save_weights(export, diffusion, config, WeightFacts(landmark_scheme=SCHEME, speech_encoder="made"))
        (run / "latest").write_text("step_00000007\n")
        settings = {"data": {"test_sources": list(test_sources)}} | ({} if sde is None else {"sde": sde})
        record = {"format": "gaia-run-1", "task": "vae", "preset": "recommended", "software": "1"}
        history = [{"from": None, "changed": {}}]
        (run / "run.json").write_text(json.dumps({**record, "settings": settings, "history": history}))
        files = {"clips.jsonl": learned, "vae_clips.jsonl": of_vae}
        for name, videos in files.items():
            if videos is not None:
                (run / name).write_text("".join(f"{line}\n" for line in _lines(people, videos)))
        return run

    return write


def _lines(dataset: Path, videos: Sequence[str]) -> list[str]:
    return [
        json.dumps([row["clip_id"], row["n_frames"], row["mp4_size"]])
        for video in videos
        for row in pq.read_table(
            dataset / "clips" / f"{video}.parquet", columns=["clip_id", "n_frames", "mp4_size"]
        ).to_pylist()
    ]
