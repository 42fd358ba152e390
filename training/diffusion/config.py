"""Settings of `gaia-train diffusion` (GAIA section 4.3 and appendix B.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from pydantic import Field

from foundation.settings import Section, SettingsError
from models.motion.config import MOTION_DIFFUSION_SIZES, MotionDiffusionConfig
from models.sampling.config import SdeConfig
from training.data.config import DataConfig
from training.loop.config import TrainConfig
from training.presets import PresetName, SizeName

__all__ = [
    "DIFFUSION_TRAINING",
    "DiffusionConfig",
    "DiffusionLossConfig",
    "SequenceConfig",
    "TextConfig",
    "diffusion_config",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffusionLossConfig(Section):
    """Share of the sequences that lack a condition in training, so that a sampler may be guided. Ours."""

    speech_dropout: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    """Share of the sequences without speech and pose, or without text. Ours."""
    reference_dropout: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    """Share of the sequences without the reference, drawn independently. Ours."""
    edit_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    """Share of the sequences whose points outside mouth and jaw are given, for a model built to edit. Ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SequenceConfig(Section):
    """Length of the sequences, frames of 25 a second."""

    min_frames: Annotated[int, Field(ge=1)] = 125
    """Shortest sequence, frames (appendix B.1)."""
    max_frames: Annotated[int, Field(ge=1)] = 250
    """Longest sequence, frames (appendix B.1)."""
    length_mode: Literal["per_sample", "per_batch"] = "per_sample"
    """Lengths within a batch. `per_sample`: each sequence has its own length. `per_batch`: one length for the whole
    batch, so that nothing is padded; a clip that is shorter is replaced by one that is not, drawn at random. Ours."""
    allow_short: bool = False
    """Whether clips shorter than `min_frames` are used, with lengths from `short_frames` to their own. Ours."""
    short_frames: Annotated[int, Field(ge=1)] = 75
    """Shortest sequence of such clips, frames. Ours."""

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if not self.short_frames <= self.min_frames <= self.max_frames:
            raise ValueError(
                f"short_frames {self.short_frames}, min_frames {self.min_frames} and max_frames {self.max_frames} do "
                "not rise; give such as 75, 125 and 250"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class TextConfig(Section):
    """Instructions, for a model that text drives (`model.condition=text`)."""

    encoder: str | None = None
    """Folder or name of the text encoder that `gaia-train texts` was given. null: the one whose states the dataset has.
    Ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffusionConfig(Section):
    """Everything that decides what a run of the motion diffusion model learns."""

    model: MotionDiffusionConfig
    """Size of the network. `speech_dim` and `latent_shape` are those of the dataset and the VAE, whatever stands here.
    With target `landmarks`, so is `landmark_scheme` where it is null, and `edit` is true where it is null.
    """
    train: TrainConfig
    """Training loop."""
    loss: DiffusionLossConfig = field(default_factory=DiffusionLossConfig)
    """Shares of sequences without a condition."""
    sde: SdeConfig = field(default_factory=SdeConfig)
    """Noise schedule."""
    data: DataConfig = field(default_factory=lambda: DataConfig(tiers=("diffusion",)))
    """Selection of clips, of tier `diffusion` alone."""
    text: TextConfig = field(default_factory=TextConfig)
    """Instructions in place of speech."""
    sequences: SequenceConfig = field(default_factory=SequenceConfig)
    """Length of the sequences."""
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-4
    """Highest learning rate; it falls with the square root of the steps (B.1)."""
    warmup_steps: Annotated[int, Field(ge=1)] = 8000
    """Steps until the rate falls. From public code of the authors' line."""
    warmup_rises: bool = True
    """Whether the rate rises over these steps; false: the first has the highest, which is B.1 to the letter. Ours."""
    check_clips: Annotated[int, Field(ge=0)] = 16
    """Clips of split `train`, and as many of `val`, whose motion is sampled when the run ends, to measure how much it
    follows speech. 0: none. Ours."""

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if self.model.condition == "text" and not 0.0 < self.loss.speech_dropout < 1.0:
            raise ValueError(
                f"loss.speech_dropout is {self.loss.speech_dropout:g}; text is followed by guidance, for which it is "
                "missing from some sequences: give a share such as 0.1"
            )
        if self.model.condition == "text" and self.model.target == "landmarks":
            raise ValueError(
                "model.condition is 'text' with model.target 'landmarks'; text drives latents: leave model.target"
            )
        if self.model.edit and self.model.target != "landmarks":
            raise ValueError(
                f"model.edit is true with model.target {self.model.target!r}; latents have no points that could be "
                "given: set model.target=landmarks, or leave model.edit"
            )
        if self.data.tiers != ("diffusion",):
            raise ValueError(f"data.tiers is {self.data.tiers}; clips of tier 'diffusion' alone have speech features")


def _at_scale(model: MotionDiffusionConfig, loss: DiffusionLossConfig, *, rising: bool) -> DiffusionConfig:
    train = TrainConfig(steps=200_000, batch=512, micro_batch=32, ema_decay=0.9999, max_gradient_norm=1.0)
    return DiffusionConfig(model=model, train=train, loss=loss, warmup_rises=rising)


DIFFUSION_TRAINING: Mapping[PresetName, tuple[DiffusionLossConfig, bool]] = {
    "recommended": (DiffusionLossConfig(), True),
    "paper": (DiffusionLossConfig(speech_dropout=0.0, reference_dropout=0.0), False),
}
"""By preset: dropout of conditions, and whether the rate rises first. `recommended`: a sampler may be guided.
`paper`: as in B.1, without dropout of conditions. Batch, steps and the length of gradients are ours in both."""


def diffusion_config(size: SizeName, preset: PresetName = "recommended") -> DiffusionConfig:
    """Return the settings of a size and preset.

    `tiny` is what two cores train in minutes, whatever the preset: clips from 3 s on, batches of 8, a rate that is as
    high as so small a network bears.

    Raises:
        SettingsError: there is no such size or preset.
    """
    if size not in MOTION_DIFFUSION_SIZES or preset not in DIFFUSION_TRAINING:
        raise SettingsError(
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
            validate_every=250,
        ),
        sequences=SequenceConfig(allow_short=True),
        learning_rate=1e-3,
        warmup_steps=100,
        warmup_rises=True,
    )
