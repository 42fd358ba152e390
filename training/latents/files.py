"""Files of latents in a dataset, as `gaia-train latents` writes them: `DATASET/latents/<VAE>/`.

<VAE> is the first 16 digits of the sha256 of the VAE's weights. One Parquet file per file of the manifest that has
clips of tier `diffusion`, under the same name, and `latents.json`, written last: config of the VAE, and the statistics
for standardising latents.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import pyarrow as pa
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from foundation.errors import UsageError
from foundation.storage.array_columns import array_kind, array_ranges
from foundation.storage.arrow import open_parquet, read_parquet
from foundation.storage.atomic import write_json_atomic
from foundation.storage.digest import file_sha256
from foundation.storage.regular_files import read_small
from foundation.text import count_text
from manifests.errors import first_problem
from manifests.files.cells import bad_cells
from manifests.files.names import Sha256, files_of, folder_in
from manifests.files.numbers import Count, FiniteNumber
from manifests.schema.columns import Column, Table
from models.vae.posterior import LatentStatistics
from models.vae.vae import VaeConfig
from training.data.rows import RowPlace

__all__ = [
    "FACTS",
    "LATENTS",
    "LatentFacts",
    "LatentsError",
    "Moments",
    "fingerprint_of",
    "latent_files",
    "latent_places",
    "latents_folder",
    "merged",
    "read_columns",
    "read_facts",
    "write_facts",
]

FACTS = "latents.json"

_FACTS_BYTES = 16 << 20
"""Most that it can have: two numbers of each channel."""

_F16_ROWS = pa.list_(pa.list_(pa.float16()))

_F64_LIST = pa.list_(pa.float64())

LATENTS = Table(
    name="latents",
    meaning="One row per clip, encoded by one VAE. Latents are means of the posterior, as the encoder gave them, "
    "flattened from (channel, row, column).",
    row_group_rows=1,
    columns=(
        Column(name="clip_id", type=pa.string(), unit="", shape="", meaning="as in `clips`", nullable=False),
        Column(name="n_frames", type=pa.int32(), unit="frames", shape="", meaning="as in `clips`", nullable=False),
        Column(
            name="latents",
            type=_F16_ROWS,
            unit="",
            shape="[N,D]",
            meaning="what the diffusion model learns: z_m of each frame's landmarks; of a VAE without disentanglement "
            "z_a of each frame. Null: the clip is damaged",
            nullable=True,
        ),
        Column(
            name="appearance",
            type=pa.list_(pa.float16()),
            unit="",
            shape="[A]",
            meaning="z_a of the first frame; null where the clip is damaged",
            nullable=True,
        ),
        Column(
            name="channel_mean",
            type=_F64_LIST,
            unit="",
            shape="[C]",
            meaning="mean of each channel of `latents` over frames and places",
            nullable=True,
        ),
        Column(
            name="channel_squares",
            type=_F64_LIST,
            unit="",
            shape="[C]",
            meaning="sum of the squared deviations from that mean",
            nullable=True,
        ),
    ),
)


class LatentsError(UsageError):
    """Latents are missing, damaged, or of another VAE; the message says what to do."""


class Moments(BaseModel):
    """Count, mean and sum of squared deviations per channel, which can be merged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: Annotated[Count, Field(ge=1)]
    mean: tuple[FiniteNumber, ...]
    squares: tuple[Annotated[FiniteNumber, Field(ge=0.0)], ...]

    @model_validator(mode="after")
    def _require_channels(self) -> Self:
        if not self.mean or len(self.mean) != len(self.squares):
            raise ValueError(f"there are {len(self.mean)} means and {len(self.squares)} sums of squares")
        return self

    @property
    def std(self) -> tuple[float, ...]:
        """Standard deviation of each channel."""
        return tuple((square / self.count) ** 0.5 for square in self.squares)


