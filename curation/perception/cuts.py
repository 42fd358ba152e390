"""Shot boundaries from small pictures: hard cuts, dissolves and fades, without a network.

Pictures are compared with their brightness and contrast taken out (mean 0, standard deviation 1 over the thumbnail), so
that lamps, flashes and automatic exposure are no cuts. Three tests, each about the boundary between two ticks:

- cut: the nearest pair of pictures across the boundary differs by much more than neighbours on the same side do. A
  flash or a hand returns to what was before it, and a shaken camera differs on both sides alike.
- dissolve: two pictures further apart differ, and all between them are mixtures of the two; movement is not.
- fade: black begins or ends.

What the first two find must also be seen without each of seven parts of the picture in turn, where captions, banners,
logos and inset pictures lie: these come and go over one shot.

The idea of asking how a difference compares with those around it is PySceneDetect's AdaptiveDetector's; the rest is
ours. benchmarks/results/2026-11-shot-boundaries.md compares both, and TransNetV2, on real and made cuts.
"""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from curation.evidence.measures import LEAST_CUT_SCORE
from foundation.array_types import BoolArray, Float32Array, Float64Array

__all__ = ["ContentCuts"]

_SIDE_TICKS = 4
"""Pictures on either side of a cut that are compared: a flash of up to 3 ticks is looked across."""

_CUT_STEP_MARGIN = 0.25
"""A cut differs by more than the largest step s between neighbours of one side, plus the lesser of s and this, ..."""

_CUT_OFFSET = 0.05
"""... plus this, all in standard deviations: noise and compression of a still picture."""

_DISSOLVE_REACH_TICKS = (4, 8, 14)
"""Distances of the two compared pictures from the boundary: dissolves of up to about 6, 14 and 26 ticks."""

_DISSOLVE_RATIO = 1.5
"""A dissolve's two ends differ by more than this many times the part of the pictures between that is no mixture."""

_DISSOLVE_OFFSET = 0.4
"""... plus this, in standard deviations."""

_MIXTURE_STEP = 0.45
"""Largest change of the mixing share from one tick to the next: more is a cut."""

_RIDGE = 1e-3
"""Keeps the mixture of two almost equal pictures solvable; in variances of a picture."""

_DARKEST_CONTRAST = 10.0
"""Grey levels: a picture with less contrast than this is not stretched to full contrast, for it would be noise."""

_BLACK_LEVEL = 10.0
"""Grey levels: a picture whose mean and contrast are both below this is black."""

_OVERLAY_BOXES = (
    (18, 27, 0, 48), (15, 23, 0, 48), (0, 8, 0, 48),
    (15, 27, 0, 18), (15, 27, 30, 48), (0, 12, 0, 18), (0, 12, 30, 48),
)  # fmt: skip
"""Top, bottom, left, right in the thumbnail: lower third, band below a face, top band, four corners."""

_REST_LIMIT = 0.45
"""Less than this without one of the boxes: nothing but the box changed. Below the limit of the whole picture, as a jump
cut that just reaches that loses a little without any part."""

_BLOCK_TICKS = 512
"""Boundaries per block, which bounds memory to some 30 MB; the answer does not depend on it."""


class ContentCuts:
    """Scores shot boundaries, 0 to 1.

    A score is 0.5, which is `LEAST_CUT_SCORE`, where a difference just reaches its limit.
    """

    thumb_height_px = 27
    thumb_width_px = 48
    halo_ticks = max(_DISSOLVE_REACH_TICKS)

    def __call__(self, thumbs: npt.NDArray[np.uint8]) -> Float32Array:
        """Return (T,) scores for (T, 27, 48, 3) RGB thumbnails: entry k is about the boundary between k - 1 and k.

        Args:
            thumbs: frames resized by area averaging, whatever their aspect.

        Raises:
            ValueError: the thumbnails have another shape.
        """
        if thumbs.shape[1:] != (self.thumb_height_px, self.thumb_width_px, 3):
            raise ValueError(
                f"thumbs has shape {thumbs.shape}; give (T, {self.thumb_height_px}, {self.thumb_width_px}, 3)"
            )
        n_ticks = len(thumbs)
        scores = np.zeros(n_ticks, np.float32)
        for first in range(0, n_ticks, _BLOCK_TICKS):
            end = min(n_ticks, first + _BLOCK_TICKS)
            begin = max(0, first - self.halo_ticks)
            block = _block_scores(thumbs[begin : end + self.halo_ticks])
            scores[first:end] = block[first - begin : end - begin]
        return scores


