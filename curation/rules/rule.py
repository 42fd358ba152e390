"""Rule: a named function over what was measured of a video, and the words that describe its value."""

import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from curation.evidence.main_track import MainTrack
from curation.evidence.measures import Evidence, FaceMeasures
from curation.rules.verdict import Verdict, Verdicts
from foundation.array_types import BoolArray, Float32Array
from foundation.errors import UsageError
from manifests.rule_record import RULE_NAME
from manifests.vocabulary import TIERS, Tier

__all__ = ["Judge", "Keeps", "Limits", "Measure", "MeasuredVideo", "Rule", "RuleError", "rule"]

_NAME = re.compile(RULE_NAME)


class RuleError(UsageError):
    """A rule cannot be used: its name or limit is wrong, or its function raises or returns another type."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredVideo:
    """Measurements of a video of T ticks, by which a rule judges."""

    evidence: Evidence
    """All faces, audio and shot boundaries of the video."""
    face: FaceMeasures
    """(T, ...) the main face, one row per tick; NaN where there is none, interpolated where a short miss is bridged."""
    main: MainTrack
    """Choice of the main face at each tick."""
    breaks: BoolArray
    """(T,) True where a tick does not continue the one before: a shot cut, or a change of the main face."""

    def __len__(self) -> int:
        return len(self.evidence)


Judge = Callable[[MeasuredVideo], Verdicts]

Measure = Callable[[MeasuredVideo], npt.ArrayLike]

Limits = float | Mapping[Tier, float]
"""One limit for all tiers, or one per tier; a rule does not apply to a tier that is missing."""

Keeps = Literal["at most", "at least"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Rule that drops ticks of a video, or divides clips.

    The function `rule` makes one from a measurement and a limit. A rule that is more than a
    comparison with a limit is made from a function that returns verdicts.

    Raises:
        RuleError: `name` is not a word in lower case, there are no words for the value, or `unit`, `keeps` or
            `settings` are of another kind.
    """

    name: str
    """Its outcome in the table `spans`: letters in lower case, digits and underscores."""
    judge: Callable[[MeasuredVideo], Verdicts]
    """Returns value, failed ticks and limit per tier."""
    words: str
    """Description of the value for `explain`, such as "width of the face"."""
    unit: str = ""
    """Unit of the value, such as "px"; empty where there is none."""
    keeps: Keeps = "at most"
    """Whether values up to the limit are kept, or values from the limit on. The value of a span is its worst one."""
    boundary: bool = False
    """Whether a failed tick begins a new clip and is not dropped, as at a shot cut."""
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    """Its settings as JSON values, which `dataset.json` records; empty for a built-in rule."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise RuleError(
                f"a rule is called {self.name!r}; give up to 40 letters in lower case, digits and underscores, such as "
                "'wide_open_mouth'"
            )
        if not isinstance(self.words, str) or not self.words.strip():
            raise RuleError(f"rule {self.name!r} has no words; say what its value is, such as 'width of the face'")
        if not isinstance(self.unit, str):
            raise RuleError(f"rule {self.name!r} has the unit {self.unit!r}; give a text, empty where there is none")
        if self.keeps not in get_args(Keeps):
            raise RuleError(f"rule {self.name!r} keeps {self.keeps!r}; give {' or '.join(map(repr, get_args(Keeps)))}")
        if not isinstance(self.settings, Mapping):
            raise RuleError(f"rule {self.name!r} has settings that are no mapping: {self.settings!r:.80}")

    def verdicts(self, video: MeasuredVideo) -> Verdicts:
        """Return the verdict on every tick of a video, per tier.

        Raises:
            RuleError: the function raised, or returned something other than one value and one flag per tick.
        """
        try:
            given = self.judge(video)
        except RuleError:
            raise
        except Exception as error:
            raise RuleError(f"rule {self.name!r} raised {_described(error)}") from error
        if not isinstance(given, Mapping) or not all(isinstance(verdict, Verdict) for verdict in given.values()):
            raise RuleError(f"rule {self.name!r} returned {given!r:.80}; return a Verdict per tier")
        unknown = [tier for tier in given if tier not in TIERS]
        if unknown:
            raise RuleError(f"rule {self.name!r} returned a verdict for {unknown[0]!r}; tiers are {', '.join(TIERS)}")
        return {tier: self._checked(verdict, len(video)) for tier, verdict in given.items()}

    def _checked(self, verdict: Verdict, n_ticks: int) -> Verdict:
        failed = _array(self.name, verdict.failed)
        if failed.shape != (n_ticks,) or failed.dtype != np.bool_:
            raise RuleError(
                f"rule {self.name!r} returned failed ticks of shape {failed.shape} and type {failed.dtype}; return "
                f"({n_ticks},) truth values, one per tick"
            )
        if not _is_number(verdict.limit):
            raise RuleError(f"rule {self.name!r} returned the limit {verdict.limit!r:.80}; return a number")
        value = _values(self.name, verdict.value, n_ticks)
        return Verdict(value=value, failed=failed.astype(np.bool_, copy=False), limit=float(verdict.limit))


def rule(
    *,
    words: str,
    unit: str = "",
    at_most: Limits | None = None,
    at_least: Limits | None = None,
    name: str | None = None,
    boundary: bool = False,
) -> Callable[[Measure], Rule]:
    """Make a rule of a function that returns a value for every tick; use it as a decorator.

    A tick fails where its value is beyond the limit. A tick whose value is NaN was not measured, and does not fail.

    Args:
        words: description of the value for `explain`, such as "width of the face".
        unit: of the value.
        at_most: largest value that is kept: a number, or one per tier, such as ``{"diffusion": 0.1, "vae": 0.2}``.
        at_least: likewise the smallest one. Give one of the two.
        name: of the rule; None: that of the function.
        boundary: a tick beyond the limit begins a new clip and is not dropped.

    Raises:
        RuleError: the name or a limit cannot be used.

    >>> @rule(words="brightness of the face", at_least=40.0)
    ... def dark_face(video):
    ...     return video.face.luma
    >>> dark_face.name, dark_face.keeps
    ('dark_face', 'at least')
    """

    def made(measure: Measure) -> Rule:
        own = name or str(getattr(measure, "__name__", ""))
        given = [limits for limits in (at_most, at_least) if limits is not None]
        if len(given) != 1:
            raise RuleError(f"rule {own!r} has {len(given) or 'no'} limits; give one of at_most and at_least")
        limits = _limits(own, given[0])
        keeps: Keeps = "at most" if at_least is None else "at least"

        def judge(video: MeasuredVideo) -> Verdicts:
            value = _values(own, measure(video), len(video))
            with np.errstate(invalid="ignore"):
                return {
                    tier: Verdict(
                        value=value, failed=value > limit if keeps == "at most" else value < limit, limit=limit
                    )
                    for tier, limit in limits.items()
                }

        settings: dict[str, JsonValue] = {keeps.replace(" ", "_"): {str(tier): limit for tier, limit in limits.items()}}
        if boundary:
            settings["boundary"] = True
        return Rule(name=own, judge=judge, words=words, unit=unit, keeps=keeps, boundary=boundary, settings=settings)

    return made


def _limits(name: str, limits: Limits) -> dict[Tier, float]:
    """Return a finite limit per tier."""
    per_tier = dict(limits) if isinstance(limits, Mapping) else dict.fromkeys(TIERS, limits)
    if not per_tier or not set(per_tier) <= set(TIERS):
        raise RuleError(
            f"rule {name!r} has limits for {', '.join(map(str, per_tier)) or 'no tier'}; tiers are {', '.join(TIERS)}"
        )
    for tier, limit in per_tier.items():
        if not _is_number(limit) or not np.isfinite(limit):
            raise RuleError(f"rule {name!r} has the limit {limit!r} in tier {tier}; give a number")
    return {tier: float(per_tier[tier]) for tier in TIERS if tier in per_tier}


def _values(name: str, given: npt.ArrayLike, n_ticks: int) -> Float32Array:
    """Return (T,) values of a rule as numbers."""
    values = _array(name, given)
    if values.shape != (n_ticks,) or values.dtype.kind not in "fiub":
        raise RuleError(
            f"rule {name!r} returned values of shape {values.shape} and type {values.dtype}; return ({n_ticks},) "
            "numbers, one per tick"
        )
    return values.astype(np.float32, copy=False)


def _array(name: str, given: npt.ArrayLike) -> npt.NDArray[np.generic]:
    """Return what a rule gave as an array."""
    try:
        return np.asarray(given)
    except (TypeError, ValueError) as error:
        raise RuleError(f"rule {name!r} returned {given!r:.80}, which is no array: {error}") from error


def _is_number(value: object) -> bool:
    """Say whether a value is a real number, of Python or NumPy, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)


def _described(error: Exception) -> str:
    """Return an exception in words, with the line of the rule's code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {frames[-1].filename}, line {frames[-1].lineno}" if len(frames) > 1 else ""
    return f"{type(error).__name__}: {error}{where}"