class LatentFacts(BaseModel):
    """Content of latents.json: the VAE, the number of clips, statistics of latents and poses."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    format: Literal["gaia-latents-1"] = "gaia-latents-1"
    vae: VaeConfig
    vae_sha256: Sha256
    """Of its weights file."""
    landmark_scheme: str
    latent_shape: tuple[int, int, int]
    """(C, H, W) of a row of `latents`."""
    where: str | None
    """SQL condition that selected the clips of tier `diffusion`; None: all."""
    clips: Count
    damaged: Count
    """Clips among these that have no latents."""
    frames: Count
    """Of the clips that have."""
    latents: Moments
    """Of the clips of split `train`, per channel."""
    pose_deg: Moments
    """Of the clips of split `train`: pitch, yaw, roll."""

    @model_validator(mode="after")
    def _require_shapes(self) -> Self:
        shape = self.vae.motion_shape if self.vae.disentangled else self.vae.appearance_shape
        if self.latent_shape != shape:
            raise ValueError(f"latents of this VAE are {shape}, not {self.latent_shape}")
        for name, moments, channels in (("latents", self.latents, shape[0]), ("pose_deg", self.pose_deg, 3)):
            if len(moments.mean) != channels:
                raise ValueError(f"{name} has {count_text(len(moments.mean), 'channel')}, not {channels}")
        return self

    def sha256(self) -> str:
        """Return a digest of what the numbers of standardised latents depend on: the VAE, and the statistics."""
        identity = self.model_dump_json(include={"vae_sha256", "latents", "pose_deg"})
        return hashlib.sha256(identity.encode()).hexdigest()

    def statistics(self) -> LatentStatistics:
        """Return the module that standardises latents and restores them; a diffusion run saves it with the VAE."""
        statistics = LatentStatistics(len(self.latents.mean))
        statistics.count.fill_(self.latents.count)
        statistics.mean_C.copy_(torch.tensor(self.latents.mean, dtype=torch.float64))
        statistics.squares_C.copy_(torch.tensor(self.latents.squares, dtype=torch.float64))
        return statistics


def merged(moments: Sequence[Moments]) -> Moments:
    """Return the moments of the union of the sets that `moments` describe (Chan et al., 1979)."""
    counts = np.array([item.count for item in moments], dtype=np.float64)[:, None]
    means, squares = np.array([item.mean for item in moments]), np.array([item.squares for item in moments])
    mean = (counts * means).sum(axis=0) / counts.sum()
    about_mean = (squares + counts * np.square(means - mean)).sum(axis=0)
    return Moments(count=int(counts.sum()), mean=tuple(mean.tolist()), squares=tuple(about_mean.tolist()))


def fingerprint_of(weights: Path) -> str:
    """Return the sha256 of a weights file in hex."""
    return file_sha256(weights)


def latents_folder(dataset: Path, vae_sha256: str) -> Path:
    """Return the folder of the latents of a VAE.

    Raises:
        DatasetError: it is a link, or reached through one.
    """
    return folder_in(dataset, f"latents/{vae_sha256[:16]}")


def read_facts(folder: Path) -> LatentFacts:
    """Return the content of latents.json in a folder of latents.

    Raises:
        LatentsError: it is missing, so that the latents are not complete, or damaged.
    """
    path = folder / FACTS
    remedy = f"run `gaia-train latents {folder.parent.parent} --vae VAE_RUN` for it"
    try:
        return LatentFacts.model_validate_json(read_small(path, _FACTS_BYTES, follow_links=False))
    except FileNotFoundError as error:
        raise LatentsError(f"{folder} holds no complete latents of this VAE: {remedy}") from error
    except ValidationError as error:
        raise LatentsError(f"{path} is damaged: {first_problem(error)}; {remedy} again") from error
    except OSError as error:
        raise LatentsError(f"{path} is damaged: {error}; {remedy} again") from error


def write_facts(folder: Path, facts: LatentFacts) -> None:
    """Write latents.json, which marks the latents as complete."""
    write_json_atomic(folder / FACTS, facts.model_dump(mode="json"))


def latent_files(folder: Path) -> list[Path]:
    """Return the files of latents in a folder, sorted by name.

    Raises:
        DatasetError: the folder or a file is a link, or no regular file.
    """
    return files_of(folder.parent.parent, f"{folder.parent.name}/{folder.name}", ".parquet")


def latent_places(folder: Path) -> dict[str, RowPlace]:
    """Return where the latents of each encoded clip lie.

    Raises:
        LatentsError: a file cannot be read.
    """
    places: dict[str, RowPlace] = {}
    for file in latent_files(folder):
        with _reading(file), open_parquet(file) as opened:
            named = opened.read(["clip_id"])
            ranges = array_ranges(opened.metadata, [array_kind(LATENTS.column("latents").field)])[:, 0].tolist()
            sizes = [opened.metadata.row_group(group).num_rows for group in range(opened.num_row_groups)]
        names = _checked_columns(named, ["clip_id"], file)["clip_id"].to_pylist()
        rows = [(group, row) for group, size in enumerate(sizes) for row in range(size)]
        places |= {
            name: RowPlace(file, group, row, *ranges[group]) for name, (group, row) in zip(names, rows, strict=True)
        }
    return places


def read_columns(file: Path, columns: Sequence[str]) -> pa.Table:
    """Return columns of a file of latents.

    Raises:
        LatentsError: it cannot be read.
    """
    with _reading(file):
        rows = read_parquet(file, columns)
    return _checked_columns(rows, columns, file)


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Raise a LatentsError in place of errors of reading a file of latents."""
    try:
        yield
    except (pa.ArrowException, ValueError, OSError, KeyError) as error:
        raise LatentsError(f"{file} cannot be read: {error}; delete it and run `gaia-train latents` again") from error


def _checked_columns(rows: pa.Table, columns: Sequence[str], file: Path) -> pa.Table:
    """Return columns of rows as they are declared."""
    with _reading(file):
        declared = pa.schema([LATENTS.arrow_schema().field(name) for name in columns])
        rows = rows.select(list(columns)).cast(declared)
    for wrong in bad_cells(LATENTS, rows):
        raise LatentsError(f"{file}: {wrong}; delete it and run `gaia-train latents` again")
    return rows