def _block_scores(thumbs: npt.NDArray[np.uint8]) -> Float32Array:
    """Return the (T,) scores of (T, h, w, 3) thumbnails that are few enough to be held as floats."""
    flat = thumbs.reshape(len(thumbs), -1)
    pictures, black = _levelled(flat)
    cut = _cut_scores(pictures)
    _lower_overlays(cut, flat, _SIDE_TICKS, _cut_scores)
    dissolve = _dissolve_scores(pictures)
    # Without a part of the picture the middle may be a tick away, and was seen to be here already.
    _lower_overlays(dissolve, flat, max(_DISSOLVE_REACH_TICKS), partial(_dissolve_scores, in_the_middle=False))
    scores = np.maximum(cut, dissolve)
    scores[1:][black[1:] != black[:-1]] = 1.0
    scores[:1] = 0.0
    return scores.astype(np.float32)


def _levelled(flat: npt.NDArray[np.uint8]) -> tuple[Float32Array, BoolArray]:
    """Return (T, P) pictures without their brightness and contrast, and (T,) whether they are black."""
    levels = flat.astype(np.float32)
    mean = levels.mean(axis=1, keepdims=True)
    levels -= mean
    contrast = np.sqrt(np.square(levels).mean(axis=1, keepdims=True))
    black: BoolArray = np.logical_and(mean < _BLACK_LEVEL, contrast < _BLACK_LEVEL)[:, 0]
    return levels / np.maximum(contrast, np.float32(_DARKEST_CONTRAST)), black


def _lower_overlays(
    scores: Float64Array,
    flat: npt.NDArray[np.uint8],
    reach_ticks: int,
    scores_of: Callable[[Float32Array], Float64Array],
) -> None:
    """Lower, in place, each of the (T,) scores that reaches its limit only by what changes within one overlay box.

    Only boundaries that would be a cut are looked at, so that this costs next to nothing.
    """
    for boundary in np.flatnonzero(scores >= LEAST_CUT_SCORE).tolist():
        begin = max(0, boundary - reach_ticks)
        for outside in _outside_boxes():
            rest, _ = _levelled(np.take(flat[begin : boundary + reach_ticks], outside, axis=1))
            score = scores_of(rest)[boundary - begin]
            if score < _REST_LIMIT:
                scores[boundary] = score
                break


@cache
def _outside_boxes() -> tuple[npt.NDArray[np.intp], ...]:
    """Return, per overlay box, the indices of what lies outside it in a flattened thumbnail."""
    outside = []
    for top, bottom, left, right in _OVERLAY_BOXES:
        kept = np.ones((ContentCuts.thumb_height_px, ContentCuts.thumb_width_px, 3), bool)
        kept[top:bottom, left:right] = False
        outside.append(np.flatnonzero(kept))
    return tuple(outside)


