"""Task of the loop for the VAE and its discriminator (GAIA section 4.2, equations 1 to 4).

Shapes: B pairs of frames, C channels, H rows, W columns.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from foundation.array_types import RgbImage
from foundation.errors import CannotStartError
from foundation.text import count_text
from manifests.record import read_dataset, write_dataset
from models.pixels import to_float
from models.vae.blocks import ResBlock
from models.vae.discriminator import Discriminator
from models.vae.landmark_image import LandmarkImageConfig, LandmarkRenderer
from models.vae.vae import Vae, VaeOutput
from models.weights import WeightFacts
from training.data.clips import DamageLog
from training.data.held_out import NothingHeldOutError, held_out
from training.data.identity import LearntData, data_of
from training.data.selection import ClipIndex, select_clips
from training.loop.loop import TrainError
from training.loop.task import Export, Step, Trainable
from training.schedules import constant
from training.vae.config import VaeTrainingConfig
from training.vae.loss import (
    DiscriminatorLosses,
    GeneratorLosses,
    collapsed_channels,
    discriminator_backward,
    generator_backward,
)
from training.vae.perceptual import perceptual_network
from training.vae.previews import VaePreviews
from training.vae.samples import FramePairs, VaeBatch, VaeSamples
from training.vae.validation import KeypointSource, VaeValidation

__all__ = ["VaeTask"]

_BETAS = (0.5, 0.9)
"""Betas of both Adam optimisers (Rombach et al., 2022)."""


class VaeTask:
    """Task of the loop that trains the VAE and its discriminator."""

    name = "vae"
    unit = "images"

    def __init__(self, dataset: Path, config: VaeTrainingConfig, keypoints: KeypointSource | None = None) -> None:
        """Select the clips and build the networks.

        Args:
            dataset: made by `gaia-curate`.
            config: all settings.
            keypoints: gives what finds the landmarks of rebuilt frames; None: validation measures no landmarks.

        Raises:
            DatasetError: `dataset` is none.
            SelectionError: no clip can be used, or they do not share one landmark scheme.
            AssetError: the weights of the perceptual network are missing or have another SHA-256.
        """
        self.config = config
        index = select_clips(dataset, config.data)
        pairs = FramePairs(
            index, image_px=config.model.image_px, seed=config.train.seed, held_out_share=config.held_out_share
        )
        self.source = VaeSamples(pairs, config.model, seed=config.train.seed)
        self.vae = Vae(config.model)
        _set_logvar(self.vae, config.initial_logvar)
        self.discriminator = Discriminator(config.discriminator)
        self.renderer = LandmarkRenderer(
            LandmarkImageConfig(scheme=index.landmark_scheme, image_px=config.model.image_px)
        )
        self._perceptual = perceptual_network(config.perceptual)
        self._previews = VaePreviews(pairs, self.renderer)
        self._damage = DamageLog(index)
        self._gan_steps = self._bad_factors = self._bad_in_a_row = 0
        self._notes: tuple[str, ...] = ()
        self._validation = None if config.train.validate_every is None else self._held_out(index, keypoints)

    def _held_out(self, learned: ClipIndex, keypoints: KeypointSource | None) -> VaeValidation | None:
        """Return the validation, and note what it leaves out; None where the dataset has nobody to validate on."""
        train = self.config.train
        try:
            held = held_out(learned, train.validation_split, count=train.validation_clips)
        except NothingHeldOutError as error:
            self._notes = (str(error),)
            return None
        self._notes, finder = held.notes, None
        if keypoints is not None:
            try:
                finder = keypoints(learned.dataset, learned.landmark_scheme)
            except CannotStartError as error:
                self._notes = (*held.notes, f"validation leaves out AKD: {error}")
        return VaeValidation(held, self.config, self.vae, self.renderer, self._perceptual, finder)

    def trainables(self) -> Mapping[str, Trainable]:
        """Return the VAE, and the discriminator, which has no gradient before `loss.gan_start_step`."""
        blocks = [module for module in self.vae.modules() if isinstance(module, ResBlock)]
        return {
            "vae": Trainable(network=self.vae, blocks=blocks, channels_last=True),
            "discriminator": Trainable(network=self.discriminator, blocks=[], channels_last=True),
        }

    def frozen(self) -> Sequence[nn.Module]:
        """Return the landmark renderer, and the perceptual network where there is one."""
        return [self.renderer, *([] if self._perceptual is None else [self._perceptual])]

    def optimisers(self) -> Sequence[torch.optim.Optimizer]:
        """Return one Adam for each network."""
        rate = self.learning_rate(0)
        return [
            torch.optim.Adam(network.parameters(), lr=rate, betas=_BETAS) for network in (self.vae, self.discriminator)
        ]

    def learning_rate(self, step: int) -> float:
        """Return the rate of a step, counted from 0."""
        rate = self.config.rate
        return constant(step, rate.of_batch(self.config.train.batch), warmup_steps=rate.warmup_steps)

    def backward(self, step: Step[VaeBatch]) -> Mapping[str, Tensor]:
        """Add the gradients of equations 3 and 4, means over all images of the step.

        The factor of the GAN loss is computed from the images of one pass, on all ranks together.

        Raises:
            DamagedDataError: too many clips are damaged.
            TrainError: the factor of the GAN loss was not finite in too many steps.
        """
        losses, share = self.config.loss, 1.0 / len(step.batches)
        metrics: dict[str, Tensor] = {}
        for batch in step.passes():
            self._damage.record(batch.pairs.damaged)
            target_BCHW = _channels_last(batch.pairs.image_j_BCHW)
            with step.autocast():
                output = self._reconstruction(batch, target_BCHW)
                vae_losses = generator_backward(
                    output,
                    target_BCHW,
                    self.vae.decoder.image,
                    self.discriminator,
                    losses,
                    step.number,
                    perceptual=self._perceptual,
                    share=share,
                    averaged=lambda tensor: step.ranks.sum(tensor) / step.ranks.size,
                )
                discriminator_losses = discriminator_backward(
                    target_BCHW, output.image_BCHW, self.discriminator, losses, step.number, share=share
                )
            for name, value in _metrics(output, vae_losses, discriminator_losses).items():
                metrics[name] = metrics.get(name, torch.zeros_like(value)) + share * value
        self._count_bad_factors(metrics)
        return metrics

    def _reconstruction(self, batch: VaeBatch, target_BCHW: Tensor) -> VaeOutput:
        """Return frames j from frames i and the landmarks of j; without disentanglement from frames j alone."""
        pairs = batch.pairs
        if self.config.model.disentangled:
            landmarks_BCHW = self.renderer(pairs.landmarks_BK2, pairs.valid_BK).to(memory_format=torch.channels_last)
            output: VaeOutput = self.vae(_channels_last(pairs.image_i_BCHW), landmarks_BCHW, batch.noise)
        else:
            output = self.vae(target_BCHW, None, batch.noise)
        return output

    def _count_bad_factors(self, metrics: Mapping[str, Tensor]) -> None:
        """Count the steps with a GAN whose factor was not finite, and end a run with too many of them."""
        if "bad_gan_factors" not in metrics:
            return
        bad, config = bool(metrics["bad_gan_factors"] > 0), self.config
        self._gan_steps += 1
        self._bad_factors += bad
        self._bad_in_a_row = self._bad_in_a_row + 1 if bad else 0
        many = self._bad_factors >= config.max_bad_factors
        if self._bad_in_a_row >= config.max_bad_factors:
            where = f"{count_text(self._bad_in_a_row, 'step')} in a row"
        elif many and self._bad_factors > config.train.max_bad_share * self._gan_steps:
            where = f"{self._bad_factors} of {count_text(self._gan_steps, 'step')}"
        else:
            return
        raise TrainError(
            f"the factor of the GAN loss was not finite in {where}: the gradients of the reconstruction or of the "
            "discriminator overflow; lower rate.base, set train.precision=fp32, or begin the GAN later with "
            "loss.gan_start_step, and go on with --accept-changes"
        )

    def caveats(self) -> Sequence[str]:
        """Return what a report of a finished run has to add: clips left out, and steps in which the GAN had no say."""
        left_out = self.source.pairs.index.left_out
        if not self._bad_factors:
            return left_out
        where = f"{self._bad_factors} of {count_text(self._gan_steps, 'step')} with a GAN"
        return [
            *left_out,
            f"the factor of the GAN loss was not finite in {where}; the discriminator had no say in them",
        ]

    def previews(self) -> Mapping[str, RgbImage]:
        """Return reconstructions, and swaps: the appearance of each clip with the motion of each other."""
        return self._previews.sheets(self.vae)

    def validation(self) -> VaeValidation | None:
        """Return how well frames of people are rebuilt that the VAE does not learn from."""
        return self._validation

    def notes(self) -> Sequence[str]:
        """Return why validation is left out, or which clips it leaves out."""
        return self._notes

    def export(self) -> Export:
        """Return the VAE; the discriminator is of use in training only."""
        facts = WeightFacts(landmark_scheme=self.source.pairs.index.landmark_scheme, speech_encoder=None)
        return Export(network="vae", config=self.config.model, facts=facts)

    def data_summary(self) -> str:
        """Return the amount of training data."""
        pairs = self.source.pairs
        held_out = int((pairs.index.n_frames - pairs.n_train_frames).sum())
        return (
            f"{count_text(len(pairs.index), 'clip')}, {pairs.index.hours:.2f} h, "
            f"{count_text(len(pairs), 'pair of frames', 'pairs of frames')} an epoch, {count_text(held_out, 'frame')} "
            f"held out, landmarks {pairs.index.landmark_scheme}"
            + "".join(f"; {sentence}" for sentence in pairs.index.left_out)
        )

    def data(self) -> LearntData:
        """Return the identity of the clips."""
        return data_of(self.source.pairs.index)

    def write_run_files(self, run: Path, *, accept_changes: bool) -> None:  # noqa: ARG002 - dataset.json may change
        """Write dataset.json, which records how faces are prepared for this network."""
        write_dataset(run, read_dataset(self.source.pairs.index.dataset))


def _set_logvar(vae: Vae, logvar: float) -> None:
    """Add to the log variances of all latents, in place."""
    for encoder in (vae.appearance_encoder, vae.motion_encoder):
        if encoder is not None and encoder.moments.bias is not None:
            with torch.no_grad():
                encoder.moments.bias.chunk(2)[1].add_(logvar)


def _channels_last(image_BCHW: Tensor) -> Tensor:
    """Return uint8 images as floats in -1 to 1, in the memory layout that convolutions are fastest with."""
    return to_float(image_BCHW).to(memory_format=torch.channels_last)


def _metrics(
    output: VaeOutput, vae_losses: GeneratorLosses, discriminator_losses: DiscriminatorLosses | None
) -> dict[str, Tensor]:
    """Return the metrics of a pass; those of the GAN only after its first step."""
    metrics = {
        "reconstruction": vae_losses.reconstruction,
        "perceptual": vae_losses.perceptual,
        "kl_appearance": vae_losses.kl_appearance,
        "kl_motion": vae_losses.kl_motion,
    }
    latents = {"appearance": output.appearance, **({} if output.motion is None else {"motion": output.motion})}
    for name, posterior in latents.items():
        metrics[f"latent_std/{name}"] = posterior.mean_BCHW.detach().std(dim=(0, 2, 3)).mean()
        for channel, nats in enumerate(posterior.nats_per_dimension_C().detach()):
            metrics[f"nats/{name}_{channel}"] = nats
        metrics[f"collapsed/{name}"] = collapsed_channels(posterior).sum().float()
    if discriminator_losses is not None:
        metrics |= {
            "gan": vae_losses.gan,
            "gan_factor": vae_losses.gan_factor,
            "bad_gan_factors": (~vae_losses.gan_factor_is_finite).float(),
            "discriminator": discriminator_losses.loss,
            "real_logit": discriminator_losses.real_logit,
            "fake_logit": discriminator_losses.fake_logit,
        }
    return metrics
