"""Shot boundaries from thumbnails: hard cuts, dissolves and fades, without a network.

Thumbnails are compared after brightness and contrast are normalised (mean 0, standard deviation 1), so that lamps,
flashes and automatic exposure are no cuts. Three tests, each about the boundary between two ticks:

- cut: the most similar pair of frames across the boundary differs by much more than neighbours on the same side do.
  After a flash or a hand the frames are as before, and a shaken camera differs on both sides alike.
- dissolve: two frames further apart differ, and all between them are mixtures of the two, which movement is not.
- fade: black begins or ends.

A boundary that one of the first two tests finds must also be found without each of seven regions of the frame in turn,
where captions, banners, logos and inset images lie: these come and go within one shot.

The comparison of a difference with those around it is the idea of PySceneDetect's AdaptiveDetector; the rest is ours.
benchmarks/results/2026-11-shot-boundaries.md compares both, and TransNetV2, on real and made cuts.
"""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from curation.evidence.measures import LEAST_CUT_SCORE
from foundation.array_types import BoolArray, Float32Array, Float64Array

__all__ = ["ContentCuts"]

_SIDE_TICKS = 4
"""Frames on either side of a cut that are compared: a flash of up to 3 ticks lies between them."""

_CUT_STEP_MARGIN = 0.25
"""A cut differs by more than the largest step s between neighbours of one side, plus the lesser of s and this, ..."""

_CUT_OFFSET = 0.05
"""... plus this, all in standard deviations: noise and compression of a still scene."""

_DISSOLVE_REACH_TICKS = (4, 8, 14)
"""Distances of the two compared frames from the boundary: dissolves of up to about 6, 14 and 26 ticks."""

_DISSOLVE_RATIO = 1.5
"""A dissolve's two ends differ by more than this many times the residual of the mixture in the thumbnails between."""

_DISSOLVE_OFFSET = 0.4
"""... plus this, in standard deviations."""

_MIXTURE_STEP = 0.45
"""Largest change of the mixing share from one tick to the next: more is a cut."""

_RIDGE = 1e-3
"""Keeps the mixture of two almost equal thumbnails solvable; in variances of a thumbnail."""

_DARKEST_CONTRAST = 10.0
"""Grey levels: a thumbnail with less contrast than this is not stretched to full contrast, for it would be noise."""

_BLACK_LEVEL = 10.0
"""Grey levels: a thumbnail whose mean and contrast are both below this is black."""

_OVERLAY_BOXES = (
    (18, 27, 0, 48), (15, 23, 0, 48), (0, 8, 0, 48),
    (15, 27, 0, 18), (15, 27, 30, 48), (0, 12, 0, 18), (0, 12, 30, 48),
)  # fmt: skip
"""Top, bottom, left, right in the thumbnail: lower third, band below a face, top band, four corners."""

_REST_LIMIT = 0.45
"""Less than this without one of the boxes: only the box changed. Below the limit for the complete frame, because a jump
cut that just reaches that loses a little without any region."""

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
    thumbnails, black = _normalised(flat)
    cut = _cut_scores(thumbnails)
    _lower_overlays(cut, flat, _SIDE_TICKS, _cut_scores)
    dissolve = _dissolve_scores(thumbnails)
    # Without a region of the frame the middle may be a tick away; with all of it the middle is here.
    _lower_overlays(dissolve, flat, max(_DISSOLVE_REACH_TICKS), partial(_dissolve_scores, in_the_middle=False))
    scores = np.maximum(cut, dissolve)
    scores[1:][black[1:] != black[:-1]] = 1.0
    scores[:1] = 0.0
    return scores.astype(np.float32)


def _normalised(flat: npt.NDArray[np.uint8]) -> tuple[Float32Array, BoolArray]:
    """Return (T, P) thumbnails without their brightness and contrast, and (T,) whether they are black."""
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

    Only boundaries that would be a cut are checked, so that this costs next to nothing.
    """
    for boundary in np.flatnonzero(scores >= LEAST_CUT_SCORE).tolist():
        begin = max(0, boundary - reach_ticks)
        for outside in _outside_boxes():
            rest, _ = _normalised(np.take(flat[begin : boundary + reach_ticks], outside, axis=1))
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


def _cut_scores(thumbnails: Float32Array) -> Float64Array:
    """Return (T,) scores of a hard cut for (T, P) thumbnails.

    With d the mean absolute difference, `across` the least d of any pair on different sides, and `steps` the greatest
    d of neighbours on one side: across / (across + steps + min(steps, 0.25) + 0.05).
    """
    n_ticks = len(thumbnails)
    across = np.full(n_ticks, np.inf)
    steps = np.zeros(n_ticks)
    for lag in range(1, 2 * _SIDE_TICKS):
        difference = _by_lag(thumbnails, lag, lambda later, earlier: np.abs(later - earlier).mean(axis=1))
        for later in range(max(0, lag - _SIDE_TICKS), min(_SIDE_TICKS, lag)):
            across = np.fmin(across, _shifted(difference, later))
        if lag == 1:
            for offset in range(1, _SIDE_TICKS):
                steps = np.fmax(steps, np.fmax(_shifted(difference, offset), _shifted(difference, -offset)))
    across[:1] = 0.0  # nothing lies before the first tick
    return across / (across + steps + np.minimum(steps, _CUT_STEP_MARGIN) + _CUT_OFFSET)


def _dissolve_scores(thumbnails: Float32Array, *, in_the_middle: bool = True) -> Float64Array:
    """Return (T,) scores of the middle of a dissolve for (T, P) thumbnails.

    For ends A and B on either side of the boundary, each thumbnail between is fitted by a A + b B (contrast was taken
    out, so a + b is not 1); b / (a + b) is the share of B. Where that share passes one half at the boundary without a
    jump, and `rest` is the largest residual of the fit in a thumbnail between (RMS):
    |A - B| / (|A - B| + 1.5 rest + 0.4). Unless `in_the_middle`, the share may be anything.
    """
    n_ticks = len(thumbnails)
    products = [
        _by_lag(thumbnails, lag, lambda later, earlier: np.einsum("tp,tp->t", later, earlier) / later.shape[1])
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
    thumbnails: Float32Array, lag: int, compare: Callable[[Float32Array, Float32Array], Float32Array]
) -> Float64Array:
    """Return (T,) numbers: entry i compares thumbnail i with thumbnail i - `lag`; NaN where there is none."""
    compared = np.full(len(thumbnails), np.nan)
    if lag < len(thumbnails):
        compared[lag:] = compare(thumbnails[lag:], thumbnails[: len(thumbnails) - lag])
    return compared


def _shifted(values: Float64Array, offset: int) -> Float64Array:
    """Return (T,) `values` moved so that entry k holds what was at k + `offset`; NaN beyond the ends."""
    moved = np.full(len(values), np.nan)
    if offset >= 0:
        moved[: max(len(values) - offset, 0)] = values[offset:]
    else:
        moved[-offset:] = values[:offset]
    return moved
