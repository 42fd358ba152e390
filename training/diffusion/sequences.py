"""Sequences of the motion diffusion model: standardised latents of an excerpt of a clip, with speech and head pose.

Appendix B.1 names only a work that it follows (pseudo-sentences of Du et al.): N frames, uniform over 125 to 250, from
a start uniform over the clip, drawn for each sample. The reference frame is "randomly sampled" from the entire clip
(GAIA section 4.3), not from the excerpt.

Shapes: B sequences, T frames, D numbers of a latent, F speech features, P = 3 angles.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from foundation.array_types import Float16Array, Int64Array
from foundation.text import count_text
from manifests.errors import DatasetError
from models.motion.inputs import MotionInputs
from training.data.clips import ClipError, ClipReader, DamagedDataError
from training.data.order import SampleKey
from training.data.randomness import draw_below, draw_share
from training.data.rows import RowPlace, RowReader
from training.data.selection import ClipIndex, SelectionError
from training.diffusion.config import SequenceConfig
from training.latents.files import LATENTS, LatentsError, latent_places, read_facts

__all__ = ["Excerpt", "MotionSequence", "MotionSequenceBatch", "MotionSequences", "SequenceConfig", "collate_sequences"]

LENGTHS_MULTIPLE = 25
"""Batches are padded to a multiple of it, so that 125 to 250 frames give six shapes at most, 75 to 250 eight."""

_ATTEMPTS = 16
"""Substitutes that are tried for a damaged clip."""


class Excerpt(NamedTuple):
    """Frames of a clip that are drawn for a sample."""

    clip: int
    start: int
    n_frames: int
    reference: int
    """Frame of the clip."""


class MotionSequence(NamedTuple):
    """One sample."""

    target_TD: Tensor
    """Standardised latents, each flattened from (channel, row, column)."""
    reference_D: Tensor
    speech_TF: Tensor
    pose_deg_TP: Tensor
    """Pitch, yaw, roll."""
    damaged: tuple[str, ...] = ()
    """Messages about damaged clips that this sample replaces."""


class MotionSequenceBatch(NamedTuple):
    """Batch of samples, padded with zeros."""

    target_BTD: Tensor
    inputs: MotionInputs
    """Mask, reference, speech and pose."""
    damaged: tuple[str, ...]


class MotionSequences(Dataset[MotionSequence]):
    """Sequences by `SampleKey`. A clip counts as one item per `max_frames` frames, and at least once."""

    def __init__(self, index: ClipIndex, latents: Path, config: SequenceConfig, *, seed: int) -> None:
        """Take the clips of `index` that are long enough.

        Args:
            index: a selection of tier `diffusion`.
            latents: folder of `training.latents.files.latents_folder`.
            config: lengths.
            seed: of the run.

        Raises:
            LatentsError: the latents are not complete, or clips of the selection have none.
            SelectionError: no clip is long enough, or they do not share one speech encoder.
        """
        self.index = index
        self.config = config
        self.facts = read_facts(latents)
        self.speech_encoder = index.speech_encoder
        self._statistics = self.facts.statistics()
        self._seed = seed
        self._reader = ClipReader(index)
        self._rows = RowReader()
        self._places = _places(index, latents)
        self._least = config.short_frames if config.allow_short else config.min_frames
        n_frames = index.n_frames
        long_enough = np.flatnonzero(n_frames >= self._least)
        if not len(long_enough):
            raise SelectionError(_too_short(index, n_frames, config))
        visits = np.maximum(1, n_frames[long_enough] // config.max_frames)
        items = long_enough.repeat(visits)
        # sorted by length, so that the clips that are long enough for a batch are the last items
        self._clip_of_item: Int64Array = items[np.argsort(n_frames[items], kind="stable")]
        self._n_frames = n_frames[self._clip_of_item]

    def __len__(self) -> int:
        return len(self._clip_of_item)

    @cached_property
    def speech_dim(self) -> int:
        """Numbers of the speech features of a frame, those of the first clip that can be read.

        Raises:
            DamagedDataError: none can be read.
        """
        reasons = []
        for clip in range(len(self.index)):
            try:
                return int(self._reader.array(clip, "speech_features").shape[1])
            except ClipError as error:
                reasons.append(str(error))
        raise DamagedDataError(
            f"no clip of {self.index.dataset} has speech features that can be read; the first: {reasons[0]}"
        )

    def excerpt_of(self, key: SampleKey, attempt: int = 0) -> Excerpt:
        """Return the excerpt of a sample, or of its substitute number `attempt` above 0."""
        stream = (self._seed, "sequence", key.epoch, key.item, attempt)
        item = draw_below(len(self), *stream, "substitute") if attempt else key.item
        config = self.config
        if config.length_mode == "per_batch":
            longest = min(config.max_frames, int(self._n_frames[-1]))
            least = min(config.min_frames, longest)
            n_frames = least + int(draw_share(self._seed, "length", key.batch) * (longest - least + 1))
            first = int(np.searchsorted(self._n_frames, n_frames))
            if item < first:
                item = first + draw_below(len(self) - first, *stream, "longer")
        else:
            longest = min(config.max_frames, int(self._n_frames[item]))
            least = config.min_frames if longest >= config.min_frames else config.short_frames
            n_frames = least + draw_below(longest - least + 1, *stream, "length")
        clip_frames = int(self._n_frames[item])
        return Excerpt(
            clip=int(self._clip_of_item[item]),
            start=draw_below(clip_frames - n_frames + 1, *stream, "start"),
            n_frames=n_frames,
            reference=draw_below(clip_frames, *stream, "reference"),
        )

    def sequence(self, excerpt: Excerpt) -> MotionSequence:
        """Return an excerpt of a clip.

        Raises:
            ClipError: the clip is damaged.
        """
        frames = slice(excerpt.start, excerpt.start + excerpt.n_frames)
        latents_ND = self._latents(excerpt.clip)
        speech_NF = self._reader.array(excerpt.clip, "speech_features")
        if speech_NF.shape[1] != self.speech_dim:
            row = self.index.row(excerpt.clip)
            raise ClipError(
                f"{row.clip_id}: {row.file}: column speech_features has {speech_NF.shape[1]} numbers a frame, other "
                f"clips have {self.speech_dim}"
            )
        pose_NP = self._reader.array(excerpt.clip, "pose_deg")
        return MotionSequence(
            target_TD=self._standardised(latents_ND[frames]),
            reference_D=self._standardised(latents_ND[excerpt.reference][None])[0],
            speech_TF=torch.from_numpy(speech_NF[frames].astype(np.float32)),
            pose_deg_TP=torch.from_numpy(pose_NP[frames].astype(np.float32)),
        )

    def __getitem__(self, key: SampleKey) -> MotionSequence:
        """Return a sample.

        Raises:
            DamagedDataError: its substitutes are damaged as well.
        """
        damaged: tuple[str, ...] = ()
        for attempt in range(_ATTEMPTS):
            try:
                return self.sequence(self.excerpt_of(key, attempt))._replace(damaged=damaged)
            except ClipError as error:
                damaged = (*damaged, str(error))
        raise DamagedDataError(
            f"{_ATTEMPTS} clips in a row are damaged; `gaia-curate validate {self.index.dataset}` lists all damage. "
            f"The first: {damaged[0]}"
        )

    def _latents(self, clip: int) -> Float16Array:
        """Return the (N, D) latents of a clip, not standardised."""
        where = self.index.row(clip)
        place = self._places[where.clip_id]
        file, n_numbers = place.file, math.prod(self.facts.latent_shape)
        try:
            latents = self._rows.array(place, LATENTS.column("latents").field, (n_numbers,), where.n_frames)
        except (ValueError, KeyError, OSError) as error:  # Arrow's errors are among them
            with suppress(OSError, DatasetError):
                self._reader.look_again(clip)  # `gaia-curate forget` removes files of latents with a person's clips
            remedy = "" if file.exists() else "; encode them again with `gaia-train latents`, and resume"
            raise ClipError(f"{where.clip_id}: {file}: its latents cannot be read: {error}{remedy}") from error
        if latents is None or len(latents) != where.n_frames:
            raise ClipError(f"{where.clip_id}: {file}: it has no latents, because it was damaged when it was encoded")
        if latents.shape[1] != n_numbers:
            raise ClipError(f"{where.clip_id}: {file}: its latents have another shape than latents.json says")
        return latents.astype(np.float16, copy=False)

    def _standardised(self, latents_ND: Float16Array) -> Tensor:
        latents_NCHW = latents_ND.astype(np.float64).reshape(-1, *self.facts.latent_shape)
        return self._statistics.standardise(torch.from_numpy(latents_NCHW)).flatten(1)


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


def _too_short(index: ClipIndex, n_frames: Int64Array, config: SequenceConfig) -> str:
    usable = int(np.count_nonzero(n_frames >= config.short_frames))
    summary = (
        f"{index.dataset}: the longest of {count_text(len(index), 'clip')} has "
        f"{count_text(int(n_frames.max()), 'frame')}, and sequences have {config.min_frames} to {config.max_frames}"
    )
    if usable and not config.allow_short:
        used = f"{count_text(usable, 'clip')} of {config.short_frames} and more"
        return f"{summary}; set sequences.allow_short=true to use {used}"
    return f"{summary}; select longer clips"


def collate_sequences(sequences: Sequence[MotionSequence], *, least_frames: int = 1) -> MotionSequenceBatch:
    """Collate samples, padded to a multiple of 25 frames, and to at least `least_frames`."""
    lengths = torch.tensor([len(sequence.target_TD) for sequence in sequences])
    n_frames = -max(least_frames, int(lengths.max())) // LENGTHS_MULTIPLE * -LENGTHS_MULTIPLE

    def padded(rows: list[Tensor]) -> Tensor:
        filled = rows[0].new_zeros(len(rows), n_frames, rows[0].shape[1])
        for sequence, row in zip(filled, rows, strict=True):
            sequence[: len(row)] = row
        return filled

    return MotionSequenceBatch(
        target_BTD=padded([sequence.target_TD for sequence in sequences]),
        inputs=MotionInputs(
            mask_BT=torch.arange(n_frames) < lengths[:, None],
            reference_BD=torch.stack([sequence.reference_D for sequence in sequences]),
            speech_BTF=padded([sequence.speech_TF for sequence in sequences]),
            pose_deg_BTP=padded([sequence.pose_deg_TP for sequence in sequences]),
        ),
        damaged=tuple(reason for sequence in sequences for reason in sequence.damaged),
    )
