"""The table of ratings: mean opinion scores of systems, agreement of raters, paired tests between systems."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from foundation.array_types import Float64Array
from foundation.json_text import json_text
from foundation.text import count_text, shown, text_table
from training.ratings.grades import CRITERIA
from training.ratings.opinion_scores import Estimate, adjusted_by_holm, mean_opinion, paired_p, resampling
from training.ratings.published_scores import PUBLISHED
from training.ratings.rater_agreement import krippendorff_alpha
from training.ratings.rating_files import RatingKey, RatingsError, RatingsFile, read_key, read_ratings

__all__ = ["Comparison", "RatingTable", "SystemScores", "rating_table"]


_MOST_VIDEOS = 2_000
"""By system; the draws of the bootstrap take 32 kB for each."""

_MOST_WORK = 300_000
"""Comparisons of systems, times five for each video and one for each rater: these take half a minute."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SystemScores:
    """Mean opinion scores of a system."""

    system: str
    n_ratings: int
    """Videos rated, summed over raters."""
    scores: dict[str, Estimate]
    """By criterion."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One system less another, on the videos that the same raters saw of both."""

    first: str
    second: str
    criterion: str
    n_pairs: int
    """Videos with both grades of one rater, summed over raters."""
    difference: Estimate
    p: float
    """Of a test by changes of sign, two-sided."""
    p_adjusted: float
    """For all comparisons of the table, by Holm's method."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RatingTable:
    """What raters said; its `str` is a report for people."""

    sheet: str
    """Id of the rating sheet."""
    raters: tuple[str, ...]
    """Names of those who sent ratings."""
    n_videos: int
    """Videos of each system that were rated."""
    systems: tuple[SystemScores, ...]
    """Best first."""
    agreement: dict[str, float]
    """Krippendorff's alpha by criterion; NaN where it has no value."""
    comparisons: tuple[Comparison, ...]
    """Every pair of systems, by criterion."""
    notes: tuple[str, ...]
    """What was left out, and why."""

    def __str__(self) -> str:
        """Return the tables, and the paper's own figures below them."""
        n_ratings = sum(system.n_ratings for system in self.systems)
        counts = (
            count_text(len(self.raters), "rater"),
            count_text(self.n_videos, "video"),
            count_text(len(self.systems), "system"),
            count_text(n_ratings, "rating"),
        )
        parts = [
            f"Sheet {self.sheet}: {', '.join(counts)}",
            *(f"note: {note}" for note in self.notes),
            "",
            "Mean opinion score, 1 to 5, with its 95 % interval over raters and videos",
            self._scores(),
        ]
        if self.comparisons:
            parts += ["", "Differences between systems, on the same videos of the same raters", self._differences()]
        parts += ["", "As the paper prints it, of its own raters and videos; not to be compared", _published()]
        return shown("\n".join(parts), several_lines=True)

    def json(self) -> str:
        """Return all figures as JSON, NaN as null."""
        return json_text({**asdict(self), "published": dict(PUBLISHED)}, indent=2)

    def _scores(self) -> str:
        rows = [
            [one.system, *(_estimate(one.scores[criterion.key]) for criterion in CRITERIA), str(one.n_ratings)]
            for one in self.systems
        ]
        alphas = [self.agreement[criterion.key] for criterion in CRITERIA]
        rows.append(["agreement (alpha)", *(f"{alpha:.2f}" if np.isfinite(alpha) else "none" for alpha in alphas), ""])
        header = ["system", *(criterion.short for criterion in CRITERIA), "ratings"]
        return text_table(header, rows, numeric=[False, *([True] * (len(CRITERIA) + 1))])

    def _differences(self) -> str:
        names = {criterion.key: criterion.short for criterion in CRITERIA}
        rows = [
            [
                f"{one.first} - {one.second}",
                names[one.criterion],
                _estimate(one.difference, signed=True),
                _p(one.p),
                _p(one.p_adjusted),
                str(one.n_pairs),
            ]
            for one in self.comparisons
        ]
        header = ["systems", "criterion", "difference", "p", "p, adjusted", "pairs"]
        return text_table(header, rows, numeric=[False, False, True, True, True, True])


