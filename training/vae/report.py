"""Report of a finished run of the VAE: PSNR of reconstructed frames of known and unknown clips."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from foundation.array_types import Int64Array
from foundation.storage.atomic import write_json_atomic
from foundation.text import count_text
from models.pixels import to_float, to_uint8
from models.run_folder import RunFolder
from models.vae.landmark_image import LandmarkRenderer
from models.vae.vae import Vae, VaeConfig
from models.weights import load_weights
from training.data.clips import ClipError
from training.data.randomness import draw_below
from training.data.selection import SelectionError, select_clips
from training.vae.previews import reconstruct
from training.vae.samples import FramePair, FramePairBatch, FramePairs, collate_pairs
from training.vae.task import VaeTask
from training.vae.validation import psnr_db

__all__ = [
    "REPORT_FILE",
    "ReconstructionCheck",
    "check_reconstruction",
    "reconstruction_report",
    "report_lines",
]

REPORT_FILE = "reconstruction_check.json"
"""In the run folder."""

_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconstructionCheck:
    """Reconstruction quality, means over pairs of frames."""

    n_pairs: int
    psnr_db: float
    """Of reconstructed frames."""
    copy_psnr_db: float
    """Of the reference frames, taken as the reconstruction."""

    @property
    def gain_db(self) -> float:
        """Gain of the network over a copy of the reference frame."""
        return self.psnr_db - self.copy_psnr_db


def reconstruction_report(task: VaeTask, run: RunFolder, device: torch.device) -> dict[str, ReconstructionCheck]:
    """Measure the newest averaged weights, and write `reconstruction_check.json`.

    Frames j are spread evenly over `learned` frames, over `unseen` frames, which were held out of the same clips, and
    over frames of split `val`, with other people. Frame i is drawn from the training part of the clip. A kind without
    frames is left out.
    """
    weights = run.weights()
    vae = load_weights(weights, Vae, VaeConfig, task.export().facts).to(device)
    pairs = task.source.pairs
    learned = pairs.n_train_frames
    kinds: dict[str, tuple[FramePairs, list[tuple[int, int]]]] = {
        "learned": (pairs, _frames(np.zeros_like(learned), learned, task.config.check_pairs)),
        "unseen": (pairs, _frames(learned, pairs.index.n_frames, task.config.check_pairs)),
    }
    try:
        index = select_clips(pairs.index.dataset, replace(task.config.data, splits=("val",), hours_subset=None))
        val_pairs = FramePairs(index, image_px=pairs.image_px, seed=task.config.train.seed)
        kinds["val"] = (
            val_pairs,
            _frames(np.zeros_like(val_pairs.n_train_frames), val_pairs.n_train_frames, task.config.check_pairs),
        )
    except SelectionError:
        pass  # the dataset has no clips of this split
    checks = {
        kind: check_reconstruction(vae, task.renderer, batches)
        for kind, (source, frames) in kinds.items()
        if (batches := list(_batches(source, frames, task.config.train.seed)))
    }
    measured: dict[str, object] = {"checkpoint": weights.parent.parent.name}
    for kind, check in checks.items():
        measured[kind] = {
            "pairs": check.n_pairs,
            "psnr_db": check.psnr_db,
            "copy_psnr_db": check.copy_psnr_db,
            "gain_db": check.gain_db,
        }
    write_json_atomic(run.path / REPORT_FILE, measured)
    return checks


def report_lines(checks: Mapping[str, ReconstructionCheck]) -> list[str]:
    """Return a line of text on each kind of frames."""
    called = {"learned": "learned frames", "unseen": "unseen frames of learned clips", "val": "clips of split val"}
    return [
        f"{called[kind]}, {count_text(check.n_pairs, 'pair')}: rebuilt at {check.psnr_db:.2f} dB, a copy of the "
        f"reference has {check.copy_psnr_db:.2f} dB: {check.gain_db:+.2f} dB"
        for kind, check in checks.items()
    ]


def _frames(first: Int64Array, end: Int64Array, count: int) -> list[tuple[int, int]]:
    """Return clip and frame of at most `count` of the frames `first` to `end` of the clips, evenly spread."""
    before = np.cumsum(end - first)
    total = int(before[-1])
    numbers: Int64Array = np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(np.int64))
    clips = np.searchsorted(before, numbers, side="right")
    return [(int(clip), int(end[clip] - (before[clip] - number))) for clip, number in zip(clips, numbers, strict=True)]


def _batches(pairs: FramePairs, frames: list[tuple[int, int]], seed: int) -> Iterator[FramePairBatch]:
    """Yield batches of pairs: these frames as j, and as i other training frames of their clips."""
    pending: list[FramePair] = []
    for clip, target in frames:
        try:
            pending.append(pairs.pair(clip, _source(int(pairs.n_train_frames[clip]), clip, target, seed), target))
        except ClipError:
            continue  # logged when it was first read
        if len(pending) == _AT_ONCE:
            yield collate_pairs(pending)
            pending = []
    if pending:
        yield collate_pairs(pending)


def _source(n_train_frames: int, clip: int, target: int, seed: int) -> int:
    stream = (seed, "check", clip, target)
    if target >= n_train_frames:
        return draw_below(n_train_frames, *stream)
    source = draw_below(max(1, n_train_frames - 1), *stream)
    return source + (source >= target) if n_train_frames > 1 else source


@torch.inference_mode()
def check_reconstruction(
    vae: Vae, renderer: LandmarkRenderer, batches: Iterable[FramePairBatch]
) -> ReconstructionCheck:
    """Reconstruct frames j of pairs and compare.

    Args:
        vae: in evaluation mode.
        renderer: on the same device.
        batches: on the CPU; together at least one pair.
    """
    ours: list[float] = []
    copies: list[float] = []
    for batch in batches:
        targets = to_uint8(to_float(batch.image_j_BCHW))
        sources = to_uint8(to_float(batch.image_i_BCHW))
        made = to_uint8(reconstruct(vae, renderer, batch))
        ours += [psnr_db(image, target) for image, target in zip(made, targets, strict=True)]
        copies += [psnr_db(image, target) for image, target in zip(sources, targets, strict=True)]
    return ReconstructionCheck(n_pairs=len(ours), psnr_db=float(np.mean(ours)), copy_psnr_db=float(np.mean(copies)))
