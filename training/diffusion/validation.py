"""Validation of the motion diffusion model while it trains: its error with the true speech and with another's.

The error is the first term of equation 8, with the true head pose and no condition dropped, at fixed noise and at times
that are spread over the process. A network that does not use the speech has the same error with the speech of another
person. `speech_gain` is the share of that error which the right speech takes away, `text_gain` that of the right text,
where text drives the motion. `pose_error` is the second term, in variances of the training set.

Shapes: B sequences, T frames, D numbers of the target, F speech features.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.motion.diffusion import MotionDiffusion
from models.motion.inputs import MotionInputs
from models.motion.pose_predictor import POSE_ANGLES
from models.sampling.sde import VpSde
from training.data.clips import ClipError
from training.data.held_out import HeldOut
from training.data.randomness import draw_share, torch_generator
from training.diffusion.config import DiffusionConfig
from training.diffusion.sequences import Excerpt, MotionSequence, MotionSequences, collate_sequences
from training.loop.task import moved
from training.loop.validation.held_out_metrics import Better, Sum, ValidationPass

__all__ = ["MotionValidation", "partners", "speech_gain"]

_LOG = logging.getLogger(__name__)

_TIMES = 4
"""Times of the process at which each clip is denoised, one in each quarter."""

_AT_ONCE = 8
"""Clips in a batch, or `train.micro_batch` where that is less."""


class _Batch(NamedTuple):
    target_BTD: Tensor
    inputs: MotionInputs
    shuffled: MotionInputs
    """The same with the speech or text of others."""
    times_KB: Tensor
    clips: Sequence[str]
    counts: bool
    """False: no clip can be read, and zeros stand in, for all ranks take the same passes."""


class MotionValidation:
    """A `Validation` of the loop; it reads the clips anew each time and keeps none in memory."""

    summed = ("motion_error", "motion_error_shuffled", "pose_error", "pose_error_shuffled")

    def __init__(
        self, held: HeldOut, sequences: MotionSequences, config: DiffusionConfig, model: MotionDiffusion, sde: VpSde
    ) -> None:
        """Choose the clips.

        Args:
            held: clips of other people, at least two.
            sequences: of the same clips.
            config: all settings.
            model: the network in training.
            sde: the process.
        """
        self._sequences, self._model, self._sde = sequences, model, sde
        n_frames = [min(config.sequences.max_frames, int(held.index.n_frames[clip])) for clip in held.clips]
        self._excerpts = [Excerpt(clip, 0, n, 0) for clip, n in zip(held.clips, n_frames, strict=True)]
        of_what = held.people if sequences.texts is None else [sequences.texts.texts[clip] for clip in held.clips]
        self._others = partners(of_what)
        self._longest, self._speech_dim = max(n_frames), sequences.speech_dim
        size = min(_AT_ONCE, config.train.micro_batch)
        numbers = range(len(held.clips))
        self._batches = [numbers[start : start + size] for start in range(0, len(numbers), size)]
        self.identity = held.identity(self._excerpts, self._others, sequences.sha256())
        self._gain = f"{config.model.condition}_gain"
        self.metrics: dict[str, Better] = {"motion_error": "lower", self._gain: "higher"}
        if config.model.target == "landmarks":  # most of whose error is where the head is, which is learned before lips
            self.metrics = dict(reversed(self.metrics.items()))
        if config.model.pose.enabled:
            self.metrics["pose_error"] = "lower"

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._batches)

    def sums(self, number: int, where: ValidationPass) -> Mapping[str, Sum]:
        """Return sums of squared errors over a batch, and the number of values in each."""
        batch = self._read(self._batches[number])
        target_BTD, inputs = moved(batch.target_BTD, where.device), moved(batch.inputs, where.device)
        shuffled = moved(batch.shuffled, where.device)
        sums: dict[str, Sum] = {}
        for kind, given in (("", inputs), ("_shuffled", shuffled)):
            with where.autocast():
                conditions = self._model.encode(given)
            if conditions.predicted_pose_BTP is not None and inputs.pose_deg_BTP is not None:
                pose_BTP = self._model.standardised_pose(inputs.pose_deg_BTP)
                sums[f"pose_error{kind}"] = _squared(conditions.predicted_pose_BTP, pose_BTP, inputs.mask_BT)
            total, count = 0.0, 0
            for turn, time_B in enumerate(batch.times_KB.to(where.device)):
                noise_BTD = _noise(batch.clips, turn, target_BTD)
                noisy_BTD = self._sde.diffuse(target_BTD, time_B, noise_BTD)
                with where.autocast():
                    made_BTD = self._model.denoise(noisy_BTD, time_B, conditions)
                error = _squared(made_BTD, target_BTD, inputs.mask_BT)
                total, count = total + error.total, count + error.n
            sums[f"motion_error{kind}"] = Sum(total, count)
        return sums if batch.counts else {}

    def derived(self, means: Mapping[str, float]) -> Mapping[str, float]:
        """Return `speech_gain` or `text_gain`."""
        own, shuffled = means.get("motion_error"), means.get("motion_error_shuffled")
        return {} if own is None or not shuffled else {self._gain: speech_gain(own, shuffled)}

    def _read(self, numbers: Sequence[int]) -> _Batch:
        own: list[MotionSequence] = []
        shuffled: list[MotionSequence] = []
        read: list[int] = []
        for number in numbers:
            try:
                sequence = self._sequences.sequence(self._excerpts[number])
                other = self._sequences.sequence(self._excerpts[self._others[number]])
            except ClipError as error:
                _LOG.warning("a clip is left out of validation: %s", error)
                continue
            own.append(sequence)
            # repeated or cut to the length of the clip
            shuffled.append(sequence.driven_by(other))
            read.append(number)
        counts = bool(own)
        if not own:
            own = shuffled = [self._silence()]
            read = [numbers[0]]
        # all batches have one length, so that compiled blocks meet no others
        batch, others = (collate_sequences(of_kind, least_frames=self._longest) for of_kind in (own, shuffled))
        return _Batch(
            target_BTD=batch.target_BTD,
            inputs=batch.inputs,
            shuffled=others.inputs,
            times_KB=torch.stack([self._times(number) for number in read], dim=1),
            clips=[self._clip_id(number) for number in read],
            counts=counts,
        )

    def _times(self, number: int) -> Tensor:
        """Return the (K,) times of a clip: one in each part of the process, drawn once."""
        drawn = [(k + draw_share("validation", self._clip_id(number), k)) / _TIMES for k in range(_TIMES)]
        return self._sde.training_times(torch.tensor(drawn))

    def _clip_id(self, number: int) -> str:
        return self._sequences.index.row(self._excerpts[number].clip).clip_id

    def _silence(self) -> MotionSequence:
        """Return zeros in place of a clip."""
        n_numbers, n_frames = self._sequences.target_dims, self._longest
        return MotionSequence(
            target_TD=torch.zeros(n_frames, n_numbers),
            reference_D=torch.zeros(n_numbers),
            speech_TF=torch.zeros(n_frames, self._speech_dim),
            pose_deg_TP=torch.zeros(n_frames, POSE_ANGLES),
            text=None if self._sequences.texts is None else self._sequences.texts.of(0),
        )


def _noise(clips: Sequence[str], turn: int, like_BTD: Tensor) -> Tensor:
    """Return (B, T, D) noise, a function of the names of the clips; it is drawn again each time, to save memory."""
    generators = [torch_generator("validation noise", clip, turn) for clip in clips]
    drawn = [torch.randn(like_BTD.shape[1:], generator=generator) for generator in generators]
    return torch.stack(drawn).to(like_BTD.device)


def speech_gain(own: float, shuffled: float) -> float:
    """Return the share of the error with another's speech that the right speech takes away; 0: speech is not used.

    >>> speech_gain(0.5, 1.0), speech_gain(0.5, 0.5)
    (0.5, 0.0)
    """
    return 1.0 - own / shuffled


def partners(people: Sequence[str]) -> list[int]:
    """Return for each clip the number of the next one of another person; where there is none, of the next clip.

    >>> partners(["a", "b", "b", "c"]), partners(["a", "a"])
    ([1, 3, 3, 0], [1, 0])
    """
    n = len(people)
    following = [[(number + step) % n for step in range(1, n)] for number in range(n)]
    return [
        next((other for other in after if people[other] != people[number]), after[0])
        for number, after in enumerate(following)
    ]


def _squared(made_BTX: Tensor, true_BTX: Tensor, mask_BT: Tensor) -> Sum:
    """Return the sum of squared errors of all values outside padding, and their number."""
    difference_BTX = torch.where(mask_BT[..., None], made_BTX.float() - true_BTX, 0.0)
    return Sum(float(difference_BTX.double().square().sum()), int(mask_BT.sum()) * true_BTX.shape[-1])
