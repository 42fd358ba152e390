"""How well does the mouth of sampled landmarks follow the true one, by its own speech and by another person's?

    python -m benchmarks.figures.mouth_motion RUN DATASET --vae VAE_RUN [--split test] [--clips 40]

RUN is a run of `gaia-train diffusion --set model.target=landmarks` or a checkpoint of it, VAE_RUN
the one of its VAE, whose latents DATASET holds. The motion of the first 10 s
of clips of the splits is sampled from their speech with the usual sampler, and again from that of a clip of another
person. A JSON line for each sampler: the mean over clips of the correlation of the mouth's opening with the true one
(`training.evaluation.mouth_correlation`) by either speech, with 95 % bootstrap intervals over persons, and how much the
sampled openings vary, in true standard deviations.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from foundation.array_types import Float32Array, Float64Array
from manifests.landmarks import landmark_scheme
from models.motion.diffusion import MotionDiffusion
from models.run_folder import RunFolder
from models.run_networks import load_networks
from models.sampling.guidance import GUIDANCE
from models.sampling.sample_motion import MotionSampling, sample_motion
from models.sampling.samplers import SamplerConfig, SeededNoise
from training.data.config import DataConfig
from training.data.fair_shares import hash_order, people_of
from training.data.selection import select_clips
from training.diffusion.config import SequenceConfig
from training.diffusion.sequences import Excerpt, MotionSequence, MotionSequences
from training.diffusion.validation import partners
from training.evaluation.mouth_correlation import mouth_correlation, mouth_opening
from training.latents.files import fingerprint_of, latents_folder

LEAST, LONGEST = 75, 250
"""Frames of a clip that are sampled."""

SOLVERS = {
    "temperature 1": SamplerConfig(),
    "temperature 1.8": SamplerConfig(temperature=1.8),
    "one step": SamplerConfig(steps=1),
}
"""Samplers by name: the usual one, one whose motion is calmer, and the network's mean of all motions that fit."""


def sampled(network: MotionDiffusion, clip: MotionSequence, sampling: MotionSampling, seed: int) -> Float32Array:
    """Return the (T, K, 2) landmarks of sampled motion, widths of the crop."""
    device = next(network.parameters()).device
    motion = sample_motion(network, clip.inputs(device), SeededNoise([seed], device), sampling)[0]
    return shown(network, motion)


def shown(network: MotionDiffusion, motion: Tensor) -> Float32Array:
    """Return the (T, K, 2) landmarks of standardised motion, widths of the crop."""
    if network.landmarks is None:
        raise ValueError("the network makes latents; give a run with model.target=landmarks")
    landmarks: Float32Array = network.landmarks.restore(motion, 1).numpy().astype(np.float32)
    return landmarks


def interval_over(values: Float64Array, people: Sequence[str]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean over clips, for persons drawn with their clips."""
    own = [values[[place for place, name in enumerate(people) if name == person]] for person in sorted(set(people))]
    rng = np.random.default_rng(0)
    means = [np.concatenate([own[k] for k in rng.integers(len(own), size=len(own))]).mean() for _ in range(2000)]
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


@torch.inference_mode()
def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each sampler."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--vae", type=Path, required=True)
    parser.add_argument("--split", nargs="+", default=["test"], choices=("train", "val", "test"))
    parser.add_argument("--clips", type=int, default=40)
    given = parser.parse_args(arguments)
    folder = RunFolder.of(given.run)
    networks = load_networks(folder, "cpu")
    if networks.motion is None or networks.motion.landmarks is None:
        parser.error(f"{given.run} has no motion network for landmarks; train one with --set model.target=landmarks")
    network = networks.motion
    index = select_clips(given.dataset, DataConfig(tiers=("diffusion",), splits=tuple(given.split)))
    latents = latents_folder(given.dataset, fingerprint_of(RunFolder.of(given.vae).weights()))
    sequences = MotionSequences(index, latents, SequenceConfig(allow_short=True), seed=0, landmarks=network.landmarks)
    chosen = [clip for clip in hash_order(index.rows) if index.n_frames[clip] >= LEAST][: given.clips]
    people = [people_of(index.rows)[clip] for clip in chosen]
    clips = [sequences.sequence(Excerpt(clip, 0, min(LONGEST, int(index.n_frames[clip])), 0)) for clip in chosen]
    others = [clips[other] for other in partners(people)]
    scheme = landmark_scheme(index.landmark_scheme)
    truth = [shown(network, clip.target_TD) for clip in clips]
    base = MotionSampling(sde=networks.sde, guidance=GUIDANCE[network.config.condition])
    for name, solver in SOLVERS.items():
        line: dict[str, object] = {"sampler": name, "clips": len(clips), "people": len(set(people))}
        for kind, driving in (("own", clips), ("other", others)):
            found, spread = [], []
            for seed, (clip, other, true) in enumerate(zip(clips, driving, truth, strict=True)):
                made = sampled(network, clip.driven_by(other), replace(base, solver=solver), seed)
                found.append(mouth_correlation(made, true, scheme).mean or 0.0)
                spread.append(mouth_opening(made, scheme).std() / mouth_opening(true, scheme).std())
            low, high = interval_over(np.array(found), people)
            line[kind] = round(float(np.mean(found)), 3)
            line[f"{kind}_interval"] = [round(low, 3), round(high, 3)]
            line[f"{kind}_spread"] = round(float(np.median(spread)), 2)
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
