"""What a run of the diffusion model has learned, measured when it ends: how much its motion owes to the speech."""

from dataclasses import replace

import numpy as np
import torch

from manifests.files import write_json_atomic
from models.motion_diffusion import MotionDiffusion, MotionDiffusionConfig
from models.motion_sampling import MotionSampling
from models.weights import load_weights
from training.diffusion_task import DiffusionTask
from training.latent_sequences import MotionSequence, MotionSequences, Stretch
from training.motion_check import MotionCheck, check_motion
from training.run_folder import RunFolder
from training.selection import ClipIndex, SelectionError, Split, select_clips

__all__ = ["REPORT_FILE", "motion_report", "report_lines"]

REPORT_FILE = "motion_check.json"
"""In the run folder."""

_SEED = 0


def motion_report(task: DiffusionTask, run: RunFolder, device: torch.device) -> dict[Split, MotionCheck]:
    """Measure the newest averaged weights on clips of splits `train` and `val`, and write `motion_check.json`.

    Splits with fewer than two clips are left out, for their speech cannot be shuffled.

    Raises:
        ClipError: a clip is damaged.
    """
    weights = run.weights()
    network = load_weights(weights, MotionDiffusion, MotionDiffusionConfig, task.export().facts).to(device)
    checks: dict[Split, MotionCheck] = {}
    splits: tuple[Split, ...] = ("train", "val")
    for split in splits:
        clips = _clips(task, split)
        if len(clips) > 1:
            checks[split] = check_motion(network, clips, MotionSampling(sde=task.config.sde), seed=_SEED)
    measured: dict[str, object] = {"checkpoint": weights.parent.parent.name}
    for split, check in checks.items():
        measured[split] = {"clips": check.n_clips, **check.metrics()}
    write_json_atomic(run.path / REPORT_FILE, measured)
    return checks


def report_lines(checks: dict[Split, MotionCheck]) -> list[str]:
    """Return a line or two on each split."""
    lines = []
    for split, check in checks.items():
        own, shuffled = check.motion
        lines.append(
            f"{split}, {check.n_clips} clips: motion correlates {own:.3f} with the true one, {shuffled:.3f} with the "
            f"speech of another clip"
        )
        if check.pose_mse is not None and check.mean_pose_mse is not None:
            off = f"head pose is off by {check.pose_mse:.3f} variances, the mean pose by {check.mean_pose_mse:.3f}"
            lines.append(f"{split}: {off}")
    return lines


def _clips(task: DiffusionTask, split: Split) -> list[MotionSequence]:
    """Return at most `check_clips` clips of a split, evenly spread, from their beginning on."""
    sequences = task.source.sequences
    try:
        index = select_clips(sequences.index.dataset, replace(task.config.data, splits=(split,)))
        of_split = MotionSequences(index, task.latents, sequences.config, seed=task.config.train.seed)
    except SelectionError:
        return []  # none of this split, or none that is long enough
    return [of_split.sequence(stretch) for stretch in _stretches(index, task)]


def _stretches(index: ClipIndex, task: DiffusionTask) -> list[Stretch]:
    config = task.config
    n_clips = min(len(index), config.check_clips)
    numbers = np.linspace(0, len(index) - 1, n_clips).round().astype(int).tolist() if n_clips else []
    longest = config.sequences.max_frames
    return [Stretch(clip, 0, min(longest, int(index.n_frames[clip])), 0) for clip in numbers]
