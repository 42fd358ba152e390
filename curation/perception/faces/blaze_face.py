"""Decoding of MediaPipe's short-range face detector (BlazeFace, 128x128 input).

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs" (2019), sections 3.2 to 3.4; the
numbers are those of MediaPipe's face_detector_graph.
"""

import math

import numpy as np

from foundation.array_types import Float32Array, Float64Array

__all__ = ["INPUT_PX", "anchor_centres", "decode_faces"]

INPUT_PX = 128
"""Side of the detector's input."""

_GRIDS = ((16, 2), (8, 6))
"""Cells per side and anchors per cell of the two feature maps."""

_SAME_FACE_IOU = 0.3
"""Detections that overlap at least this much are one face, and are averaged instead of suppressed (section 3.4)."""


def anchor_centres() -> Float64Array:
    """Return the (896, 2) centres x, y of the anchors, in units of the input's side."""
    grids = []
    for cells, per_cell in _GRIDS:
        line = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(line, line, indexing="ij")
        grids.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0))
    return np.concatenate(grids)


def decode_faces(
    regressions: Float32Array, logits: Float32Array, anchors: Float64Array, min_score: float
) -> tuple[Float64Array, Float64Array]:
    """Return the detected faces, best first.

    Args:
        regressions: (896, 16) per anchor: centre x, y, width, height, then x, y of right eye, left eye, nose, mouth,
            right and left ear, all relative to the anchor, in input pixels.
        logits: (896,) of the score.
        anchors: (896, 2) from `anchor_centres`.
        min_score: least score, above 0 and below 1.

    Returns:
        Points (F, 4, 2): upper left corner, lower right corner, right eye, left eye, in units of the input's side;
        scores (F,).
    """
    # most looks and most anchors show no face: their scores need not be computed
    likely = np.flatnonzero(logits >= math.log(min_score / (1.0 - min_score)))
    if not len(likely):
        return np.zeros((0, 4, 2)), np.zeros(0)
    scores = 1.0 / (1.0 + np.exp(-np.minimum(logits[likely].astype(np.float64), 100.0)))
    order = np.argsort(-scores, kind="stable")
    scores, likely = scores[order], likely[order]
    values, anchors = regressions[likely].astype(np.float64) / INPUT_PX, anchors[likely]
    centres, halves = values[:, 0:2] + anchors, values[:, 2:4] / 2
    eyes = values[:, 4:8].reshape(-1, 2, 2) + anchors[:, None]
    points = np.concatenate([(centres - halves)[:, None], (centres + halves)[:, None], eyes], axis=1)

    faces, best = [], []
    while len(points):
        together = _overlap(points[0], points) >= _SAME_FACE_IOU
        together[0] = True
        faces.append(np.average(points[together], axis=0, weights=scores[together]))
        best.append(scores[0])
        points, scores = points[~together], scores[~together]
    return np.array(faces).reshape(-1, 4, 2), np.array(best)


def _overlap(one: Float64Array, many: Float64Array) -> Float64Array:
    """Return the (F,) intersection over union of the box of one face with those of many."""
    shared = np.minimum(one[1], many[:, 1]) - np.maximum(one[0], many[:, 0])
    shared_area = np.prod(np.clip(shared, 0.0, None), axis=1)
    union = np.prod(one[1] - one[0]) + np.prod(many[:, 1] - many[:, 0], axis=1) - shared_area
    overlap: Float64Array = shared_area / union
    return overlap
