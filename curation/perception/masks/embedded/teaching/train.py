"""Train the mask network and write `mask.onnx`.

`python -m curation.perception.masks.embedded.teaching.train DATASET`

DATASET is what `gaia-curate run --preset embedded` makes of the folder `talk` of the real videos. With `--fold K` the
people of that fold are left out, so that `real_people` can measure the network on them.

Needs the extra `train-mask` (mediapipe, scikit-image) and the folder of real videos that `GAIA_SHARED` names.
"""

import argparse
import hashlib
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from curation.perception.masks.embedded.teaching.faces import collect_faces
from curation.perception.masks.embedded.teaching.found_faces import found_samples
from curation.perception.masks.embedded.teaching.network import mask_network, merged
from curation.perception.masks.embedded.teaching.objects import OBJECTS
from curation.perception.masks.embedded.teaching.people import FOLDS, folds, teaching_footage
from curation.perception.masks.embedded.teaching.samples import Conditions, Sample, SampleMaker
from manifests.dataset import Dataset

__all__ = ["export", "fit", "main", "refine", "training_samples"]

SEED = 20240901

_FACES_PER_FILE = 20

_COUNTS = (
    {"bare": 4800, "worn": 700, "mask": 2400, "mask_below_nose": 400}
    | dict.fromkeys(OBJECTS, 650)
    | {"chin_mask": 450, "neck_scarf": 300, "headband": 300}
)

_EPOCHS = 10

_BATCH = 64

_PEAK_RATE = 3e-3

_REFINING_EPOCHS = 3

_REFINING_RATE = 1e-3

_REAL_PER_PERSON = 100
"""Most faces of one person, bare or with a mask, with which a network is refined; a long video has more."""

_MIN_WHITE = 40
"""Least 95th percentile of the levels of an image, 0 to 255; on a darker one nobody sees whether a mouth is covered."""


def training_samples(shared: Path, seed: int) -> list[Sample]:
    """Return the samples of all people of the training data."""
    faces = collect_faces(shared, teaching_footage(shared), per_file=_FACES_PER_FILE)
    kinds = [kind for kind, count in _COUNTS.items() for _ in range(count)]
    conditions = Conditions(distorted=0.7, measured=0.5, jitter=0.012, referenced=False)
    samples = SampleMaker(shared, seed)(faces, kinds, conditions)
    return [sample for sample in samples if np.percentile(sample.aligned, 95) >= _MIN_WHITE]


def fit(samples: list[Sample], seed: int) -> nn.Sequential:
    """Return a network trained on the samples, its normalisations merged into the convolutions before them."""
    torch.manual_seed(seed)
    network = mask_network()
    _descend(network, samples, _EPOCHS, _PEAK_RATE)
    return merged(network)


def refine(network: nn.Sequential, samples: list[Sample], seed: int) -> None:
    """Train a network of `fit` on, with faces as the analysis finds them, in profile and blurred, too."""
    torch.manual_seed(seed)
    _descend(network, samples, _REFINING_EPOCHS, _REFINING_RATE)


def _descend(network: nn.Sequential, samples: list[Sample], epochs: int, rate: float) -> None:
    """Train the network; afterwards it is in evaluation mode."""
    images = torch.from_numpy(np.stack([s.aligned for s in samples]).transpose(0, 3, 1, 2).copy())
    targets = torch.tensor([float(sample.covered) for sample in samples])
    n_batches = len(samples) // _BATCH
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * n_batches)
    network.train()
    for epoch in range(epochs):
        order = torch.randperm(len(samples))
        total = 0.0
        for batch in order[: n_batches * _BATCH].view(-1, _BATCH):
            pictures = _augment(images[batch])
            with torch.autocast("cpu", torch.bfloat16):  # a third less time where the processor has it
                logits = network(pictures)[:, 0]
            loss = functional.binary_cross_entropy_with_logits(logits.float(), targets[batch])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        sys.stderr.write(f"epoch {epoch + 1}/{epochs}: loss {total / n_batches:.4f}\n")
    network.eval()


def _augment(stored: torch.Tensor) -> torch.Tensor:
    """Return (B, 3, S, S) images in -1 to 1: mirrored, moved, re-lit, tinted, sometimes grey or noisy."""
    batch = len(stored)
    images = stored.float() / 255
    scale = 1 + 0.08 * torch.randn(batch)
    mirror = torch.where(torch.rand(batch) < 0.5, -1.0, 1.0)
    angle = 0.08 * torch.randn(batch)
    affine = torch.zeros(batch, 2, 3)
    affine[:, 0, 0], affine[:, 0, 1] = mirror * scale * angle.cos(), -scale * angle.sin()
    affine[:, 1, 0], affine[:, 1, 1] = mirror * scale * angle.sin(), scale * angle.cos()
    affine[:, :, 2] = 0.06 * torch.randn(batch, 2)
    grid = functional.affine_grid(affine, list(images.shape), align_corners=False)
    images = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    images = images.clamp(1e-3, 1) ** torch.exp(0.25 * torch.randn(batch, 1, 1, 1))
    images = images * torch.exp(0.12 * torch.randn(batch, 3, 1, 1) + 0.15 * torch.randn(batch, 1, 1, 1))
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + (images - mean) * torch.exp(0.2 * torch.randn(batch, 1, 1, 1))
    grey = (torch.rand(batch, 1, 1, 1) < 0.1).float()
    images = images + grey * (images.mean(dim=1, keepdim=True) - images)
    # One pattern of noise for every four images: drawing numbers takes as long as the convolutions.
    noise = torch.randn(batch // 4, *images.shape[1:]).repeat(4, 1, 1, 1)
    images = images + 0.02 * torch.rand(batch, 1, 1, 1) * noise
    return (images.clamp(0, 1) * 2 - 1).contiguous(memory_format=torch.channels_last)


def export(network: nn.Sequential, path: Path) -> str:
    """Write the network, its sigmoid included, to `path` and return the file's sha256."""
    with_sigmoid = nn.Sequential(network, nn.Sigmoid()).eval()
    torch.onnx.export(
        with_sigmoid,
        (torch.zeros(2, 3, 64, 64),),
        str(path),
        input_names=["faces"],
        output_names=["mask_prob"],
        dynamic_axes={"faces": {0: "face"}, "mask_prob": {0: "face"}},
        opset_version=17,
        dynamo=False,
    )
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Draw, train, write; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, help="what the analysis found in the folder `talk`")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("mask.onnx"), help="file to write")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--fold", type=int, choices=range(FOLDS), help="leave the people of this fold out")
    arguments = parser.parse_args()
    shared = Path(os.environ.get("GAIA_SHARED", Path(__file__).parents[4] / "shared"))
    torch.set_num_threads(1)
    started = time.perf_counter()
    samples = training_samples(shared, arguments.seed)
    dataset, footage = Dataset(arguments.dataset), teaching_footage(shared)
    found = found_samples(dataset, footage, _REAL_PER_PERSON, arguments.seed)
    fold = folds(shared)
    samples, found = ([one for one in some if fold[one.identity] != arguments.fold] for some in (samples, found))
    drawn = time.perf_counter()
    network = fit(samples, arguments.seed)
    refine(network, samples[::2] + 2 * found, arguments.seed)
    sha256 = export(network, arguments.out)
    sys.stdout.write(
        f"{arguments.out}: {arguments.out.stat().st_size} bytes, sha256 {sha256}; {len(samples)} samples drawn and "
        f"{len(found)} found in {drawn - started:.0f} s, trained in {time.perf_counter() - drawn:.0f} s\n"
        "Put the sha256 into classifier.WEIGHTS_SHA256.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
