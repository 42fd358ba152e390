"""What the motion diffusion model learns of a clip: the latents that a VAE made of it, or its landmarks.

Shapes: N frames, D numbers of the target per frame, K landmarks.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from foundation.array_types import Float64Array
from foundation.text import count_text
from manifests.errors import DatasetError
from manifests.landmarks import landmark_scheme
from models.motion.face_landmarks import LandmarkStandard
from training.data.clips import ClipError, ClipReader, DamagedDataError
from training.data.rows import RowPlace, RowReader
from training.data.selection import ClipIndex
from training.latents.files import LATENTS, LatentFacts, LatentsError, latent_places

__all__ = ["LandmarkTarget", "LatentTarget", "Target", "measured_standard"]

_MEASURED_CLIPS, _FRAMES_EACH = 1000, 25
"""Most clips, evenly spread over the selection, and frames of each by which coordinates are standardised."""


class Target(Protocol):
    """Standardised numbers of the frames of clips."""

    @property
    def dims(self) -> int:
        """D."""
        ...

    def rows(self, clip: int, frames: Sequence[int]) -> Tensor:
        """Return the (N, D) numbers of frames of a clip.

        Raises:
            ClipError: the clip is damaged.
        """
        ...


class LatentTarget:
    """Latents of a VAE, each flattened from (channel, row, column)."""

    def __init__(self, index: ClipIndex, latents: Path, facts: LatentFacts, reader: ClipReader) -> None:
        """Find the latents of each clip.

        Raises:
            LatentsError: clips of the selection have none.
        """
        self._index, self._facts, self._reader = index, facts, reader
        self._statistics = facts.statistics()
        self._rows = RowReader()
        self._places = _places(index, latents)

    @property
    def dims(self) -> int:
        """D."""
        return math.prod(self._facts.latent_shape)

    def rows(self, clip: int, frames: Sequence[int]) -> Tensor:
        """Return the (N, D) standardised latents of frames of a clip.

        Raises:
            ClipError: the clip is damaged.
        """
        where = self._index.row(clip)
        place = self._places[where.clip_id]
        file = place.file
        try:
            latents = self._rows.array(place, LATENTS.column("latents").field, (self.dims,), where.n_frames)
        except (ValueError, KeyError, OSError) as error:  # Arrow's errors are among them
            with suppress(OSError, DatasetError):
                self._reader.look_again(clip)  # `gaia-curate forget` removes files of latents with a person's clips
            remedy = "" if file.exists() else "; encode them again with `gaia-train latents`, and resume"
            raise ClipError(f"{where.clip_id}: {file}: its latents cannot be read: {error}{remedy}") from error
        if latents is None or len(latents) != where.n_frames:
            raise ClipError(f"{where.clip_id}: {file}: it has no latents, because it was damaged when it was encoded")
        if latents.shape[1] != self.dims:
            raise ClipError(f"{where.clip_id}: {file}: its latents have another shape than latents.json says")
        latents_NCHW = latents[list(frames)].astype(np.float64).reshape(-1, *self._facts.latent_shape)
        return self._statistics.standardise(torch.from_numpy(latents_NCHW)).flatten(1)


class LandmarkTarget:
    """Landmarks of the manifest, x and y of each point in turn."""

    def __init__(self, index: ClipIndex, standard: LandmarkStandard, reader: ClipReader) -> None:
        self._index, self._standard, self._reader = index, standard, reader

    @property
    def dims(self) -> int:
        """D."""
        return 2 * self._standard.n_points

    def rows(self, clip: int, frames: Sequence[int]) -> Tensor:
        """Return the (N, D) standardised coordinates of frames of a clip.

        Raises:
            ClipError: the clip is damaged.
        """
        landmarks_NK2 = self._reader.array(clip, "landmarks", list(frames)).astype(np.float32)
        return self._standard.standardise(torch.from_numpy(landmarks_NK2), self._index.clip_px)


def measured_standard(index: ClipIndex) -> LandmarkStandard:
    """Return mean and standard deviation of each coordinate over a selection; damaged clips add nothing.

    Raises:
        DamagedDataError: all that were looked at are damaged.
    """
    reader = ClipReader(index)
    n_clips = min(len(index), _MEASURED_CLIPS)
    count = 0
    reasons: list[str] = []
    n_points = landmark_scheme(index.landmark_scheme).n_points
    mean_D: Float64Array = np.zeros(2 * n_points)
    squares_D: Float64Array = np.zeros(2 * n_points)
    for clip in np.linspace(0, len(index) - 1, n_clips).round().astype(int).tolist():
        try:
            n_frames = reader.index.row(clip).n_frames
            frames = np.linspace(0, n_frames - 1, min(n_frames, _FRAMES_EACH)).round().astype(int).tolist()
            landmarks_NK2 = reader.array(clip, "landmarks", frames)
        except ClipError as error:
            reasons.append(str(error))
            continue
        for row_D in landmarks_NK2.reshape(len(frames), -1).astype(np.float64) / index.clip_px:
            count += 1  # Welford, 1962
            before_D = row_D - mean_D
            mean_D = mean_D + before_D / count
            squares_D = squares_D + before_D * (row_D - mean_D)
    if not count:
        raise DamagedDataError(
            f"no clip of {index.dataset} has landmarks that can be read, of {n_clips} that were looked at; the first: "
            f"{reasons[0]}"
        )
    standard = LandmarkStandard(n_points)
    standard.set(torch.from_numpy(mean_D), torch.from_numpy(np.sqrt(squares_D / count)))
    return standard


def _places(index: ClipIndex, latents: Path) -> dict[str, RowPlace]:
    """Return where the latents of each clip lie."""
    places = latent_places(latents)
    missing = [name for name in index.rows["clip_id"].to_pylist() if name not in places]
    if missing:
        raise LatentsError(
            f"{latents} has no latents of {len(missing)} of {count_text(len(index), 'clip')}, such as {missing[0]}; "
            f"run `gaia-train latents {index.dataset} --vae VAE_RUN` again, or use the data.where of that call"
        )
    return places
