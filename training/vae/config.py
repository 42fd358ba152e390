"""Settings of `gaia-train vae` (GAIA section 4.2 and appendix B.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from foundation.settings import Section, SettingsError
from models.vae.config import DISCRIMINATORS, VAE_SIZES, DiscriminatorConfig, VaeConfig
from training.data.config import DataConfig
from training.loop.config import TrainConfig
from training.presets import PresetName, SizeName

__all__ = [
    "VAE_LOSSES",
    "VAE_TRAINING",
    "GanLoss",
    "PerceptualConfig",
    "VaeLossConfig",
    "VaeRate",
    "VaeTrainingConfig",
    "vae_config",
]

GanLoss = Literal["hinge", "logistic"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VaeLossConfig(Section):
    """Weights of the terms of equation 4."""

    perceptual_weight: Annotated[float, Field(ge=0.0)] = 1.0
    """Factor of the perceptual distance, added to the L1 distance of each value (Rombach et al., 2022)."""
    kl_weight: Annotated[float, Field(ge=0.0)] = 1e-6
    """Factor of L_kl, for z_a and z_m alike (Rombach et al., 2022)."""
    gan_loss: GanLoss = "hinge"
    """GAN loss. `hinge` is that of the previous works; `logistic` is equation 3 as it stands."""
    gan_weight: Annotated[float, Field(ge=0.0)] = 0.5
    """Length of the GAN loss's gradient at the last layer as a share of that of the reconstruction (Esser et al.,
    2021)."""
    gan_start_step: Annotated[int, Field(ge=0)] = 50_000
    """First step with a GAN loss, when the reconstruction is good; 0 if the VAE starts from trained weights (Rombach et
    al., 2022)."""

    def gan_is_on(self, step: int) -> bool:
        """Return whether step `step`, counted from 0, has a GAN loss."""
        return step >= self.gan_start_step


VAE_LOSSES: Mapping[PresetName, VaeLossConfig] = {
    "recommended": VaeLossConfig(),
    "paper": VaeLossConfig(gan_loss="logistic"),
}
"""By training preset: `recommended`, and `paper` with equation 3 to the letter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PerceptualConfig(Section):
    """Network of the perceptual distance."""

    network: Literal["lpips_vgg", "random_vgg", "none"] = "lpips_vgg"
    """Network. `lpips_vgg`: LPIPS, as the paper's previous works have it; needs the weights `vgg16` and `lpips_vgg`,
    which `gaia-curate models pull training` fetches. `random_vgg`: the same network with random weights, the same in
    all runs, which needs no file. `none`: L_rec is L1 alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VaeRate(Section):
    """Learning rate of VAE and discriminator."""

    base: Annotated[float, Field(gt=0.0)] = 4.5e-6
    """Learning rate of appendix B.1, "a constant learning rate"."""
    times_batch: bool = True
    """Whether `base` is multiplied by the batch, as the launcher of Rombach et al. (2022) does with the same number."""
    highest: Annotated[float, Field(gt=0.0)] = 3e-4
    """Limit of the product, at least `base`. Ours: that of 64 images, the batch of public code of the authors' line."""
    warmup_steps: Annotated[int, Field(ge=0)] = 1000
    """Steps over which the rate rises linearly. Ours."""

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if self.base > self.highest:
            raise ValueError(
                f"rate.base is {self.base} and rate.highest {self.highest}; give a rate above 0, such as 4.5e-6, and a "
                "limit that is not below it"
            )

    def of_batch(self, batch: int) -> float:
        """Return the rate after warming up, at `batch` images a step.

        >>> VaeRate().of_batch(64), VaeRate().of_batch(512), VaeRate(times_batch=False).of_batch(512)
        (0.000288, 0.0003, 4.5e-06)
        """
        return min(self.base * batch, self.highest) if self.times_batch else self.base


@dataclass(frozen=True, kw_only=True, slots=True)
class VaeTrainingConfig(Section):
    """Everything that decides what a run of the VAE learns."""

    model: VaeConfig
    """Size of the VAE."""
    train: TrainConfig
    """Training loop."""
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    """Size of the discriminator."""
    loss: VaeLossConfig = field(default_factory=VaeLossConfig)
    """Weights of the losses."""
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig)
    """Network of the perceptual distance."""
    data: DataConfig = field(default_factory=DataConfig)
    """Selection of clips."""
    rate: VaeRate = field(default_factory=VaeRate)
    """Learning rate of both networks."""
    initial_logvar: float = 0.0
    """Log variance of the latents of an encoder before training. Less is less noise, so that latents inform the decoder
    from the first steps on; training finds the final noise either way. Ours."""
    held_out_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of each clip, at its end, that is left out of training, to measure how well unseen frames of known people
    are reconstructed. Ours."""
    check_pairs: Annotated[int, Field(ge=0)] = 256
    """Pairs of frames of each kind that are reconstructed when the run ends, to measure how well. 0: none. Ours."""
    max_bad_factors: Annotated[int, Field(ge=1)] = 50
    """Consecutive steps in which the factor of the GAN loss is not finite after which the run ends; in each it is 0. As
    many that do not follow each other end it where they are more than `train.max_bad_share` of its steps. Ours."""


VAE_TRAINING: Mapping[PresetName, VaeRate] = {
    "recommended": VaeRate(),
    "paper": VaeRate(times_batch=False, warmup_steps=0),
}
"""By preset. `paper`: B.1 to the letter. The presets differ in `VAE_LOSSES` as well."""


def vae_config(size: SizeName, preset: PresetName = "recommended") -> VaeTrainingConfig:
    """Return the settings of a size and preset.

    `tiny` is what two cores train in minutes, whatever the preset: L1 and KL alone, the highest rate that so small a
    network bears, and the end of each clip held out.

    Raises:
        SettingsError: there is no such size or preset.
    """
    if size not in VAE_SIZES or preset not in VAE_TRAINING:
        raise SettingsError(
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
            validate_every=500,
            validation_clips=16,
        ),
        loss=loss,
        perceptual=PerceptualConfig(network="none"),
        rate=VaeRate(base=2e-3, times_batch=False, highest=2e-3, warmup_steps=100),
        initial_logvar=-8.0,
        held_out_share=0.1,
        check_pairs=64,
    )
