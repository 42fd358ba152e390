"""Figures of systems over videos: means with intervals by bootstrap, FID, and paired tests between systems.

A column's figure of a system is the mean of its videos' figures, so that a long video counts as much as a short one.
The interval draws videos anew. FID is of all frames together (`training.evaluation.frechet`) and has no figure of a
single video, so it takes part in no test.

Shapes: V videos.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from foundation.array_types import Float32Array, Float64Array
from training.comparison.evaluation_table import PairedTest, Score, SystemResult, VideoScores
from training.comparison.video_figures import VideoFigures
from training.evaluation.frechet import feature_moments, fid_with_interval, frechet_distance
from training.ratings.opinion_scores import adjusted_by_holm, mean_opinion, paired_p, resampling

__all__ = ["MeasuredSystem", "paired_tests", "system_result", "video_scores"]

_FID_REPLICATES = 20
"""Each takes as long as one FID, seconds."""


@dataclass(eq=False, slots=True)
class MeasuredSystem:
    """What is known of the videos of a system."""

    name: str
    videos: dict[str, VideoFigures] = field(default_factory=dict)
    """By name."""
    fid_pairs: list[tuple[Float32Array, Float32Array]] = field(default_factory=list)
    """(T, 2048) features of each result and of its true video, as long as each other; mapped from files."""

    def figures(self, column: str, videos: Sequence[str]) -> Float64Array:
        """Return (V,) figures; NaN where a video has none."""
        known = (self.videos.get(video) for video in videos)
        return np.array([np.nan if one is None else one.figures.get(column, np.nan) for one in known])


def system_result(system: MeasuredSystem, columns: Sequence[str], videos: Sequence[str], seed: int) -> SystemResult:
    """Return the row of a system.

    Args:
        system: with its figures.
        columns: keys of the table's columns.
        videos: names of all videos of the table.
        seed: of the intervals.
    """
    scores: dict[str, Score] = {}
    draws = resampling(1, len(videos), seed)
    for column in columns:
        figures_V = system.figures(column, videos)
        n_videos = int(np.isfinite(figures_V).sum())
        if not n_videos:
            continue
        estimate = mean_opinion(figures_V[None], draws)
        several = n_videos > 1
        scores[column] = Score(
            value=estimate.mean,
            low=estimate.low if several else None,
            high=estimate.high if several else None,
            n_videos=n_videos,
            n_frames_left_out=sum(one.left_out.get(column, 0) for one in system.videos.values()),
        )
    if "fid" in columns and system.fid_pairs:
        scores["fid"] = _fid(system.fid_pairs, seed)
    return SystemResult(
        system=system.name,
        n_videos=len(system.videos),
        n_frames=sum(one.n_frames for one in system.videos.values()),
        scores=scores,
    )


def paired_tests(
    systems: Sequence[MeasuredSystem], columns: Sequence[str], videos: Sequence[str], seed: int
) -> tuple[PairedTest, ...]:
    """Return a test of each two systems in each column, on the videos that have a figure of both."""
    draws = resampling(1, len(videos), seed)
    tests = []
    for first, second in combinations(systems, 2):
        for column in columns:
            difference_V = first.figures(column, videos) - second.figures(column, videos)
            n_videos = int(np.isfinite(difference_V).sum())
            if n_videos < 2:
                continue
            estimate = mean_opinion(difference_V[None], draws)
            tests.append(
                PairedTest(
                    first=first.name,
                    second=second.name,
                    column=column,
                    n_videos=n_videos,
                    difference=estimate.mean,
                    low=estimate.low,
                    high=estimate.high,
                    p=paired_p(difference_V[None], seed),
                    p_adjusted=float("nan"),
                )
            )
    adjusted = adjusted_by_holm([test.p for test in tests])
    return tuple(replace(test, p_adjusted=p) for test, p in zip(tests, adjusted, strict=True))


def video_scores(systems: Sequence[MeasuredSystem], columns: Sequence[str]) -> tuple[VideoScores, ...]:
    """Return the figures of every video."""
    return tuple(
        VideoScores(
            system=system.name,
            video=video,
            n_frames=found.n_frames,
            scores={column: found.figures[column] for column in columns if column in found.figures},
        )
        for system in systems
        for video, found in system.videos.items()
    )


def _fid(pairs: Sequence[tuple[Float32Array, Float32Array]], seed: int) -> Score:
    generated, truth = zip(*pairs, strict=True)
    if len(pairs) == 1:
        moments = (feature_moments(np.asarray(side[0])) for side in (generated, truth))
        return Score(value=frechet_distance(*moments), low=None, high=None, n_videos=1)
    found = fid_with_interval(generated, truth, seed=seed, replicates=_FID_REPLICATES)
    return Score(value=found.fid, low=found.low, high=found.high, n_videos=len(pairs))
