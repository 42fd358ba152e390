"""Task of the loop for the motion diffusion model: S, A and P on latents of a VAE, or on landmarks (GAIA section 4.3).

Shapes: B sequences, T frames, D numbers of a latent, P = 3 angles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from foundation.array_types import RgbImage
from foundation.settings import SettingsError
from foundation.storage.atomic import write_bytes_atomic
from foundation.text import count_text
from manifests.record import read_dataset, write_dataset
from models.motion.config import MotionDiffusionConfig
from models.motion.diffusion import MotionDiffusion
from models.motion.pose_predictor import POSE_ANGLES
from models.run_folder import RunFolder
from models.sampling.sde import VpSde
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, load_weights, save_weights
from training.data.clips import DamageLog
from training.data.held_out import NothingHeldOutError, held_out
from training.data.identity import LearntData, data_of
from training.data.selection import ClipIndex, select_clips
from training.diffusion.config import DiffusionConfig
from training.diffusion.loss import diffusion_loss
from training.diffusion.previews import MotionPreviews
from training.diffusion.same_target import require_same_encoder, require_same_target
from training.diffusion.samples import DiffusionBatch, DiffusionSamples
from training.diffusion.sequences import MotionSequences
from training.diffusion.targets import measured_standard
from training.diffusion.validation import MotionValidation
from training.latents.files import LatentsError, fingerprint_of, latents_folder
from training.latents.text_states import read_text_states
from training.loop.task import Export, Step, Trainable
from training.schedules import inverse_square_root

__all__ = ["DiffusionTask"]

_LEAST_POSE_STD_DEG = 0.01
"""Lower bound of the standard deviation of an angle, which hardly varies in a few clips of one person."""


class DiffusionTask:
    """Task of the loop that trains the motion diffusion model."""

    name = "diffusion"
    unit = "sequences"

    def __init__(
        self, dataset: Path, vae_weights: Path, config: DiffusionConfig, *, vae_clips: Path | None = None
    ) -> None:
        """Select the clips, read their latents and build the network.

        Args:
            dataset: with latents of the VAE.
            vae_weights: file of the VAE.
            config: all settings.
            vae_clips: `clips.jsonl` of the run of the VAE, which may not be there; None: it is not known what the VAE
                learned from.

        Raises:
            DatasetError: `dataset` is none.
            SelectionError: no clip can be used, or they do not share one landmark scheme and speech encoder.
            LatentsError: the latents are missing; the message has the command that makes them.
            TextStatesError: the states of instructions are, likewise.
            WeightsError: the VAE was trained on another landmark scheme, or its file is damaged.
            SettingsError: the VAE has no latents for the target of the model.
        """
        self._states = None
        if config.model.condition == "text":
            config = replace(config, data=replace(config.data, with_instruction=True))
            self._states = read_text_states(dataset, config.text.encoder)
        index = select_clips(dataset, config.data)
        vae_facts = WeightFacts(landmark_scheme=index.landmark_scheme, speech_encoder=None)
        self.vae = load_weights(vae_weights, Vae, VaeConfig, vae_facts)
        self._vae_clips = vae_clips
        fingerprint = fingerprint_of(vae_weights)
        self.latents = latents_folder(dataset, fingerprint)
        self.landmarks = measured_standard(index) if config.model.target == "landmarks" else None
        """How landmarks are standardised; None: latents are the target."""
        sequences = self._sequences_of(index, config)
        if (sequences.facts.vae_sha256, sequences.facts.vae) != (fingerprint, self.vae.config):
            raise LatentsError(f"{self.latents} names another VAE than {vae_weights}; run `gaia-train latents` again")
        self.vae.latent_statistics.load_state_dict(sequences.facts.statistics().state_dict())
        self.config = replace(config, model=_model_config(config.model, sequences))
        self.sde = VpSde(**asdict(config.sde))
        self.source = DiffusionSamples(sequences, config.loss, self.sde, seed=config.train.seed)
        self.model = MotionDiffusion(self.config.model)
        if self.config.model.pose.enabled:
            pose = sequences.facts.pose_deg
            self.model.set_pose_statistics(
                torch.tensor(pose.mean), torch.tensor(pose.std).clamp_min(_LEAST_POSE_STD_DEG)
            )
        if self.model.landmarks is not None and self.landmarks is not None:
            self.model.landmarks.load_state_dict(self.landmarks.state_dict())
        self._previews = MotionPreviews(index, sequences, self.vae, self.sde, self.landmarks)
        self._damage = DamageLog(index)
        self._notes: tuple[str, ...] = ()
        self._validation: MotionValidation | None = None
        if config.train.validate_every is not None:
            try:
                self._validation = self._held_out(sequences)
            except NothingHeldOutError as error:
                self._notes = (str(error),)
            except LatentsError as error:
                self._notes = (f"nothing is validated: {error}",)

    def _sequences_of(self, index: ClipIndex, config: DiffusionConfig) -> MotionSequences:
        seed, landmarks, states = config.train.seed, self.landmarks, self._states
        return MotionSequences(index, self.latents, config.sequences, seed=seed, landmarks=landmarks, states=states)

    def _held_out(self, learned: MotionSequences) -> MotionValidation:
        """Return the validation.

        Raises:
            NothingHeldOutError: fewer than two clips can be measured.
            LatentsError: they have no latents.
        """
        config, split = self.config, self.config.train.validation_split
        least = config.sequences.short_frames if config.sequences.allow_short else config.sequences.min_frames
        held = held_out(learned.index, split, count=config.train.validation_clips, min_frames=least)
        if len(held.clips) < 2:
            raise NothingHeldOutError(
                f"nothing is validated: split {split!r} has one clip of a person that the run does not learn from, and "
                "its speech is exchanged for that of another one; train.validation_split names another split"
            )
        sequences = self._sequences_of(held.index, config)
        if (sequences.speech_encoder, sequences.speech_dim) != (learned.speech_encoder, learned.speech_dim):
            raise NothingHeldOutError(
                f"nothing is validated: clips of split {split!r} have speech features of {sequences.speech_encoder!r} "
                f"with {sequences.speech_dim} numbers, and the run learns from {learned.speech_dim} of "
                f"{learned.speech_encoder!r}; train.validation_split names another split"
            )
        self._notes = held.notes
        return MotionValidation(held, sequences, config, self.model, self.sde)

    def trainables(self) -> Mapping[str, Trainable]:
        """Return the network, which contains A and P."""
        encoder = self.model.speech
        blocks: Sequence[nn.Module] = [*self.model.blocks, *(encoder.blocks if encoder is not None else ())]
        return {"model": Trainable(network=self.model, blocks=blocks, methods=("encode", "denoise", "drop"))}

    def frozen(self) -> Sequence[nn.Module]:
        """Return the VAE, which decodes the previews."""
        return [self.vae]

    def optimisers(self) -> Sequence[torch.optim.Optimizer]:
        """Return Adam, as B.1 says; its second beta is from public code of the authors' line."""
        return [torch.optim.Adam(self.model.parameters(), lr=self.learning_rate(0), betas=(0.9, 0.98))]

    def learning_rate(self, step: int) -> float:
        """Return the rate of a step, counted from 0."""
        config = self.config
        return inverse_square_root(step, config.learning_rate, config.warmup_steps, rising=config.warmup_rises)

    def backward(self, step: Step[DiffusionBatch]) -> Mapping[str, Tensor]:
        """Add the gradients of equation 8, a mean over all frames of the step that are not padding."""
        n_frames = step.ranks.sum(torch.stack([batch.inputs.mask_BT.sum() for batch in step.batches]).sum())
        per_motion = step.ranks.size / (float(n_frames) * self.config.model.target_dims)
        per_pose = step.ranks.size / (float(n_frames) * POSE_ANGLES)
        motion = pose = torch.zeros((), device=step.ranks.device)
        for batch in step.passes():
            self._damage.record(batch.damaged)
            with step.autocast():
                sums = diffusion_loss(self.model, batch.inputs, batch.target_BTD, batch.draws, self.sde)
            torch.autograd.backward(per_motion * sums.motion + per_pose * sums.pose)
            motion = motion + per_motion * sums.motion.detach()
            pose = pose + per_pose * sums.pose.detach()
        return {"motion_loss": motion, "pose_loss": pose}

    def caveats(self) -> Sequence[str]:
        """Return what a report of a finished run has to add: clips that were left out."""
        return self.source.sequences.index.left_out

    def previews(self) -> Mapping[str, RgbImage]:
        """Return a clip with its true motion, and with motion from its own and another clip's speech or text."""
        return {self.config.model.condition: self._previews.sheet(self.model)}

    def validation(self) -> MotionValidation | None:
        """Return the error of the motion of people that the network does not learn from, with two speeches."""
        return self._validation

    def notes(self) -> Sequence[str]:
        """Return why validation is left out, or which clips it leaves out."""
        return self._notes

    def export(self) -> Export:
        """Return S with A and P."""
        sequences = self.source.sequences
        facts = WeightFacts(landmark_scheme=sequences.index.landmark_scheme, speech_encoder=sequences.speech_encoder)
        return Export(network="model", config=self.config.model, facts=facts)

    def data_summary(self) -> str:
        """Return the amount of training data."""
        sequences, model = self.source.sequences, self.config.model
        index = sequences.index
        return (
            f"{count_text(len(index), 'clip')}, {index.hours:.2f} h, {count_text(len(sequences), 'sequence')} an "
            f"epoch, {model.condition} by {sequences.speech_encoder}, {self._target_text()}"
            + "".join(f"; {sentence}" for sentence in index.left_out)
        )

    def _target_text(self) -> str:
        model = self.config.model
        if model.landmark_scheme is None:
            return f"latents of {model.target_dims} numbers"
        given = ", those outside mouth and jaw sometimes given" if model.edit else ""
        return f"landmarks {model.landmark_scheme} of {model.target_dims} numbers{given}"

    def data(self) -> LearntData:
        """Return the identity of the clips and of their latents."""
        sequences = self.source.sequences
        return data_of(sequences.index, latents_sha256=sequences.sha256())

    def write_run_files(self, run: Path, *, accept_changes: bool) -> None:
        """Write the VAE, its clips, and dataset.json, which records how faces and speech are prepared for this network.

        Raises:
            SettingsError: the run was begun with another VAE or target, or on speech features of another encoder; or on
                latents with other statistics, and `accept_changes` is false.
        """
        require_same_encoder(RunFolder(run), self.source.sequences.speech_encoder, self.config.model.condition)
        require_same_target(RunFolder(run), self.model)
        vae_facts = WeightFacts(landmark_scheme=self.export().facts.landmark_scheme, speech_encoder=None)
        folder = RunFolder(run)
        other: set[str] = set()
        if folder.holds(folder.vae):
            before = load_weights(folder.vae, Vae, VaeConfig, vae_facts).state_dict()
            ours = self.vae.state_dict()
            other = {name for name in {*before, *ours} if not _same(before.get(name), ours.get(name))}
            if not all(name.startswith("latent_statistics.") for name in other):
                raise SettingsError(f"{run} was begun on latents of another VAE; name that one, or another run folder")
            if other and not accept_changes:
                raise SettingsError(
                    f"{run} was begun on latents with other statistics, for other clips have latents now; name another "
                    "run folder, or go on with --accept-changes"
                )
        if other or not folder.holds(folder.vae):
            save_weights(folder.vae, self.vae, self.vae.config, vae_facts)
        if self._vae_clips is not None and self._vae_clips.is_file():
            write_bytes_atomic(folder.vae_clips, self._vae_clips.read_bytes())
        write_dataset(run, read_dataset(self.source.sequences.index.dataset))


