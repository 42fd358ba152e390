"""Report of a finished diffusion run: correlation of generated with true motion, for right and wrong speech.

Motion is generated from a clip's own speech and from another clip's, or from their instructions. A network that ignored
the speech would do equally well with both. The mean of a clip, which the reference frame reveals, is subtracted before
correlating: the shape of a face and its average pose need no speech.

Shapes: B sequences, T frames, D numbers of a latent, P = 3 angles.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from foundation.storage.atomic import write_json_atomic
from foundation.text import count_text
from manifests.vocabulary import Split
from models.motion.config import MotionDiffusionConfig
from models.motion.diffusion import MotionDiffusion
from models.run_folder import RunFolder
from models.sampling.guidance import GUIDANCE
from models.sampling.sample_motion import MotionSampling, sample_motion
from models.sampling.samplers import SeededNoise
from models.weights import load_weights
from training.data.clips import ClipError
from training.data.selection import ClipIndex, SelectionError, select_clips
from training.diffusion.sequences import Excerpt, MotionSequence, MotionSequences
from training.diffusion.task import DiffusionTask

__all__ = ["REPORT_FILE", "Correlation", "MotionCheck", "check_motion", "motion_report", "report_lines"]


class Correlation(NamedTuple):
    """Pearson's, of generated with true latents."""

    own: float
    """With the clip's own speech."""
    shuffled: float
    """With the speech of the next clip, repeated or cut to its length, or with another text, and the same noise."""

    @property
    def drop(self) -> float:
        """Gain through the right speech."""
        return self.own - self.shuffled


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionCheck:
    """Correlations and pose errors, measured on some clips."""

    motion: Correlation
    """Of the deviations of the latents from their mean over the clip: motion alone."""
    latents: Correlation
    """Of the standardised latents themselves: motion, and what the reference frame reveals."""
    pose_mse: float | None
    """Mean squared error of the predicted head pose, in variances of the training set; None without pose."""
    mean_pose_mse: float | None
    """The same of the training set's mean pose."""
    n_clips: int

    def metrics(self) -> dict[str, float]:
        """Return the numbers by name, for a log."""
        named = {
            "motion_correlation": self.motion.own,
            "motion_correlation_shuffled": self.motion.shuffled,
            "latent_correlation": self.latents.own,
            "latent_correlation_shuffled": self.latents.shuffled,
            "pose_mse": self.pose_mse,
            "mean_pose_mse": self.mean_pose_mse,
        }
        return {name: value for name, value in named.items() if value is not None}


@torch.inference_mode()
def check_motion(
    network: MotionDiffusion, clips: Sequence[MotionSequence], sampling: MotionSampling, *, seed: int
) -> MotionCheck:
    """Generate the motion of each clip from two speeches or texts and compare.

    Args:
        network: in evaluation mode.
        clips: at least two, each with speech or text; on the CPU.
        sampling: solver and guidance.
        seed: of the noise; clip k has `seed` + k.

    Raises:
        ValueError: there are fewer than two clips, so that speech cannot be shuffled.
    """
    if len(clips) < 2:
        raise ValueError(
            f"{count_text(len(clips), 'clip was', 'clips were')} given; give two or more, for speech is shuffled "
            "between them"
        )
    device = next(network.parameters()).device
    own: list[Tensor] = []
    shuffled: list[Tensor] = []
    true: list[Tensor] = []
    poses: list[tuple[Tensor | None, Tensor]] = []
    for number, clip in enumerate(clips):
        for driven, made in ((clip, own), (clip.driven_by(_other(clips, number)), shuffled)):
            inputs = driven.inputs(device)
            made.append(sample_motion(network, inputs, SeededNoise([seed + number], device), sampling)[0].cpu())
        true.append(clip.target_TD)
        if network.config.pose.enabled:
            predicted_BTP = network.encode(clip.inputs(device)).predicted_pose_BTP
            poses.append((predicted_BTP, network.standardised_pose(clip.pose_deg_TP[None].to(device))))
    return MotionCheck(
        motion=Correlation(_correlation(own, true, centred=True), _correlation(shuffled, true, centred=True)),
        latents=Correlation(_correlation(own, true, centred=False), _correlation(shuffled, true, centred=False)),
        pose_mse=_mean_square([predicted - truth for predicted, truth in poses if predicted is not None]),
        mean_pose_mse=_mean_square([truth for _, truth in poses]),
        n_clips=len(clips),
    )


