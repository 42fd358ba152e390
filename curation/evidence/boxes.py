"""Overlap of face boxes, by which detections of one face are linked."""

import numpy as np

from foundation.array_types import Float32Array

__all__ = ["box_overlap", "link_boxes", "paired_overlap"]


def box_overlap(boxes: Float32Array, others: Float32Array) -> Float32Array:
    """Return (N, M) intersection over union of (N, 4) and (M, 4) boxes x0, y0, x1, y1.

    >>> box_overlap(np.array([[0, 0, 2, 2]], np.float32), np.array([[1, 0, 3, 2], [0, 0, 2, 2]], np.float32))
    array([[0.33333334, 1.        ]], dtype=float32)
    """
    return paired_overlap(boxes[:, None], others[None])


def paired_overlap(boxes: Float32Array, others: Float32Array) -> Float32Array:
    """Return (...,) intersection over union of (..., 4) boxes x0, y0, x1, y1, row by row.

    >>> paired_overlap(np.array([[0, 0, 2, 2], [0, 0, 2, 2]]), np.array([[1, 0, 3, 2], [4, 0, 6, 2]])).tolist()
    [0.3333333333333333, 0.0]
    """
    low, high = np.maximum(boxes[..., :2], others[..., :2]), np.minimum(boxes[..., 2:], others[..., 2:])
    shared = _area(np.maximum(high - low, 0.0))
    area, other_area = _area(boxes[..., 2:] - boxes[..., :2]), _area(others[..., 2:] - others[..., :2])
    overlap: Float32Array = shared / np.maximum(area + other_area - shared, 1e-6)
    return overlap


def _area(size: Float32Array) -> Float32Array:
    """Return (...,) areas of (..., 2) widths and heights; numpy's `prod` is slow on axes of two."""
    return size[..., 0] * size[..., 1]


def link_boxes(boxes: Float32Array, others: Float32Array, min_overlap: float) -> dict[int, int]:
    """Return pairs of boxes of one face: the best overlap first, each box at most once.

    Args:
        boxes: (N, 4) x0, y0, x1, y1.
        others: (M, 4) likewise, such as those of the tick before.
        min_overlap: smallest intersection over union of a pair.

    Returns:
        index into `boxes` to index into `others`.
    """
    overlaps = box_overlap(boxes, others)
    pairs: dict[int, int] = {}
    while overlaps.size:
        row, column = divmod(int(overlaps.argmax()), overlaps.shape[1])
        if not overlaps[row, column] >= min_overlap:
            break
        pairs[row] = column
        overlaps[row, :] = overlaps[:, column] = -1.0
    return pairs
