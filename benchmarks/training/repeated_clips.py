"""Datasets of any number of clips, made of a small one, and latents for them: what the loaders' benchmarks read.

Files of the manifest hold 300 clips each, as packed ones of long clips do. Each further file is a link to the first, so
that a hundred of them take the space of one, while a reader meets as many files, footers and row groups as in a dataset
of that size. A clip's name then stands in several files, which no loader minds.

Latents are found by name. So `spoken_clips` makes files whose names differ: small ones, with one point a frame and with
features that are the same in each frame, which are decoded as fast as others are.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from manifests.files.tables import parquet_options, read_table, write_parquet
from manifests.record import read_dataset, write_dataset
from manifests.schema.arrow_arrays import array_column, numpy_of
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Table
from models.vae.vae import VAE_SIZES
from training.latents.files import LATENTS, LatentFacts, Moments, write_facts

__all__ = ["LATENTS_OF", "linked_clips", "spoken_clips"]

CLIPS_PER_FILE = 300

LATENTS_OF = "0123456789abcdef"
"""Name of the folder of latents in a dataset of `spoken_clips`."""

_LATENT_SHAPE = (3, 16, 16)

_MARK = "00bead00"
"""Beginning of the clips' names in a template, in place of which each file has its number."""


def linked_clips(dataset: Path, folder: Path, n_clips: int) -> Path:
    """Make a dataset of `n_clips` clips, those of `dataset` repeated, with the same media, and return `folder`."""
    first = _begun(dataset, folder) / "part-0000.parquet"
    rows = read_table(dataset, CLIPS.name)
    write_parquet(first, _repeated(rows, min(n_clips, CLIPS_PER_FILE)), CLIPS)
    for number in range(1, _n_files(n_clips)):
        os.link(first, first.with_name(f"part-{number:04d}.parquet"))
    return folder


def spoken_clips(dataset: Path, folder: Path, n_clips: int) -> Path:
    """Make a dataset of clips of tier `diffusion` under `n_clips` names, with latents, and return `folder`."""
    rows = read_table(dataset, CLIPS.name)
    rows = _small(_repeated(rows.filter(pc.equal(rows["tier"], "diffusion")), min(n_clips, CLIPS_PER_FILE)))
    latents = folder / "latents" / LATENTS_OF
    latents.mkdir(parents=True)
    _numbered(rows, CLIPS, _begun(dataset, folder), _n_files(n_clips))
    _numbered(_latents_of(rows), LATENTS, latents, _n_files(n_clips))
    moments = Moments(count=768, mean=(0.0, 0.0, 0.0), squares=(768.0, 768.0, 768.0))
    facts = LatentFacts(
        vae=VAE_SIZES["small"],
        vae_sha256=LATENTS_OF * 4,
        landmark_scheme=rows["landmark_scheme"][0].as_py(),
        latent_shape=_LATENT_SHAPE,
        where=None,
        clips=len(rows) * _n_files(n_clips),
        damaged=0,
        frames=pc.sum(rows["n_frames"]).as_py() * _n_files(n_clips),
        latents=moments,
        pose_deg=moments,
    )
    write_facts(latents, facts)
    return folder


def _begun(dataset: Path, folder: Path) -> Path:
    """Write record and media of a dataset and return the empty folder of its manifest."""
    (folder / "clips").mkdir(parents=True)
    shutil.copytree(dataset / "media", folder / "media", copy_function=os.link)
    write_dataset(folder, read_dataset(dataset))
    return folder / "clips"


def _n_files(n_clips: int) -> int:
    return -(-n_clips // CLIPS_PER_FILE)


def _repeated(rows: pa.Table, n_clips: int) -> pa.Table:
    """Return rows again and again, `n_clips` in all, under different names."""
    copies = -(-n_clips // len(rows))
    names = [f"{_MARK}{copy:04d}{name[12:]}" for copy in range(copies) for name in rows["clip_id"].to_pylist()]
    repeated = pa.concat_tables([rows] * copies)
    return repeated.set_column(repeated.column_names.index("clip_id"), "clip_id", pa.array(names)).slice(0, n_clips)


def _small(rows: pa.Table) -> pa.Table:
    """Return rows whose features are those of the first frame, and whose landmarks are one point a frame."""
    for name in ("landmarks", "speech_features"):
        arrays = [
            array[:, :1] if name == "landmarks" else array[:1] for array in numpy_of(rows[name]) if array is not None
        ]
        n_frames = rows["n_frames"].to_pylist()
        same = [np.repeat(array[:1], count, axis=0) for array, count in zip(arrays, n_frames, strict=True)]
        rows = rows.set_column(rows.column_names.index(name), name, array_column(same, CLIPS.column(name).type))
    return rows


def _latents_of(rows: pa.Table) -> pa.Table:
    """Return rows of latents, the same ones in each frame."""
    latent = np.random.default_rng(0).standard_normal((1, 768)).astype(np.float16)
    n_frames = rows["n_frames"].to_pylist()
    arrays: dict[str, list[np.ndarray]] = {
        "latents": [np.repeat(latent, count, axis=0) for count in n_frames],
        "appearance": [np.zeros(3072, np.float16) for _ in n_frames],
        "channel_mean": [np.zeros(3) for _ in n_frames],
        "channel_squares": [np.ones(3) for _ in n_frames],
    }
    columns = {name: array_column(values, LATENTS.column(name).type) for name, values in arrays.items()}
    return pa.table({"clip_id": rows["clip_id"], "n_frames": rows["n_frames"], **columns})


def _numbered(rows: pa.Table, table: Table, folder: Path, n_files: int) -> None:
    """Write the rows `n_files` times; the names of clips begin with the number of the file."""
    rows = rows.select(table.arrow_schema().names).cast(table.arrow_schema())
    options = parquet_options(rows.schema)
    options["compression"] = {name: "none" if name == "clip_id" else "zstd" for name in _leaves(rows.schema)}
    del options["compression_level"]
    template = folder / "template"
    pq.write_table(rows, template, row_group_size=table.row_group_rows, **options)
    content = template.read_bytes()
    template.unlink()
    for number in range(n_files):
        (folder / f"part-{number:04d}.parquet").write_bytes(content.replace(_MARK.encode(), b"%08d" % number))


def _leaves(schema: pa.Schema) -> list[str]:
    """Return the names of the Parquet columns of a schema."""
    sink = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), sink)
    columns = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    return [columns.column(number).path for number in range(len(columns))]
