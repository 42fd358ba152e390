"""Sequences of the motion diffusion model: standardised latents, or landmarks, of an excerpt with speech and head pose.

Appendix B.1 names only a work that it follows (pseudo-sentences of Du et al.): N frames, uniform over 125 to 250, from
a start uniform over the clip, drawn for each sample. The reference frame is "randomly sampled" from the entire clip
(GAIA section 4.3), not from the excerpt.

Shapes: B sequences, T frames, D numbers of the target, F speech features, P = 3 angles.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from foundation.array_types import Float16Array, Int64Array
from foundation.text import count_text
from models.motion.face_landmarks import LandmarkStandard
from models.motion.inputs import MotionInputs
from training.data.clips import ClipError, ClipReader, DamagedDataError
from training.data.order import SampleKey
from training.data.randomness import draw_below, draw_share
from training.data.selection import ClipIndex, SelectionError
from training.diffusion.config import SequenceConfig
from training.diffusion.targets import LandmarkTarget, LatentTarget, Target
from training.diffusion.text_conditions import InstructionStates, InstructionTexts
from training.latents.files import read_facts
from training.latents.text_states import TextStates

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
    """Standardised latents, each flattened from (channel, row, column), or coordinates of landmarks."""
    reference_D: Tensor
    speech_TF: Tensor
    pose_deg_TP: Tensor
    """Pitch, yaw, roll."""
    text: InstructionStates | None = None
    """What drives the motion in place of speech; None: speech does."""
    damaged: tuple[str, ...] = ()
    """Messages about damaged clips that this sample replaces."""

    def driven_by(self, other: "MotionSequence") -> "MotionSequence":
        """Return the same with the text of another sample, or its speech, repeated or cut to this one's length."""
        places = torch.arange(len(self.target_TD)) % len(other.speech_TF)
        return self._replace(speech_TF=other.speech_TF[places], text=other.text)

    def inputs(self, device: torch.device) -> MotionInputs:
        """Return what drives the motion, and the reference, as a batch of one; the pose is left to the network."""
        mask_BT = torch.ones(1, len(self.speech_TF), dtype=torch.bool, device=device)
        inputs = MotionInputs(mask_BT, self.reference_D[None].to(device))
        if self.text is None:
            return inputs._replace(speech_BTF=self.speech_TF[None].to(device))
        states_LG, mask_L = self.text
        return inputs._replace(text_BLG=states_LG[None].to(device), text_mask_BL=mask_L[None].to(device))


class MotionSequenceBatch(NamedTuple):
    """Batch of samples, padded with zeros."""

    target_BTD: Tensor
    inputs: MotionInputs
    """Mask, reference, speech, pose and text."""
    damaged: tuple[str, ...]


class MotionSequences(Dataset[MotionSequence]):
    """Sequences by `SampleKey`. A clip counts as one item per `max_frames` frames, and at least once."""

    def __init__(
        self,
        index: ClipIndex,
        latents: Path,
        config: SequenceConfig,
        *,
        seed: int,
        landmarks: LandmarkStandard | None = None,
        states: TextStates | None = None,
    ) -> None:
        """Take the clips of `index` that are long enough.

        Args:
            index: a selection of tier `diffusion`.
            latents: folder of `training.latents.files.latents_folder`.
            config: lengths.
            seed: of the run.
            landmarks: how landmarks are standardised, where these are the target; None: latents are.
            states: of the instructions of the clips, which drive the motion; None: speech does.

        Raises:
            LatentsError: the latents are not complete, or clips of the selection have none.
            TextStatesError: an instruction has no states.
            SelectionError: no clip is long enough, or they do not share one speech encoder.
        """
        self.index = index
        self.config = config
        self.facts = read_facts(latents)
        self.states = states
        self.texts = None if states is None else InstructionTexts(index, states)
        self.speech_encoder = index.speech_encoder if states is None else states.encoder
        self._seed = seed
        self._reader = ClipReader(index)
        self._target: Target = (
            LatentTarget(index, latents, self.facts, self._reader)
            if landmarks is None
            else LandmarkTarget(index, landmarks, self._reader)
        )
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

    @property
    def target_dims(self) -> int:
        """D: numbers of the target of a frame."""
        return self._target.dims

    @cached_property
    def speech_dim(self) -> int:
        """Numbers of the speech features of a frame, those of the first clip that can be read; 0: text drives.

        Raises:
            DamagedDataError: none can be read.
        """
        if self.texts is not None:
            return 0
        reasons = []
        for clip in range(len(self.index)):
            try:
                return int(self._reader.array(clip, "speech_features").shape[1])
            except ClipError as error:
                reasons.append(str(error))
        raise DamagedDataError(
            f"no clip of {self.index.dataset} has speech features that can be read; the first: {reasons[0]}"
        )

    def sha256(self) -> str:
        """Return a digest of what is learned beside the clips: latents, statistics, texts."""
        return self.facts.sha256() if self.texts is None else self.texts.sha256(self.facts.sha256())

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
        rows_ND = self._target.rows(excerpt.clip, [*range(frames.start, frames.stop), excerpt.reference])
        speech_NF = self._speech(excerpt.clip)
        pose_NP = self._reader.array(excerpt.clip, "pose_deg")
        return MotionSequence(
            target_TD=rows_ND[:-1],
            reference_D=rows_ND[-1],
            speech_TF=torch.from_numpy(speech_NF[frames].astype(np.float32)),
            pose_deg_TP=torch.from_numpy(pose_NP[frames].astype(np.float32)),
            text=None if self.texts is None else self.texts.of(excerpt.clip),
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

    def _speech(self, clip: int) -> Float16Array:
        """Return the (N, F) speech features of a clip; F is 0 where text drives the motion."""
        if self.texts is not None:
            return np.zeros((int(self.index.n_frames[clip]), 0), np.float16)
        speech_NF: Float16Array = self._reader.array(clip, "speech_features")
        if speech_NF.shape[1] != self.speech_dim:
            row = self.index.row(clip)
            raise ClipError(
                f"{row.clip_id}: {row.file}: column speech_features has {speech_NF.shape[1]} numbers a frame, other "
                f"clips have {self.speech_dim}"
            )
        return speech_NF


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

    texts = [sequence.text for sequence in sequences if sequence.text is not None]
    return MotionSequenceBatch(
        target_BTD=padded([sequence.target_TD for sequence in sequences]),
        inputs=MotionInputs(
            mask_BT=torch.arange(n_frames) < lengths[:, None],
            reference_BD=torch.stack([sequence.reference_D for sequence in sequences]),
            speech_BTF=None if texts else padded([sequence.speech_TF for sequence in sequences]),
            pose_deg_BTP=padded([sequence.pose_deg_TP for sequence in sequences]),
            text_BLG=torch.stack([text.states_LG for text in texts]) if texts else None,
            text_mask_BL=torch.stack([text.mask_L for text in texts]) if texts else None,
        ),
        damaged=tuple(reason for sequence in sequences for reason in sequence.damaged),
    )
