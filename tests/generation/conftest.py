"""Run folders with random weights: what comes out looks like nothing, but is made as with trained ones."""

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from helpers.made_videos import TalkingFace
from PIL import Image

from curation.media.encode import encode_flac
from curation.settings import CurationSettings
from models.motion.config import MOTION_DIFFUSION_SIZES
from models.motion.diffusion import MotionDiffusion
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, save_weights

SCHEME = "mediapipe478"
VAE = VaeConfig(width=8, n_layers=1, multipliers=(1, 1, 1, 1), groups=2, image_px=64)
SECONDS = Fraction(13, 10)
"""Of the speech: 32.5 frames, which is to the nearest even number."""


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Networks as small as those of the tests are faster on one thread, and two test processes share two cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def made_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a run folder: `made_run(motion=False)` one of the VAE alone, `pose=False` without head poses,
    `text=True` one that text drives, `speech_encoder=` another encoder's, `landmarks=True` of landmarks, `edit=False`
    with none of them given."""

    def make(
        *,
        motion: bool = True,
        pose: bool = True,
        text: bool = False,
        landmarks: bool = False,
        edit: bool = True,
        speech_encoder: str = "whisper-tiny.en",
        settings: CurationSettings | None = None,
    ) -> Path:
        run = tmp_path_factory.mktemp("run") / "tiny"
        torch.manual_seed(0)
        vae = Vae(VAE)
        vae.latent_statistics.measure(torch.randn(64, *VAE.motion_shape))
        export = run / "step_00000007" / "export" / "ema.safetensors"
        of_vae = WeightFacts(landmark_scheme=SCHEME, speech_encoder=None)
        save_weights(run / "vae.safetensors" if motion else export, vae, VAE, of_vae)
        if motion:
            config = replace(MOTION_DIFFUSION_SIZES["tiny"], speech_dim=384, latent_shape=VAE.motion_shape)
            config = replace(config, pose=replace(config.pose, enabled=pose and not text))
            if text:
                config = replace(config, condition="text")
            if landmarks:
                config = replace(config, target="landmarks", landmark_scheme=SCHEME, edit=edit)
            network = MotionDiffusion(config)
            if network.landmarks is not None:
                middle_D = torch.full((network.config.target_dims,), 0.5)
                network.landmarks.set(middle_D, torch.full_like(middle_D, 0.1))
            torch.nn.init.normal_(network.output.weight, std=0.1)  # zeros before training: no seed would show
            for block in network.blocks if text else ():
                torch.nn.init.normal_(block.attended.text.output.weight, std=0.1)  # nor would a text
            save_weights(
                export, network, network.config, WeightFacts(landmark_scheme=SCHEME, speech_encoder=speech_encoder)
            )
        (run / "latest").write_text("step_00000007\n")
        config = (settings or CurationSettings()).model_dump(mode="json")
        (run / "dataset.json").write_text(json.dumps({"schema_version": 1, "config": config}))
        return run

    return make


@pytest.fixture(scope="session")
def diffusion_run(made_run: Callable[..., Path]) -> Path:
    return made_run()


@pytest.fixture(scope="session")
def portrait(tmp_path_factory: pytest.TempPathFactory, talking_face: TalkingFace) -> Path:
    path = tmp_path_factory.mktemp("portrait") / "astronaut.png"
    Image.fromarray(talking_face.pictures[0]).save(path)
    return path


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory, talking_face: TalkingFace) -> Path:
    path = tmp_path_factory.mktemp("speech") / "speech.flac"
    path.write_bytes(encode_flac(talking_face.voice[: int(SECONDS * 48_000)], 48_000))
    return path
