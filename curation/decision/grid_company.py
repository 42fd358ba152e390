"""Two people in the picture of a grid tick: whether both are alive, and a clip would show both."""

import numpy as np

from curation.decision.main_face import Rivals
from curation.decision.settings import RulesSettings
from curation.evidence.boxes import box_overlap
from curation.evidence.measures import GRID_TICKS, Faces
from curation.rules.still_face import own_shape
from foundation.array_types import Float32Array, Int64Array

__all__ = ["SEEN_GRID_TICKS", "both_live"]

SEEN_GRID_TICKS = 10
"""Grid ticks, this one and those before it, on which a face must have been seen to be known to live: 2 s."""

_CLEARLY = 3.0
"""A face clearly lives where it moves by this many times `rules.still_face.min_motion`, because single pictures are
noisier than the means over three ticks that the rule takes."""


def both_live(
    faces: Faces, grid_tick: Int64Array, number: int, rules: RulesSettings, face_ratio: float
) -> float | None:
    """Return the width of the second face over the first, where the rule `several_faces` clearly fails; else None.

    It does where, whichever face of the tick were the main one, another would count: it is sure, wide enough, in the
    square that a clip would show, and it clearly lives.

    Args:
        faces: of all grid ticks, and maybe of others.
        grid_tick: (G,) ticks that were searched in full, ascending.
        number: of the grid tick, which has two faces or more.
        rules: their settings.
        face_ratio: width of the face over that of the square that a clip shows.
    """
    own = np.arange(*faces.tick.searchsorted((grid_tick[number], grid_tick[number] + 1)))
    sure = faces.score[own] >= rules.several_faces.min_score
    if number + 1 < SEEN_GRID_TICKS or np.count_nonzero(sure) < 2:
        return None
    width = faces.width_px[own]
    rivals = Rivals(min_score=rules.several_faces.min_score, face_ratio=face_ratio)
    measured = np.zeros(len(own), dtype=np.float32)
    counting: set[int] = set()
    for main in range(len(own)):
        shown = rivals.count(faces.box_px[own], main, measured) & sure
        shown[main] = False
        wide = shown & (width >= rules.several_faces.max_width_ratio * width[main])
        if not wide.any():
            return None
        counting.add(int(np.flatnonzero(wide)[0]))
    recent = grid_tick[number + 1 - SEEN_GRID_TICKS : number + 1]
    if np.any(np.diff(recent) >= 2 * GRID_TICKS):
        return None
    limit = _CLEARLY * rules.still_face.min_motion
    if not all(_motion(faces, recent, int(own[rival]), rules.tracks.min_overlap) >= limit for rival in counting):
        return None
    return float(width[sure][1] / width[sure][0])


def _motion(faces: Faces, recent: Int64Array, face: int, min_overlap: float) -> float:
    """Return how much a face moves in itself over grid ticks, face widths; 0 where it was not seen on all of them."""
    points: list[Float32Array] = [faces.key_points_px[face]]
    for tick in recent[-2::-1]:
        first, end = faces.tick.searchsorted((tick, tick + 1))
        overlap = box_overlap(faces.box_px[face][None], faces.box_px[first:end])[0]
        if not len(overlap) or overlap.max() < min_overlap:
            return 0.0
        face = int(first + overlap.argmax())
        points.append(faces.key_points_px[face])
    shape = own_shape(np.stack(points))
    return float(np.sqrt(shape.var(axis=0).sum() / shape.shape[1]))
