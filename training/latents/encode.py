"""Encode the clips of a dataset with a trained VAE, once, for the diffusion model (GAIA section 4.3).

Each file of the manifest gives one file of latents, written atomically, so that the command resumes where it was
stopped. A clip that has latents is not encoded again, even if it has moved to another file of the manifest since.
Several processes under `torchrun` divide the files; none waits for another. The first process that finds all files
written writes latents.json.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from pydantic import ValidationError

from foundation.array_types import Float16Array, Float32Array, Float64Array
from foundation.storage.leases import require_lease
from foundation.storage.staged import remove_unfinished
from manifests.errors import first_problem
from manifests.files.tables import write_parquet
from manifests.schema.arrow_arrays import array_column
from models.pixels import to_float
from models.vae.landmark_image import LandmarkImageConfig, LandmarkRenderer
from models.vae.posterior import Posterior
from models.vae.vae import Vae, VaeConfig
from models.weights import WeightFacts, load_weights
from training.data.clips import ClipError, ClipReader, DamageLog
from training.data.selection import ClipIndex
from training.latents.files import (
    FACTS,
    LATENTS,
    LatentFacts,
    LatentsError,
    Moments,
    fingerprint_of,
    latent_files,
    latent_places,
    latents_folder,
    merged,
    read_columns,
    write_facts,
)
from training.loop.parallel import Ranks

__all__ = ["write_latents"]

_FRAMES_AT_ONCE = 32


def write_latents(
    index: ClipIndex,
    weights: Path,
    *,
    ranks: Ranks,
    on_clip: Callable[[], None],
) -> LatentFacts | None:
    """Write latents for all clips of `index` that have none yet.

    Args:
        index: the clips, of all splits.
        weights: the VAE's file.
        ranks: this process among those that divide the files, and its device; a GPU computes in bfloat16.
        on_clip: called after each clip of this process, encoded now or before.

    Returns:
        The content of latents.json; None while other processes have files to write.

    Raises:
        WeightsError: the VAE was trained on landmarks of another scheme, or the file does not hold one.
        LatentsError: no clip of split `train` could be encoded.
        DamagedDataError: too many clips are damaged.
    """
    facts = WeightFacts(landmark_scheme=index.landmark_scheme, speech_encoder=None)
    vae = load_weights(weights, Vae, VaeConfig, facts)
    encoder = _Encoder(vae, index, ranks.device)
    sha256 = fingerprint_of(weights)
    folder = latents_folder(index.dataset, sha256)
    files = list(_latents_files(index, folder))
    encoded = latent_places(folder)
    log = DamageLog(index)
    for file in files[ranks.rank :: ranks.size]:
        remove_unfinished(file.path)
        missing = [name for name in file.names if name not in encoded]
        rows = []
        for clip, name in zip(file.clips, file.names, strict=True):
            if missing and (name not in encoded or encoded[name].file == file.path):
                rows.append(_row(encoder, clip, log))
            on_clip()
        if rows:
            require_lease(index.dataset)
            write_parquet(file.path, _table(rows), LATENTS)
    encoded = latent_places(folder)
    if any(name not in encoded for file in files for name in file.names):
        return None
    written = _facts(index, vae.config, sha256, folder)
    require_lease(index.dataset)
    if ranks.size == 1:  # otherwise another process may be writing it now
        remove_unfinished(folder / FACTS)
    write_facts(folder, written)
    return written


@dataclass(frozen=True, kw_only=True, slots=True)
class _LatentsFile:
    """A file of latents, one for each file of table `clips` with a selected clip."""

    path: Path
    clips: tuple[int, ...]
    """Numbers in the index, in the order of their names."""
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    clip_id: str
    n_frames: int
    latents: Float16Array | None
    """(N, D)."""
    appearance: Float16Array | None
    """(A,)."""
    channels: int


def _latents_files(index: ClipIndex, folder: Path) -> Iterator[_LatentsFile]:
    file_of_clip = np.asarray(index.rows["file"])
    names = index.rows["clip_id"].to_pylist()
    for number, file in enumerate(index.files):
        clips = np.flatnonzero(file_of_clip == number).tolist()
        if clips:
            yield _LatentsFile(path=folder / file.name, clips=tuple(clips), names=tuple(names[clip] for clip in clips))


class _Encoder:
    """VAE with its landmark renderer and the reader of the clips."""

    def __init__(self, vae: Vae, index: ClipIndex, device: torch.device) -> None:
        image = LandmarkImageConfig(scheme=index.landmark_scheme, image_px=vae.config.image_px)
        self.vae = vae.to(device)
        self.reader = ClipReader(index)
        self._renderer = LandmarkRenderer(image).to(device)
        self._device = device

    @torch.inference_mode()
    def clip(self, clip: int) -> tuple[Float16Array, Float16Array]:
        """Return (N, D) latents of the frames of a clip and the (A,) appearance of its first frame.

        Raises:
            ClipError: the clip is damaged.
        """
        n_frames = self.reader.index.row(clip).n_frames
        self.reader.array(clip, "pose_deg")  # whose moments are taken as well: a clip without it is of no use
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            (appearance,) = self._appearance(clip, [0])
            starts = range(0, n_frames, _FRAMES_AT_ONCE)
            if self.vae.config.disentangled:
                points = self.reader.array(clip, "landmarks")
                latents = [self._motion(points[start : start + _FRAMES_AT_ONCE]) for start in starts]
            else:
                numbers = range(n_frames)
                latents = [self._appearance(clip, numbers[start : start + _FRAMES_AT_ONCE]) for start in starts]
        encoded = np.concatenate(latents)
        if not (np.isfinite(encoded).all() and np.isfinite(appearance).all()):
            name = self.reader.index.row(clip).clip_id
            raise ClipError(f"{name}: its latents are no finite numbers; its landmarks are damaged")
        return encoded, appearance

    def _motion(self, points_NK2: Float32Array) -> Float16Array:
        landmarks = torch.from_numpy(points_NK2 * (self.vae.config.image_px / self.reader.index.clip_px)).to(
            self._device
        )
        images = self._renderer(landmarks, torch.ones(landmarks.shape[:2], dtype=torch.bool, device=self._device))
        return _means(self.vae.encode_motion(images))

    def _appearance(self, clip: int, numbers: Sequence[int]) -> Float16Array:
        frames = torch.from_numpy(self.reader.frames(clip, numbers, self.vae.config.image_px))
        return _means(self.vae.encode_appearance(to_float(frames.permute(0, 3, 1, 2).to(self._device))))


def _means(posterior: Posterior) -> Float16Array:
    """Return (B, C H W) means."""
    means: Float16Array = posterior.mean_BCHW.flatten(1).to(torch.float16).cpu().numpy()
    return means


def _row(encoder: _Encoder, clip: int, log: DamageLog) -> _Row:
    where = encoder.reader.index.row(clip)
    latents = appearance = None
    try:
        latents, appearance = encoder.clip(clip)
    except ClipError as error:
        log.record([str(error)])
    return _Row(
        clip_id=where.clip_id,
        n_frames=where.n_frames,
        latents=latents,
        appearance=appearance,
        channels=encoder.vae.config.motion_shape[0],
    )


def _table(rows: list[_Row]) -> pa.Table:
    moments = [None if row.latents is None else _moments(row.latents, row.channels) for row in rows]
    values = {
        "latents": [row.latents for row in rows],
        "appearance": [row.appearance for row in rows],
        "channel_mean": [None if one is None else np.array(one.mean) for one in moments],
        "channel_squares": [None if one is None else np.array(one.squares) for one in moments],
    }
    return pa.table(
        {
            "clip_id": pa.array([row.clip_id for row in rows], pa.string()),
            "n_frames": pa.array([row.n_frames for row in rows], pa.int32()),
            **{name: array_column(arrays, LATENTS.column(name).type) for name, arrays in values.items()},
        }
    )


def _moments(rows_ND: Float16Array | Float32Array, channels: int) -> Moments:
    """Return the moments of each channel of (N, C * positions) values."""
    values: Float64Array = rows_ND.astype(np.float64).reshape(len(rows_ND), channels, -1)
    mean = values.mean(axis=(0, 2))
    squares = np.square(values - mean[:, None]).sum(axis=(0, 2))
    count = values.size // channels
    return Moments(count=count, mean=tuple(mean.tolist()), squares=tuple(squares.tolist()))


def _latent_moments(rows: pa.Table, shape: tuple[int, int, int], folder: Path) -> list[Moments]:
    """Return the moments that rows of latents state.

    Raises:
        LatentsError: they are none of latents of this (C, H, W) shape.
    """
    try:
        moments = [
            Moments(
                count=row["n_frames"] * shape[1] * shape[2], mean=row["channel_mean"], squares=row["channel_squares"]
            )
            for row in rows.to_pylist()
        ]
    except ValidationError as error:
        raise LatentsError(
            f"{folder} is damaged: {first_problem(error)}; delete it and give the command again"
        ) from error
    if any(len(one.mean) != shape[0] for one in moments):
        raise LatentsError(f"{folder} holds latents of another VAE; delete it and give the command again")
    return moments


def _pose_moments(reader: ClipReader, clips: Sequence[int]) -> list[Moments]:
    """Return the moments of the poses of clips; those that are damaged add nothing.

    Raises:
        LatentsError: all are damaged.
    """
    moments = []
    for clip in clips:
        with suppress(ClipError):
            moments.append(_moments(reader.array(clip, "pose_deg"), 3))
    if not moments:
        raise LatentsError(f"{reader.index.dataset}: no clip has a pose of finite numbers; run `gaia-curate validate`")
    return moments


def _facts(index: ClipIndex, vae: VaeConfig, sha256: str, folder: Path) -> LatentFacts:
    """Return the content of latents.json, when all latents are written.

    Raises:
        LatentsError: no clip of split `train` could be encoded.
    """
    shape = vae.motion_shape if vae.disentangled else vae.appearance_shape
    columns = ["clip_id", "n_frames", "channel_mean", "channel_squares"]
    rows = pa.concat_tables([read_columns(file, columns) for file in latent_files(folder)])
    rows = rows.filter(pc.is_in(rows["clip_id"], index.rows["clip_id"].combine_chunks())).sort_by("clip_id")
    in_train = index.rows.filter(pc.equal(index.rows["split"], "train"))["clip_id"].combine_chunks()
    readable = rows.filter(pc.is_valid(rows["channel_mean"]))
    train_rows = readable.filter(pc.is_in(readable["clip_id"], in_train))
    if not len(train_rows):
        raise LatentsError(
            f"{index.dataset}: no readable clip of tier diffusion is in split train, so latents cannot be "
            "standardised; curate videos of more speakers"
        )
    latents = _latent_moments(train_rows, shape, folder)
    names, reader = set(train_rows["clip_id"].to_pylist()), ClipReader(index)
    clips = [clip for clip, name in enumerate(index.rows["clip_id"].to_pylist()) if name in names]
    return LatentFacts(
        vae=vae,
        vae_sha256=sha256,
        landmark_scheme=index.landmark_scheme,
        latent_shape=shape,
        where=index.config.where,
        clips=len(rows),
        damaged=len(rows) - len(readable),
        frames=int(readable["n_frames"].to_numpy().sum()),
        latents=merged(latents),
        pose_deg=merged(_pose_moments(reader, clips)),
    )
