"""How many samples a second does one checkout load, and in how much memory?

    python -m benchmarks.training.loader_rates pairs|sequences DATASET N_SAMPLES [LATENTS]

`benchmarks.training.two_loaders` runs it by its path, with another checkout as PYTHONPATH, which is then measured.
Prints one JSON line.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from pathlib import Path

import torch

from training.data.order import BatchShape, Cursor, MicroBatches, SampleKey
from training.data.selection import DataConfig, select_clips
from training.diffusion.sequences import MotionSequences, SequenceConfig, collate_sequences
from training.vae.samples import FramePairs, collate_pairs

BATCH = 64
EVERYTHING = DataConfig(splits=("train", "val", "test"))


def loader(
    kind: str, dataset: Path, latents: Path | None
) -> tuple[int, Callable[[list[SampleKey]], list[torch.Tensor]]]:
    """Return the number of items of a data set, and a function that loads a batch of them."""
    if kind == "pairs":
        pairs = FramePairs(select_clips(dataset, EVERYTHING), image_px=256, seed=1)
        return len(pairs), lambda keys: list(collate_pairs(pairs.__getitems__(keys))[:3])
    if latents is None:
        raise SystemExit("sequences need a folder of latents")
    spoken = select_clips(dataset, replace(EVERYTHING, tiers=("diffusion",)))
    sequences = MotionSequences(spoken, latents, SequenceConfig(allow_short=True), seed=1)

    def load(keys: list[SampleKey]) -> list[torch.Tensor]:
        batch = collate_sequences([sequences[key] for key in keys])
        inputs = batch.inputs.speech_BTF, batch.inputs.pose_deg_BTP, batch.inputs.reference_BD
        return [batch.target_BTD, *(tensor for tensor in inputs if tensor is not None)]

    return len(sequences), load


def batches(n_items: int, n_samples: int) -> Iterator[list[SampleKey]]:
    """Yield the keys of `n_samples` samples, in a batch each."""
    order = MicroBatches(BatchShape(global_batch=BATCH, micro_batch=BATCH), Cursor(), n_items=n_items, seed=1)
    return islice(iter(order), n_samples // BATCH)


def main() -> None:
    """Load samples and print their rate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("pairs", "sequences"))
    parser.add_argument("dataset", type=Path)
    parser.add_argument("n_samples", type=int)
    parser.add_argument("latents", type=Path, nargs="?")
    arguments = parser.parse_args()
    n_samples = arguments.n_samples
    torch.set_num_threads(1)
    begun = time.process_time()
    n_items, load = loader(arguments.kind, arguments.dataset, arguments.latents)
    opened_s = time.process_time() - begun
    digest = sha256()
    spent_s = 0.0
    for keys in batches(n_items, n_samples):
        before = time.process_time()
        tensors = load(keys)
        spent_s += time.process_time() - before
        for tensor in tensors:
            digest.update(tensor.numpy().tobytes())
    status = Path("/proc/self/status").read_text(encoding="ascii")  # what rusage says includes the parent's peak
    peak_mib = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    rate = round(n_samples // BATCH * BATCH / spent_s, 1)
    print(
        json.dumps(
            {
                "per_s": rate,
                "ms": round(1000 / rate, 2),
                "opened_s": round(opened_s, 2),
                "peak_mib": round(peak_mib),
                "sha256": digest.hexdigest(),
            }
        )
    )


if __name__ == "__main__":
    main()
