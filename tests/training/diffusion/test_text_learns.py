"""A motion model that is shown movements which differ by their instruction alone makes the one that it is asked for."""

import pytest
import torch
from helpers.tiny_clip import write_tiny_clip
from torch import Tensor

from models.motion.config import MotionDiffusionConfig, PoseConfig
from models.motion.diffusion import MotionDiffusion
from models.motion.inputs import MotionInputs
from models.sampling.guidance import GUIDANCE
from models.sampling.sample_motion import MotionSampling, sample_motion
from models.sampling.samplers import SamplerConfig, SeededNoise
from models.sampling.sde import VpSde
from models.text_encoder import TextEncoder
from training.diffusion.config import DiffusionLossConfig
from training.diffusion.loss import diffusion_loss, draw

TEXTS = ("smile", "frown")
FRAMES, DIMS = 10, 12


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    encoder = TextEncoder(str(write_tiny_clip(tmp_path_factory.mktemp("models") / "tiny-clip")))
    return {text: torch.from_numpy(encoder(text)) for text in TEXTS}  # both have five letters


def asked(states: dict[str, Tensor], texts: list[str]) -> MotionInputs:
    text_BLG = torch.stack([states[text] for text in texts])
    return MotionInputs(
        mask_BT=torch.ones(len(texts), FRAMES, dtype=torch.bool),
        reference_BD=torch.zeros(len(texts), DIMS),
        text_BLG=text_BLG,
        text_mask_BL=torch.ones(text_BLG.shape[:2], dtype=torch.bool),
    )


def moved(texts: list[str]) -> Tensor:
    """(B, T, D): every number rises from 0 to 1 for the one text, and falls to -1 for the other."""
    signs_B = torch.tensor([1.0 if text == TEXTS[0] else -1.0 for text in texts])
    ramp_T = torch.linspace(0.0, 1.0, FRAMES)
    return (signs_B[:, None, None] * ramp_T[:, None]).expand(-1, -1, DIMS)


@pytest.mark.slow
def test_motion_goes_the_way_that_the_text_asks_for(states: dict[str, Tensor]) -> None:
    torch.manual_seed(0)
    config = MotionDiffusionConfig(
        width=64,
        layers=1,
        ffn_width=64,
        dropout=0.0,
        condition="text",
        latent_shape=(3, 2, 2),
        pose=PoseConfig(enabled=False),
    )
    model, sde, generator = MotionDiffusion(config), VpSde(), torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    texts = [*TEXTS] * 4
    for _ in range(150):
        draws = draw(moved(texts), DiffusionLossConfig(), sde, generator)
        loss = diffusion_loss(model, asked(states, texts), moved(texts), draws, sde).loss()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval()
    sampling = MotionSampling(solver=SamplerConfig(steps=8), guidance=GUIDANCE["text"])
    seeds = range(4)
    ends = {
        text: sample_motion(model, asked(states, [text] * 4), SeededNoise(seeds, torch.device("cpu")), sampling)
        for text in TEXTS
    }
    assert ends["smile"][:, -1].mean() > 0.5
    assert ends["frown"][:, -1].mean() < -0.5
