"""Settings of `gaia-train vae` (GAIA section 4.2 and appendix B.1)."""

from dataclasses import dataclass, field
from typing import Literal

from foundation.settings import ConfigError
from models.vae.discriminator import DISCRIMINATORS, DiscriminatorConfig
from models.vae.vae import VAE_SIZES, VaeConfig
from training.data.selection import DataConfig
from training.loop.config import TrainConfig
from training.vae.loss import VAE_LOSSES, VaeLossConfig
from training.vae.perceptual import PerceptualConfig

__all__ = ["VAE_TRAINING", "VaeRate", "VaeSizeName", "VaeTrainingConfig", "vae_config"]

VaeSizeName = Literal["tiny", "small", "base", "large"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VaeRate:
    """How fast VAE and discriminator learn."""

    base: float = 4.5e-6
    """Of appendix B.1, "a constant learning rate"."""
    times_batch: bool = True
    """Multiply `base` by the batch, as the launcher of Rombach et al. (2022) does with the same number."""
    highest: float = 3e-4
    """Limit of the product. Ours: that of 64 pictures, the batch of public code of the authors' line."""
    warmup_steps: int = 1000
    """Steps over which it rises on a line. Ours."""

    def __post_init__(self) -> None:
        if not 0.0 < self.base <= self.highest:
            raise ValueError(
                f"rate.base is {self.base} and rate.highest {self.highest}; give a rate above 0, such as 4.5e-6, and a "
                "limit that is not below it"
            )
        if self.warmup_steps < 0:
            raise ValueError(f"rate.warmup_steps is {self.warmup_steps}; give 0 or more, such as 1000")

    def of_batch(self, batch: int) -> float:
        """Return the rate after warming up, at `batch` pictures a step.

        >>> VaeRate().of_batch(64), VaeRate().of_batch(512), VaeRate(times_batch=False).of_batch(512)
        (0.000288, 0.0003, 4.5e-06)
        """
        return min(self.base * batch, self.highest) if self.times_batch else self.base


@dataclass(frozen=True, kw_only=True, slots=True)
class VaeTrainingConfig:
    """Everything that decides what a run of the VAE learns."""

    model: VaeConfig
    train: TrainConfig
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    loss: VaeLossConfig = field(default_factory=VaeLossConfig)
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig)
    data: DataConfig = field(default_factory=DataConfig)
    rate: VaeRate = field(default_factory=VaeRate)
    initial_logvar: float = 0.0
    """Log variance of the latents of an encoder that has learned nothing. Less is less noise, so that the decoder sees
    from the first steps on what is in the latents; the noise it is to bear is learned either way."""
    held_out_share: float = 0.0
    """Share of each clip, at its end, that is not learned, to measure how well unseen frames of known people are
    rebuilt."""
    check_pairs: int = 256
    """Pairs of frames of each kind that are rebuilt when the run ends, to tell how well. 0: none."""
    max_bad_factors: int = 50
    """So many steps in a row in which the factor of the GAN loss is not finite end the run; it is 0 in each."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.held_out_share < 1.0:
            raise ValueError(f"held_out_share is {self.held_out_share}; give a share from 0 to below 1, such as 0.1")
        if self.check_pairs < 0:
            raise ValueError(f"check_pairs is {self.check_pairs}; give 0 or more, such as 256")
        if self.max_bad_factors < 1:
            raise ValueError(f"max_bad_factors is {self.max_bad_factors}; give 1 or more, such as 50")


VAE_TRAINING: dict[str, VaeRate] = {
    "recommended": VaeRate(),
    "paper": VaeRate(times_batch=False, warmup_steps=0),
}
"""By preset. `paper`: B.1 to the letter. What the two differ in besides is in `training.vae.loss.VAE_LOSSES`."""


def vae_config(size: VaeSizeName, preset: str = "recommended") -> VaeTrainingConfig:
    """Return the settings of a size and preset.

    `tiny` is what two cores train in minutes, whatever the preset: L1 and KL alone, the highest rate that so small a
    network bears, and the end of each clip held out.

    Raises:
        ConfigError: there is no such size or preset.
    """
    if size not in VAE_SIZES or preset not in VAE_TRAINING:
        raise ConfigError(
            f"size is {size!r} and preset {preset!r}; give a size of {', '.join(VAE_SIZES)} and a preset of "
            f"{', '.join(VAE_TRAINING)}"
        )
    if size == "tiny":
        return _tiny(VAE_LOSSES[preset])
    return VaeTrainingConfig(
        model=VAE_SIZES[size],
        discriminator=DISCRIMINATORS["patch"],
        train=TrainConfig(steps=300_000, batch=64, micro_batch=8, ema_decay=0.9999),
        loss=VAE_LOSSES[preset],
        rate=VAE_TRAINING[preset],
    )


def _tiny(loss: VaeLossConfig) -> VaeTrainingConfig:
    return VaeTrainingConfig(
        model=VAE_SIZES["tiny"],
        discriminator=DISCRIMINATORS["tiny"],
        train=TrainConfig(
            steps=5000,
            batch=4,
            micro_batch=4,
            precision="fp32",
            ema_decay=0.999,
            workers=0,
            log_every=100,
            pictures_every=1000,
            checkpoint_every=1000,
        ),
        loss=loss,
        perceptual=PerceptualConfig(network="none"),
        rate=VaeRate(base=2e-3, times_batch=False, highest=2e-3, warmup_steps=100),
        initial_logvar=-8.0,
        held_out_share=0.1,
        check_pairs=64,
    )