def rating_table(key: str | Path, ratings: Sequence[str | Path], *, seed: int = 0) -> RatingTable:
    """Return mean opinion scores with intervals, agreement and paired tests from the files that raters saved.

    Args:
        key: that `write_rating_sheet` wrote beside the sheet.
        ratings: files, and folders of them.
        seed: of the bootstrap and the tests.

    Raises:
        RatingsError: a file cannot be used, there is no rating, or there are too many raters, videos and systems; the
            message has the file and the fault.
    """
    known = read_key(Path(key))
    given = read_ratings(known, [Path(path) for path in ratings])
    videos = sorted({item.video for item in known.items.values()})
    _require_room(key, len(known.systems), len(videos), len(given))
    grades_CSRV = _grades(known, given, videos)
    if not np.isfinite(grades_CSRV).any():
        raise RatingsError(
            f"the {count_text(len(given), 'file holds', 'files hold')} no rating; give files of raters who have begun"
        )
    draws = resampling(len(given), len(videos), seed)
    systems = tuple(
        SystemScores(
            system=system,
            n_ratings=int(np.isfinite(grades_CSRV[0, s]).sum()),
            scores={one.key: mean_opinion(grades_CSRV[c, s], draws) for c, one in enumerate(CRITERIA)},
        )
        for s, system in enumerate(known.systems)
    )
    comparisons = []
    for (s, first), (t, second) in combinations(enumerate(known.systems), 2):
        for c, criterion in enumerate(CRITERIA):
            difference_RV = grades_CSRV[c, s] - grades_CSRV[c, t]
            comparisons.append(
                Comparison(
                    first=first,
                    second=second,
                    criterion=criterion.key,
                    n_pairs=int(np.isfinite(difference_RV).sum()),
                    difference=mean_opinion(difference_RV, draws),
                    p=paired_p(difference_RV, seed),
                    p_adjusted=float("nan"),
                )
            )
    return RatingTable(
        sheet=known.sheet,
        raters=tuple(one.rater for one in given),
        n_videos=len(videos),
        systems=systems,
        agreement={
            one.key: krippendorff_alpha(grades_CSRV[c].swapaxes(0, 1).reshape(len(given), -1))
            for c, one in enumerate(CRITERIA)
        },
        comparisons=_adjusted(comparisons),
        notes=tuple(_notes(given)),
    )


def _require_room(key: str | Path, n_systems: int, n_videos: int, n_raters: int) -> None:
    """Refuse what would take minutes or all memory: the files may come from anyone.

    Raises:
        RatingsError: it would.
    """
    work = n_systems * (n_systems + 1) // 2 * (5 * n_videos + n_raters)
    if n_videos > _MOST_VIDEOS or work > _MOST_WORK:
        raise RatingsError(
            f"{key} has {count_text(n_systems, 'system')} of {count_text(n_videos, 'video')}, which with "
            f"{count_text(n_raters, 'rater')} is too much for one table; write sheets of fewer systems or videos"
        )


def _grades(key: RatingKey, given: Sequence[RatingsFile], videos: Sequence[str]) -> Float64Array:
    """Return (C, S, R, V) grades by criterion, system, rater and video; NaN: not rated."""
    systems = {name: s for s, name in enumerate(key.systems)}
    columns = {name: v for v, name in enumerate(videos)}
    grades_CSRV: Float64Array = np.full((len(CRITERIA), len(systems), len(given), len(videos)), np.nan)
    for r, one in enumerate(given):
        for rating in one.ratings:
            item = key.items[rating.item]
            grades_CSRV[:, systems[item.system], r, columns[item.video]] = [rating.grades[c.key] for c in CRITERIA]
    return grades_CSRV


def _adjusted(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    adjusted = adjusted_by_holm([one.p for one in comparisons])
    return tuple(replace(one, p_adjusted=p) for one, p in zip(comparisons, adjusted, strict=True))


def _notes(given: Sequence[RatingsFile]) -> list[str]:
    notes = []
    unfinished = [one.rater for one in given if len(one.ratings) + len(one.left_out) < one.n_items]
    if unfinished:
        notes.append(f"not all videos are rated by {', '.join(unfinished)}")
    if left_out := sum(len(one.left_out) for one in given):
        notes.append(f"{count_text(left_out, 'video')} did not play in a rater's browser")
    if len(given) == 1:
        notes.append("there is one rater: the intervals are over videos alone, and agreement has no value")
    return notes


def _estimate(one: Estimate, *, signed: bool = False) -> str:
    if not np.isfinite(one.mean):
        return "not rated"
    sign = "+" if signed else ""
    return f"{one.mean:{sign}.2f} [{one.low:{sign}.2f}, {one.high:{sign}.2f}]"


def _p(p: float) -> str:
    if not np.isfinite(p):
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _published() -> str:
    rows = [[name, *(f"{score:.3f}" for score in scores)] for name, scores in PUBLISHED.items()]
    return text_table(
        ["system", *(criterion.short for criterion in CRITERIA)], rows, numeric=[False, *([True] * len(CRITERIA))]
    )
