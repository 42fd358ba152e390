"""How many frame pairs and sequences a second does one core read?

Pairs are compared with decoding alone and with a naive loader. Prints one JSON line; rates are per second of processor
time, on which other work on the machine has less effect. The clips of DATASET are repeated under other names, so that
few things are read twice, in files as large as packed ones.

- `pairs`: the training loader, pairs in batches of 64, each of another clip as a rule.
- `decoding_alone`: opening the same videos and decoding up to the same frames; no conversion to RGB, no landmarks.
- `whole_clip`: each video decoded from its start to its end, two frames kept, and the landmarks read.
- `landmarks_ms`, `read_ms`: of `pairs`, reading landmarks and reading the bytes of the video, per pair.
- `sequences`: the training loader of the diffusion model, batches of 64, latents of random numbers.
- `footer_ms`: reading the footer of a file of the manifest, once in a run and not for samples.

    python -m benchmarks.training.loader DATASET [--clips 300] [--pairs 512]
"""

import argparse
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from foundation.storage.arrow import open_parquet
from manifests.files.media import read_frames
from manifests.files.tables import read_table, write_parquet
from manifests.files.tar import read_member
from manifests.record import read_dataset, write_dataset
from manifests.schema.arrow_arrays import array_column
from manifests.schema.clips import CLIPS
from models.vae.vae import VAE_SIZES
from training.data.clips import ClipReader
from training.data.order import BatchShape, Cursor, MicroBatches, SampleKey
from training.data.selection import ClipIndex, DataConfig, select_clips
from training.diffusion.sequences import MotionSequences, SequenceConfig, collate_sequences
from training.latents.files import LATENTS, LatentFacts, Moments, write_facts
from training.vae.samples import FramePairs, collate_pairs

BATCH = 64
EVERYTHING = DataConfig(splits=("train", "val", "test"))