def _cut_scores(pictures: Float32Array) -> Float64Array:
    """Return (T,) scores of a hard cut for (T, P) pictures.

    With d the mean absolute difference, `across` the least d of any pair on different sides, and `steps` the greatest
    d of neighbours on one side: across / (across + steps + min(steps, 0.25) + 0.05).
    """
    n_ticks = len(pictures)
    across = np.full(n_ticks, np.inf)
    steps = np.zeros(n_ticks)
    for lag in range(1, 2 * _SIDE_TICKS):
        difference = _by_lag(pictures, lag, lambda later, earlier: np.abs(later - earlier).mean(axis=1))
        for later in range(max(0, lag - _SIDE_TICKS), min(_SIDE_TICKS, lag)):
            across = np.fmin(across, _shifted(difference, later))
        if lag == 1:
            for offset in range(1, _SIDE_TICKS):
                steps = np.fmax(steps, np.fmax(_shifted(difference, offset), _shifted(difference, -offset)))
    across[:1] = 0.0  # nothing lies before the first tick
    return across / (across + steps + np.minimum(steps, _CUT_STEP_MARGIN) + _CUT_OFFSET)


def _dissolve_scores(pictures: Float32Array, *, in_the_middle: bool = True) -> Float64Array:
    """Return (T,) scores of the middle of a dissolve for (T, P) pictures.

    For ends A and B on either side of the boundary, each picture between is fitted by a A + b B (contrast was taken
    out, so a + b is not 1); b / (a + b) is the share of B. Where that share passes one half at the boundary without a
    jump, and `rest` is the largest part of a picture between that the fit leaves over (RMS):
    |A - B| / (|A - B| + 1.5 rest + 0.4). Unless `in_the_middle`, the share may be anything.
    """
    n_ticks = len(pictures)
    products = [
        _by_lag(pictures, lag, lambda later, earlier: np.einsum("tp,tp->t", later, earlier) / later.shape[1])
        for lag in range(2 * max(_DISSOLVE_REACH_TICKS))
    ]
    scores = np.zeros(n_ticks)
    for reach in _DISSOLVE_REACH_TICKS:
        aa = _shifted(products[0], -reach) + _RIDGE
        bb = _shifted(products[0], reach - 1) + _RIDGE
        ab = _shifted(products[2 * reach - 1], reach - 1)
        determinant = aa * bb - ab * ab
        rest = np.zeros(n_ticks)
        share: dict[int, Float64Array] = {}
        for offset in range(1 - reach, reach - 1):
            xa = _shifted(products[offset + reach], offset)
            xb = _shifted(products[reach - 1 - offset], reach - 1)
            of_a = (bb * xa - ab * xb) / determinant
            of_b = (aa * xb - ab * xa) / determinant
            left_over = _shifted(products[0], offset) - of_a * xa - of_b * xb
            rest = np.maximum(rest, np.sqrt(np.maximum(left_over, 0.0)))
            if offset in {-1, 0}:
                share[offset] = np.clip(of_b / np.maximum(of_a + of_b, _RIDGE), 0.0, 1.0)
        passes = (share[-1] <= 0.5) & (share[0] >= 0.5) & (share[0] - share[-1] < _MIXTURE_STEP)
        ends = np.sqrt(np.maximum(aa + bb - 2 * ab, 0.0))
        score = ends / (ends + _DISSOLVE_RATIO * rest + _DISSOLVE_OFFSET)
        scores = np.fmax(scores, np.where(passes, score, 0.0) if in_the_middle else score)
    return scores


def _by_lag(
    pictures: Float32Array, lag: int, compare: Callable[[Float32Array, Float32Array], Float32Array]
) -> Float64Array:
    """Return (T,) numbers: entry i compares picture i with picture i - `lag`; NaN where there is no such picture."""
    compared = np.full(len(pictures), np.nan)
    if lag < len(pictures):
        compared[lag:] = compare(pictures[lag:], pictures[: len(pictures) - lag])
    return compared


def _shifted(values: Float64Array, offset: int) -> Float64Array:
    """Return (T,) `values` moved so that entry k holds what was at k + `offset`; NaN beyond the ends."""
    moved = np.full(len(values), np.nan)
    if offset >= 0:
        moved[: max(len(values) - offset, 0)] = values[offset:]
    else:
        moved[-offset:] = values[:offset]
    return moved
