"""Videos prepared in batches, once for all combinations of limits that ask for the same preparation."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from curation.evidence.measures import Evidence
from curation.rules.rule import Rule, RuleError
from curation.settings import CurationSettings
from curation.what_if.preparing import preparation_of, prepared, varied_rules
from curation.what_if.tried_videos import TriedVideo, TriedVideos, joined
from foundation.array_types import BoolArray, Int64Array
from foundation.errors import UsageError
from manifests.errors import DatasetError

__all__ = ["Batch", "Plan", "batches_of", "plan_of"]

_BATCH_TICKS = 500_000
"""Ticks on which combinations are tried at once: at a few hundred bytes each, they take some hundred MB."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Plan:
    """What is prepared for C combinations."""

    kinds: tuple[CurationSettings, ...]
    """One combination of each kind: those of a kind ask for the same preparation."""
    kind: Int64Array
    """(C,) number of the kind of each combination."""
    varied: tuple[str, ...]
    """Rules of single ticks whose settings differ between combinations."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Batch:
    """Some V videos, prepared."""

    first: int
    """Number of the first one."""
    unmeasured: BoolArray
    """(K, V) whether ticks that were not measured could hold a clip, by kind."""
    times_prepared: Int64Array
    """(V,) how often each was prepared."""
    rows: tuple[tuple[tuple[int, ...], TriedVideos], ...]
    """Numbers of kinds, and the videos that are prepared for them."""


def plan_of(settings: Sequence[CurationSettings]) -> Plan:
    """Return what is to be prepared for these combinations."""
    varied = varied_rules(settings)
    kinds: dict[Hashable, int] = {}
    chosen: list[CurationSettings] = []
    kind = []
    for one in settings:
        key = preparation_of(one, varied)
        if key not in kinds:
            kinds[key] = len(chosen)
            chosen.append(one)
        kind.append(kinds[key])
    return Plan(kinds=tuple(chosen), kind=np.array(kind, dtype=np.int64), varied=varied)


def batches_of(videos: Iterable[tuple[str, Evidence]], plan: Plan, own: Sequence[Rule]) -> Iterator[Batch]:
    """Prepare videos and yield them in batches.

    Args:
        videos: each with its name, for messages.
        plan: what is to be prepared.
        own: rules of the user's own.

    Raises:
        DatasetError: evidence was measured with another identity.
        RuleError: a rule of the user's own raised.
    """
    waiting: dict[tuple[int, ...], list[TriedVideo]] = {}
    unmeasured: list[tuple[int, ...]] = []
    times: list[int] = []
    first = n_ticks = 0

    def batch() -> Batch:
        flags = np.zeros((len(plan.kinds), len(times)), dtype=np.bool_)
        for place, kinds in enumerate(unmeasured):
            flags[list(kinds), place] = True
        rows = tuple((kinds, joined(own_videos)) for kinds, own_videos in waiting.items())
        return Batch(first=first, unmeasured=flags, times_prepared=np.array(times, dtype=np.int64), rows=rows)

    for number, (name, evidence) in enumerate(videos):
        try:
            video = prepared(number, evidence, plan.kinds, plan.varied, own)
        except RuleError as error:
            raise RuleError(f"{name}: {error}") from error
        except UsageError as error:
            raise DatasetError(f"{name}: {error}") from error
        unmeasured.append(video.unmeasured)
        times.append(len(video.groups))
        for kinds, tried in video.groups:
            waiting.setdefault(kinds, []).append(tried)
            n_ticks += tried.n_ticks
        if n_ticks >= _BATCH_TICKS:
            yield batch()
            first += len(times)
            waiting, unmeasured, times, n_ticks = {}, [], [], 0
    if times:
        yield batch()
