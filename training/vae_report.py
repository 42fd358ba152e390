"""What a run of the VAE has learned, measured when it ends: how well frames are rebuilt."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch

from manifests.arrays import Int64Array
from manifests.files import write_json_atomic
from models.vae import Vae, VaeConfig
from models.weights import load_weights
from training.clips import ClipError
from training.frame_pairs import FramePair, FramePairBatch, FramePairs, collate_pairs
from training.randomness import draw_below
from training.reconstruction_check import ReconstructionCheck, check_reconstruction
from training.run_folder import RunFolder
from training.selection import SelectionError, select_clips
from training.vae_task import VaeTask

__all__ = ["REPORT_FILE", "reconstruction_report", "report_lines"]

REPORT_FILE = "reconstruction_check.json"
"""In the run folder."""

_AT_ONCE = 8


def reconstruction_report(task: VaeTask, run: RunFolder, device: torch.device) -> dict[str, ReconstructionCheck]:
    """Measure the newest averaged weights, and write `reconstruction_check.json`.

    Frames j are spread evenly over `learned` frames, `unseen` ones, which were held out of the same clips, and those of
    split `val`, whose people were not learned. Frame i is drawn from the part of the clip that is learned from. Kinds
    of which there are no frames are left out.
    """
    weights = run.weights()
    vae = load_weights(weights, Vae, VaeConfig, task.export().facts).to(device)
    pairs = task.source.pairs
    learned = pairs.n_taught
    kinds: dict[str, tuple[FramePairs, list[tuple[int, int]]]] = {
        "learned": (pairs, _frames(np.zeros_like(learned), learned, task.config.check_pairs)),
        "unseen": (pairs, _frames(learned, pairs.index.n_frames, task.config.check_pairs)),
    }
    try:
        index = select_clips(pairs.index.dataset, replace(task.config.data, splits=("val",), hours_subset=None))
        of_val = FramePairs(index, image_px=pairs.image_px, seed=task.config.train.seed)
        kinds["val"] = of_val, _frames(np.zeros_like(of_val.n_taught), of_val.n_taught, task.config.check_pairs)
    except SelectionError:
        pass  # there are no clips of this split
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
    """Return a line on each kind of frames."""
    called = {"learned": "learned frames", "unseen": "unseen frames of learned clips", "val": "clips of split val"}
    return [
        f"{called[kind]}, {check.n_pairs} pairs: rebuilt at {check.psnr_db:.2f} dB, a copy of the reference has "
        f"{check.copy_psnr_db:.2f} dB: {check.gain_db:+.2f} dB"
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
    """Yield pairs with these frames as j, and as i another one of the frames that are learned from."""
    held: list[FramePair] = []
    for clip, target in frames:
        try:
            held.append(pairs.pair(clip, _source(int(pairs.n_taught[clip]), clip, target, seed), target))
        except ClipError:
            continue  # it was named in the log when it was to be learned
        if len(held) == _AT_ONCE:
            yield collate_pairs(held)
            held = []
    if held:
        yield collate_pairs(held)


def _source(n_taught: int, clip: int, target: int, seed: int) -> int:
    drawn = (seed, "check", clip, target)
    if target >= n_taught:
        return draw_below(n_taught, *drawn)
    source = draw_below(max(1, n_taught - 1), *drawn)
    return source + (source >= target) if n_taught > 1 else source
