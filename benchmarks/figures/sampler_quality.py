"""How long does each sampler take with a trained network, and how close to the true motion does it come?

    python -m benchmarks.figures.sampler_quality RUN DATASET --vae VAE_RUN [--split test] [--clips 8]

RUN is a run of `gaia-train diffusion` or a checkpoint of it, VAE_RUN the one of its VAE, whose latents DATASET holds.
The motion of clips of the split, 4 s of each, is sampled from their speech by every sampler with its usual grid, and
again with the speech of the next clip. A JSON line for each sampler: its steps, runs of the network, seconds of
processor time for a second of video, and the correlation of the motion with the true one, by its own speech and by the
other.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from models.run_folder import RunFolder
from models.run_networks import load_networks
from models.sampling.guidance import GUIDANCE
from models.sampling.sample_motion import MotionSampling
from models.sampling.samplers import SAMPLERS
from training.data.config import DataConfig
from training.data.selection import select_clips
from training.diffusion.config import SequenceConfig
from training.diffusion.report import check_motion
from training.diffusion.sequences import Excerpt, MotionSequences
from training.latents.files import fingerprint_of, latents_folder

FRAMES = 100


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each sampler."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--vae", type=Path, required=True)
    parser.add_argument("--split", default="test", choices=("train", "val", "test"))
    parser.add_argument("--clips", type=int, default=8)
    given = parser.parse_args(arguments)
    folder = RunFolder.of(given.run)
    networks = load_networks(folder, "cpu")
    if networks.motion is None:
        parser.error(f"{given.run} has no motion network")
    index = select_clips(given.dataset, DataConfig(tiers=("diffusion",), splits=(given.split,)))
    latents = latents_folder(given.dataset, fingerprint_of(RunFolder.of(given.vae).weights()))
    sequences = MotionSequences(index, latents, SequenceConfig(allow_short=True), seed=0)
    long_enough = [clip for clip in range(len(index)) if index.n_frames[clip] >= FRAMES][: given.clips]
    clips = [sequences.sequence(Excerpt(clip, 0, FRAMES, 0)) for clip in long_enough]
    base = MotionSampling(sde=networks.sde, guidance=GUIDANCE[networks.motion.config.condition])
    for name, solver in SAMPLERS.items():
        started = time.process_time()
        check = check_motion(networks.motion, clips, replace(base, solver=solver), seed=0)
        spent_s = time.process_time() - started
        video_s = 2 * len(clips) * FRAMES / 25  # each with two speeches
        line = {"sampler": name, "steps": solver.steps, "network_runs": solver.network_runs}
        figures = {"s_per_s": spent_s / video_s, "own": check.motion.own, "shuffled": check.motion.shuffled}
        print(json.dumps({**line, **{key: round(value, 3) for key, value in figures.items()}, "clips": len(clips)}))


if __name__ == "__main__":
    main()