def _same(before: Tensor | None, now: Tensor | None) -> bool:
    return before is not None and now is not None and torch.equal(before, now.cpu())


def _model_config(model: MotionDiffusionConfig, sequences: MotionSequences) -> MotionDiffusionConfig:
    """Return the config of the network, completed from the data.

    Raises:
        SettingsError: the target of the model does not suit the VAE.
        DamagedDataError: no clip has speech features that can be read.
    """
    facts = sequences.facts
    model = replace(model, latent_shape=facts.latent_shape, speech_dim=sequences.speech_dim or model.speech_dim)
    if model.target == "landmarks":
        return _landmark_model(model, sequences)
    fitting = "motion_latent" if facts.vae.disentangled else "frame_latent"
    if model.target != fitting:
        raise SettingsError(
            f"model.target is {model.target!r}, but this VAE was built with disentangled={facts.vae.disentangled}; set "
            f"model.target={fitting}, or name another VAE"
        )
    return model


def _landmark_model(model: MotionDiffusionConfig, sequences: MotionSequences) -> MotionDiffusionConfig:
    scheme = sequences.index.landmark_scheme
    if not sequences.facts.vae.disentangled:
        raise SettingsError(
            "model.target is 'landmarks', but this VAE was built with disentangled=False and draws no landmarks; name "
            "a VAE with model.disentangled=true"
        )
    if model.landmark_scheme not in (None, scheme):
        raise SettingsError(
            f"model.landmark_scheme is {model.landmark_scheme!r}, but the clips have landmarks {scheme!r}; leave it out"
        )
    return replace(model, landmark_scheme=scheme, edit=model.edit is not False)