def repeated(dataset: Path, folder: Path, n_clips: int) -> Path:
    """Write a dataset of `n_clips` clips, those of `dataset` repeated, with the same media."""
    rows = read_table(dataset, "clips")
    shutil.copytree(dataset / "media", folder / "media")
    write_dataset(folder, read_dataset(dataset))
    copies = []
    for copy in range(-(-n_clips // len(rows))):
        names = pa.array([f"{copy:04d}{name[4:]}" for name in rows["clip_id"].to_pylist()])
        copies.append(rows.set_column(rows.column_names.index("clip_id"), "clip_id", names))
    for number, first in enumerate(range(0, n_clips, 300)):  # about 256 MB of compressed rows
        part = pa.concat_tables(copies).slice(first, min(300, n_clips - first))
        write_parquet(folder / "clips" / f"part{number}.parquet", part, CLIPS)
    return folder


def random_latents(index: ClipIndex, folder: Path) -> Path:
    """Write latents of the size of all VAEs but the tiny one's for each clip."""
    rng = np.random.default_rng(0)
    names = index.rows["clip_id"].to_pylist()
    for number, first in enumerate(range(0, len(index), 300)):
        clips = range(first, min(first + 300, len(index)))
        arrays: dict[str, list[npt.NDArray[Any]]] = {
            "latents": [rng.standard_normal((index.n_frames[clip], 768)).astype(np.float16) for clip in clips],
            "appearance": [np.zeros(3072, np.float16) for _ in clips],
            "channel_mean": [np.zeros(3) for _ in clips],
            "channel_squares": [np.ones(3) for _ in clips],
        }
        columns = {
            "clip_id": pa.array([names[clip] for clip in clips]),
            "n_frames": pa.array(index.n_frames[first : clips[-1] + 1], pa.int32()),
        }
        columns |= {name: array_column(values, LATENTS.column(name).type) for name, values in arrays.items()}
        write_parquet(folder / f"part{number}.parquet", pa.table(columns), LATENTS)
    moments = Moments(count=768, mean=(0.0, 0.0, 0.0), squares=(768.0, 768.0, 768.0))
    facts = LatentFacts(
        vae=VAE_SIZES["small"],
        vae_sha256="0" * 64,
        landmark_scheme=index.landmark_scheme,
        latent_shape=(3, 16, 16),
        where=None,
        clips=len(index),
        damaged=0,
        frames=int(index.n_frames.sum()),
        latents=moments,
        pose_deg=moments,
    )
    write_facts(folder, facts)
    return folder


def batches(samples: FramePairs | MotionSequences, n_samples: int) -> Iterator[list[SampleKey]]:
    """Yield the keys of `n_samples` samples."""
    shape = BatchShape(global_batch=BATCH, micro_batch=BATCH)
    order = MicroBatches(shape, Cursor(), n_items=len(samples), seed=1)
    yield from islice(order, n_samples // BATCH)


def decode_alone(index: ClipIndex, clip: int, numbers: Sequence[int]) -> None:
    """Open a clip's video and decode up to each of two frames, from the key frame before it."""
    row = index.row(clip)
    with av.open(io.BytesIO(read_member(index.dataset, row.media, row.mp4)), "r") as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.thread_type = "NONE"
        for number in numbers:
            pts = round(number / 25 / (stream.time_base or Fraction(1, 25)))
            container.seek(pts, stream=stream)
            next(frame for frame in container.decode(stream) if frame.pts is not None and frame.pts >= pts)


def decode_whole(index: ClipIndex, reader: ClipReader, clip: int, numbers: Sequence[int]) -> None:
    """Decode all of a clip's video, keep two of its frames, and read its landmarks."""
    row = index.row(clip)
    frames = read_frames(read_member(index.dataset, row.media, row.mp4)).frames
    kept = [frame for number, frame in enumerate(frames) if number in numbers]
    if len(kept) != len(set(numbers)):
        raise ValueError(f"{row.clip_id} lacks frames")
    reader.array(clip, "landmarks")


def rate(run: Callable[[], int]) -> float:
    """Return the samples per second of processor time that `run` makes; `run` returns their number."""
    before = time.process_time()
    made = run()
    return round(made / (time.process_time() - before), 1)


def measure_sequences(index: ClipIndex, folder: Path, n_sequences: int) -> float:
    """Return the rate of the diffusion model's loader."""
    sequences = MotionSequences(index, folder, SequenceConfig(allow_short=True), seed=1)

    def load() -> int:
        made = 0
        for batch in batches(sequences, n_sequences):
            made += len(collate_sequences([sequences[key] for key in batch]).target_BTD)
        return made

    return rate(load)


def measure_pairs(index: ClipIndex, n_pairs: int) -> dict[str, float]:
    """Return the rates of the VAE's loader, of decoding alone and of a naive loader."""
    pairs = FramePairs(index, image_px=256, seed=1)
    keys = [key for batch in batches(pairs, n_pairs) for key in batch]
    drawn = [pairs.frames_of(key) for key in keys]

    def load() -> int:
        return sum(len(collate_pairs(pairs.__getitems__(batch)).valid_BK) for batch in batches(pairs, n_pairs))

    def alone() -> int:
        for clip, source, target in drawn:
            decode_alone(index, clip, sorted((source, target)))
        return len(drawn)

    def whole() -> int:
        reader = ClipReader(index)
        for clip, source, target in drawn[: n_pairs // 8]:
            decode_whole(index, reader, clip, (source, target))
        return len(drawn[: n_pairs // 8])

    def landmarks() -> int:
        reader = ClipReader(index)
        return sum(len(reader.array(clip, "landmarks")) > 0 for clip, _, _ in drawn)

    def read() -> int:
        rows = (index.row(clip) for clip, _, _ in drawn)
        return sum(len(read_member(index.dataset, row.media, row.mp4)) > 0 for row in rows)

    def footers() -> int:
        return sum(open_parquet(index.files[0]).metadata.num_row_groups > 0 for _ in range(20))

    return {
        "pairs": rate(load),
        "decoding_alone": rate(alone),
        "whole_clip": rate(whole),
        "landmarks_ms": round(1000 / rate(landmarks), 2),
        "read_ms": round(1000 / rate(read), 2),
        "footer_ms": round(1000 / rate(footers), 2),
    }


def main() -> None:
    """Repeat the clips, measure, print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--clips", type=int, default=300)
    parser.add_argument("--pairs", type=int, default=512)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        dataset = repeated(arguments.dataset, Path(folder), arguments.clips)
        index = select_clips(dataset, EVERYTHING)
        frames = float(index.n_frames.mean())
        figures = {"clips": len(index), "frames_per_clip": round(frames), "load": round(os.getloadavg()[0], 1)}
        figures |= measure_pairs(index, arguments.pairs)
        spoken = select_clips(dataset, replace(EVERYTHING, tiers=("diffusion",)))
        latents = random_latents(spoken, Path(folder) / "latents" / "random")
        print(json.dumps(figures | {"sequences": measure_sequences(spoken, latents, arguments.pairs)}))


if __name__ == "__main__":
    main()