def _other(clips: Sequence[MotionSequence], number: int) -> MotionSequence:
    """Return the next clip, of another text where text drives the motion and there is one."""
    following = [clips[(number + step) % len(clips)] for step in range(1, len(clips))]
    own = clips[number].text
    if own is None:
        return following[0]
    return next((clip for clip in following if clip.text is not None and not clip.text.same_as(own)), following[0])


def _correlation(made: Sequence[Tensor], true: Sequence[Tensor], *, centred: bool) -> float:
    """Return Pearson's correlation over all values of all clips; 0 where one side does not vary."""
    sides = [
        torch.cat([(rows_TD - rows_TD.mean(0) if centred else rows_TD).flatten() for rows_TD in exact])
        for exact in ([rows_TD.double() for rows_TD in side] for side in (made, true))
    ]
    correlation = torch.corrcoef(torch.stack(sides))[0, 1]
    return float(torch.nan_to_num(correlation))  # 0 / 0: an untrained network may give a constant


def _mean_square(tensors: Sequence[Tensor]) -> float | None:
    return float(torch.cat([tensor.flatten() for tensor in tensors]).square().mean()) if tensors else None


REPORT_FILE = "motion_check.json"
"""In the run folder."""

_SEED = 0


def motion_report(task: DiffusionTask, run: RunFolder, device: torch.device) -> dict[Split, MotionCheck]:
    """Measure the newest averaged weights on clips of splits `train` and `val`, and write `motion_check.json`.

    Splits with fewer than two clips are left out, for their speech cannot be shuffled; so are damaged clips.
    """
    weights = run.weights()
    network = load_weights(weights, MotionDiffusion, MotionDiffusionConfig, task.export().facts).to(device)
    sampling = MotionSampling(sde=task.sde, guidance=GUIDANCE[network.config.condition])
    checks: dict[Split, MotionCheck] = {}
    splits: tuple[Split, ...] = ("train", "val")
    for split in splits:
        clips = _clips(task, split)
        if len(clips) > 1:
            checks[split] = check_motion(network, clips, sampling, seed=_SEED)
    measured: dict[str, object] = {"checkpoint": weights.parent.parent.name}
    for split, check in checks.items():
        measured[split] = {"clips": check.n_clips, **check.metrics()}
    write_json_atomic(run.path / REPORT_FILE, measured)
    return checks


def report_lines(checks: dict[Split, MotionCheck]) -> list[str]:
    """Return one or two lines of text on each split."""
    lines = []
    for split, check in checks.items():
        own, shuffled = check.motion
        lines.append(
            f"{split}, {count_text(check.n_clips, 'clip')}: motion correlates {own:.3f} with the true one, "
            f"{shuffled:.3f} driven by another clip"
        )
        if check.pose_mse is not None and check.mean_pose_mse is not None:
            off = f"head pose is off by {check.pose_mse:.3f} variances, the mean pose by {check.mean_pose_mse:.3f}"
            lines.append(f"{split}: {off}")
    return lines


def _clips(task: DiffusionTask, split: Split) -> list[MotionSequence]:
    """Return the beginnings of at most `check_clips` clips of a split, evenly spread."""
    sequences = task.source.sequences
    try:
        index = select_clips(sequences.index.dataset, replace(task.config.data, splits=(split,)))
        of_split = MotionSequences(
            index,
            task.latents,
            sequences.config,
            seed=task.config.train.seed,
            landmarks=task.landmarks,
            states=sequences.states,
        )
    except SelectionError:
        return []  # no clips of this split, or none long enough
    clips = []
    for excerpt in _excerpts(index, task):
        with suppress(ClipError):  # the steps of the run have counted it
            clips.append(of_split.sequence(excerpt))
    return clips


def _excerpts(index: ClipIndex, task: DiffusionTask) -> list[Excerpt]:
    config = task.config
    n_clips = min(len(index), config.check_clips)
    numbers = np.linspace(0, len(index) - 1, n_clips).round().astype(int).tolist() if n_clips else []
    longest = config.sequences.max_frames
    return [Excerpt(clip, 0, min(longest, int(index.n_frames[clip])), 0) for clip in numbers]
