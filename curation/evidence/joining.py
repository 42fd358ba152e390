"""Evidence joined from windows, or cut to a range of ticks."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from curation.evidence.measures import AudioEvidence, Evidence, FaceMeasures, Faces, FrameEvidence
from foundation.array_types import BoolArray, Float32Array, Int64Array
from manifests.schema.face_measures import FACE_MEASURES, FaceMeasure, Measured

__all__ = ["chosen_faces", "range_of", "rows_of", "scatter_rows", "stitch", "with_audio"]


def rows_of(measures: FaceMeasures, first: int, end: int) -> FaceMeasures:
    """Return rows ``[first, end)``."""
    columns: dict[str, Any] = {
        field.name: None if (values := getattr(measures, field.name)) is None else values[first:end]
        for field in fields(FaceMeasures)
    }
    return FaceMeasures(**columns)


def range_of(evidence: FrameEvidence, first: int, end: int) -> FrameEvidence:
    """Return ticks ``[first, end)`` of evidence of which nothing is trimmed, counted from `first`."""
    first_face, end_face = evidence.faces.tick.searchsorted((first, end))
    columns: dict[str, Any] = {
        field.name: None if (values := getattr(evidence.faces, field.name)) is None else values[first_face:end_face]
        for field in fields(Faces)
    }
    return FrameEvidence(
        decoded=evidence.decoded[first:end],
        faces=Faces(**columns | {"tick": columns["tick"] - first}),
        cut_score=evidence.cut_score[first:end],
        grid=None if evidence.grid is None else evidence.grid[first:end],
        measured=None if evidence.measured is None else evidence.measured[first:end],
    )


def chosen_faces(faces: Faces, chosen: BoolArray) -> Faces:
    """Return those of F faces that are marked in ``chosen``, (F,)."""
    columns: dict[str, Any] = {
        field.name: None if (values := getattr(faces, field.name)) is None else values[chosen]
        for field in fields(Faces)
    }
    return Faces(**columns)


def with_audio(frames: FrameEvidence, audio: AudioEvidence) -> Evidence:
    """Return the evidence of frames and of audio as one."""
    return Evidence(
        decoded=frames.decoded,
        faces=frames.faces,
        cut_score=frames.cut_score,
        trimmed=frames.trimmed,
        grid=frames.grid,
        measured=frames.measured,
        speech_prob=audio.speech_prob,
        loudness_dbfs=audio.loudness_dbfs,
    )


def scatter_rows(evidence: Evidence, ticks: Int64Array, n_ticks: int) -> Evidence:
    """Place the evidence of some ticks among all ticks of a video; the others are trimmed.

    Args:
        evidence: of T ticks.
        ticks: (T,) their numbers in the video, ascending.
        n_ticks: of the video.
    """
    if len(ticks) == n_ticks:
        return evidence
    trimmed = np.ones(n_ticks, dtype=np.bool_)
    trimmed[ticks] = False
    return replace(
        evidence,
        decoded=_flags(evidence.decoded, ticks, n_ticks),
        faces=replace(evidence.faces, tick=ticks[evidence.faces.tick]),
        cut_score=_placed(evidence.cut_score, ticks, n_ticks),
        speech_prob=None if evidence.speech_prob is None else _placed(evidence.speech_prob, ticks, n_ticks),
        loudness_dbfs=None if evidence.loudness_dbfs is None else _placed(evidence.loudness_dbfs, ticks, n_ticks),
        trimmed=trimmed,
        grid=None if evidence.grid is None else _flags(evidence.grid, ticks, n_ticks),
        measured=None if evidence.measured is None else _flags(evidence.measured, ticks, n_ticks),
    )


def _flags(values: BoolArray, ticks: Int64Array, n_ticks: int) -> BoolArray:
    """Return (n_ticks,) flags, False where nothing was measured."""
    placed = np.zeros(n_ticks, dtype=np.bool_)
    placed[ticks] = values
    return placed


def _placed(values: Float32Array, ticks: Int64Array, n_ticks: int) -> Float32Array:
    """Return (n_ticks,) values, NaN where nothing was measured."""
    placed = np.full(n_ticks, np.nan, dtype=np.float32)
    placed[ticks] = values
    return placed


def stitch(parts: Sequence[FrameEvidence]) -> FrameEvidence:
    """Return the evidence of adjacent ranges as that of one."""
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    n_faces = [len(part.faces) for part in parts]
    columns: dict[str, Any] = {
        measure.field: _joined(measure, [getattr(part.faces, measure.field) for part in parts], n_faces)
        for measure in FACE_MEASURES
    }
    tick = np.concatenate([part.faces.tick + start for part, start in zip(parts, starts, strict=True)])
    return FrameEvidence(
        decoded=np.concatenate([part.decoded for part in parts]),
        faces=Faces(tick=tick, parted=_parted([part.faces for part in parts]), **columns),
        cut_score=np.concatenate([part.cut_score for part in parts]),
        grid=_joined_flags(parts, [part.grid for part in parts], default=False),
        measured=_joined_flags(parts, [part.measured for part in parts], default=True),
    )


def _joined_flags(
    parts: Sequence[FrameEvidence], flags: Sequence[BoolArray | None], *, default: bool
) -> BoolArray | None:
    """Return the flags of all parts, `default` in those that have none; None where no part has any."""
    if all(values is None for values in flags):
        return None
    return np.concatenate(
        [np.full(len(part), default) if values is None else values for part, values in zip(parts, flags, strict=True)]
    )


def _parted(parts: Sequence[Faces]) -> BoolArray | None:
    """Return `Faces.parted` of all parts; in one that has its descriptors, these tell."""
    if all(faces.parted is None for faces in parts):
        return None
    return np.concatenate([np.zeros(len(faces), np.bool_) if faces.parted is None else faces.parted for faces in parts])


def _joined(measure: FaceMeasure, blocks: Sequence[Measured | None], n_faces: Sequence[int]) -> Measured | None:
    """Return the rows of all blocks; None where the model does not produce them.

    Evidence without a face does not show whether the model produces them. A sparse measure is missing in a block of
    which nothing was measured.
    """
    if measure.sparse and (some := next((block for block in blocks if block is not None), None)) is not None:
        blocks = [
            measure.missing(n, *some.shape[1:]) if block is None else block
            for block, n in zip(blocks, n_faces, strict=True)
        ]
    with_faces = [block for block, n in zip(blocks, n_faces, strict=True) if n]
    present = [block for block in with_faces or blocks if block is not None]
    return np.concatenate(present) if present and len(present) == len(with_faces or blocks) else None
