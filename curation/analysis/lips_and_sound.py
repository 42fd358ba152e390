"""Comparison of lips with the sound, tick by tick and lag by lag, on the stretches that are worth it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from curation.evidence.measures import Faces
from curation.evidence.track_stretches import MARGIN_TICKS, TrackStretch, united
from curation.media.audio import tick_audio
from curation.media.probe import VideoInfo
from curation.perception.protocols import LipSync
from foundation.array_types import BoolArray, Float32Array, Int64Array
from manifests.schema.face_measures import SYNC_LAG_TICKS
from manifests.timeline import TickRange

__all__ = ["Piece", "ShapesOf", "pieces_of", "shapes_in", "sync_scores"]

ShapesOf = Callable[[Int64Array], tuple[Float32Array, Float32Array | None]]
"""Returns (n, K, 2) landmarks and (n, 52) blendshapes of n faces, given their ascending indices in `Faces`; None where
the model gives no blendshapes."""


def shapes_in(faces: Faces) -> ShapesOf:
    """Return what returns landmarks and blendshapes of these faces."""

    def shapes_of(chosen: Int64Array) -> tuple[Float32Array, Float32Array | None]:
        return faces.landmarks_px[chosen], None if faces.blendshapes is None else faces.blendshapes[chosen]

    return shapes_of


_PIECE_TICKS = 1500
"""Longest part of a stretch that is measured at a time, 60 s: bounds the memory, and does not depend on windows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Ticks that are measured at a time, and those among them whose scores are kept."""

    first_tick: int
    end_tick: int
    kept: TickRange

    def part(self, stretch: TrackStretch) -> TickRange | None:
        """Return the ticks of a stretch in the piece; None where there are none to be kept."""
        first, end = max(self.first_tick, stretch.first_tick), min(self.end_tick, stretch.end_tick)
        return (first, end) if max(first, self.kept[0]) < min(end, self.kept[1]) else None


def pieces_of(stretches: Sequence[TrackStretch]) -> Iterator[Piece]:
    """Yield the pieces that hold all ticks of stretches, in order; each tick is kept in one of them.

    A piece goes on beyond its kept ticks by `MARGIN_TICKS` where a stretch does, so that no tick lacks a score.
    """
    for first, end in united([(stretch.first_tick, stretch.end_tick) for stretch in stretches]):
        n_pieces = -(-(end - first) // _PIECE_TICKS)
        edges = [first + (end - first) * number // n_pieces for number in range(n_pieces + 1)]
        for begin, stop in pairwise(edges):
            yield Piece(
                first_tick=max(first, begin - MARGIN_TICKS),
                end_tick=min(end, stop + MARGIN_TICKS),
                kept=(begin, stop),
            )


def sync_scores(
    info: VideoInfo, stretches: Sequence[TrackStretch], n_faces: int, shapes_of: ShapesOf, model: LipSync
) -> Float32Array | None:
    """Return the (n_faces, 31) scores of faces, NaN where nothing was measured; None where they have no blendshapes.

    The sound is taken as it is in the file. Blendshapes and scores are rounded to half precision, as they are stored,
    so that a dataset of before gets the same scores as a new one.

    Args:
        info: the video, with a sound track.
        stretches: where to measure, by their first tick.
        n_faces: of the evidence of the video.
        shapes_of: returns landmarks and blendshapes of faces.
        model: compares them with the sound.

    Raises:
        MediaError: the file cannot be opened any more.
    """
    scores = np.full((n_faces, 2 * SYNC_LAG_TICKS + 1), np.nan, dtype=np.float32)
    for piece in pieces_of(stretches):
        audio = tick_audio(info, piece.first_tick, piece.end_tick)
        if audio is None:
            raise RuntimeError(f"{info.path}: lips cannot be compared with sound, for there is no sound track")
        sound = model.sound_rows(audio, piece.end_tick - piece.first_tick)
        for stretch in stretches:
            part = piece.part(stretch)
            if part is None:
                continue
            face = stretch.face[part[0] - stretch.first_tick : part[1] - stretch.first_tick]
            found = face >= 0
            landmarks_px, blendshapes = shapes_of(face[found])
            if blendshapes is None:
                return None
            heard = sound[part[0] - piece.first_tick :][: part[1] - part[0]]
            stored = blendshapes.astype(np.float16).astype(np.float32)
            rows = model.scores(_bridged(landmarks_px, found), _bridged(stored, found), heard)
            ticks = np.arange(*part)
            kept = found & (ticks >= piece.kept[0]) & (ticks < piece.kept[1])
            scores[face[kept]] = rows[kept]
    return scores.astype(np.float16).astype(np.float32)


def _bridged(shapes: Float32Array, found: BoolArray) -> Float32Array:
    """Return (T, ...) shapes, linear between the faces found, given those of the ticks on which `found` is true."""
    if found.all():
        return shapes
    ticks, known = np.arange(len(found)), np.flatnonzero(found)
    after = np.clip(np.searchsorted(known, ticks), 0, len(known) - 1)
    before = np.where(found | (after == 0), after, after - 1)
    span = np.maximum(known[after] - known[before], 1)
    share = (np.clip(ticks - known[before], 0, span) / span).astype(np.float32).reshape(-1, *[1] * (shapes.ndim - 1))
    bridged: Float32Array = shapes[before] * (1 - share) + shapes[after] * share
    return bridged
