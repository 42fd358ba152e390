"""Settings of `gaia-train diffusion` (GAIA section 4.3 and appendix B.1)."""

from dataclasses import dataclass, field, replace
from typing import Literal

from foundation.settings import ConfigError
from models.motion.config import MOTION_DIFFUSION_SIZES, MotionDiffusionConfig
from models.sampling.sde import VpSde
from training.data.selection import DataConfig
from training.diffusion.loss import DiffusionLossConfig
from training.diffusion.sequences import SequenceConfig
from training.loop.config import TrainConfig

__all__ = ["DIFFUSION_TRAINING", "DiffusionConfig", "SizeName", "diffusion_config"]

SizeName = Literal["tiny", "small", "base", "large"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffusionConfig:
    """Everything that decides what a run of the motion diffusion model learns."""

    model: MotionDiffusionConfig
    """`speech_dim` and `latent_shape` follow from the dataset and the VAE, whatever stands here."""
    train: TrainConfig
    loss: DiffusionLossConfig = field(default_factory=DiffusionLossConfig)
    sde: VpSde = field(default_factory=VpSde)
    data: DataConfig = field(default_factory=lambda: DataConfig(tiers=("diffusion",)))
    sequences: SequenceConfig = field(default_factory=SequenceConfig)
    learning_rate: float = 1e-4
    """Highest one; it falls with the square root of the steps (B.1)."""
    warmup_steps: int = 8000
    """Steps until it falls. From public code of the authors' line."""
    warmup_rises: bool = True
    """Whether the rate rises over these steps; False: the first has the highest, which is B.1 to the letter."""
    check_clips: int = 16
    """Clips of split `train`, and as many of `val`, whose motion is sampled when the run ends, to tell what speech is
    worth. 0: none."""

    def __post_init__(self) -> None:
        if self.model.target == "landmarks" or self.model.condition == "text" or self.model.edit:
            raise ValueError(
                f"model.target is {self.model.target!r}, model.condition {self.model.condition!r} and model.edit "
                f"{self.model.edit}; latents are learned from speech: leave 'motion_latent' or give 'frame_latent', "
                "leave 'speech', and no edit"
            )
        if self.data.tiers != ("diffusion",):
            raise ValueError(f"data.tiers is {self.data.tiers}; clips of tier 'diffusion' alone have speech features")
        if not self.learning_rate > 0.0:
            raise ValueError(f"learning_rate is {self.learning_rate}; give one above 0, such as 1e-4")
        if self.warmup_steps < 1:
            raise ValueError(f"warmup_steps is {self.warmup_steps}; give 1 or more, such as 8000")
        if self.check_clips < 0:
            raise ValueError(f"check_clips is {self.check_clips}; give 0 or more, such as 16")


def _at_scale(model: MotionDiffusionConfig, loss: DiffusionLossConfig, *, rising: bool) -> DiffusionConfig:
    train = TrainConfig(steps=200_000, batch=512, micro_batch=32, ema_decay=0.9999, max_gradient_norm=1.0)
    return DiffusionConfig(model=model, train=train, loss=loss, warmup_rises=rising)


DIFFUSION_TRAINING: dict[str, tuple[DiffusionLossConfig, bool]] = {
    "recommended": (DiffusionLossConfig(), True),
    "paper": (DiffusionLossConfig(speech_dropout=0.0, reference_dropout=0.0), False),
}
"""By preset: conditions taken away, and whether the rate rises first. `recommended`: a sampler may be guided.
`paper`: as it stands in B.1, which takes nothing away. Batch, steps and the length of gradients are ours in both."""


def diffusion_config(size: SizeName, preset: str = "recommended") -> DiffusionConfig:
    """Return the settings of a size and preset.

    `tiny` is what two cores train in minutes, whatever the preset: clips from 3 s on, batches of 8, a rate that is as
    high as so small a network bears.

    Raises:
        ConfigError: there is no such size or preset.
    """
    if size not in MOTION_DIFFUSION_SIZES or preset not in DIFFUSION_TRAINING:
        raise ConfigError(
            f"size is {size!r} and preset {preset!r}; give a size of {', '.join(MOTION_DIFFUSION_SIZES)} and a preset "
            f"of {', '.join(DIFFUSION_TRAINING)}"
        )
    loss, rising = DIFFUSION_TRAINING[preset]
    config = _at_scale(MOTION_DIFFUSION_SIZES[size], loss, rising=rising)
    if size != "tiny":
        return config
    return replace(
        config,
        train=replace(
            config.train,
            steps=1500,
            batch=8,
            micro_batch=8,
            precision="fp32",
            ema_decay=0.99,
            workers=0,
            pictures_every=500,
            checkpoint_every=500,
        ),
        sequences=SequenceConfig(allow_short=True),
        learning_rate=1e-3,
        warmup_steps=100,
        warmup_rises=True,
    )
