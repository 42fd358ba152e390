"""Counting: what each combination of limits keeps of each video, in batches of videos and on several cores."""

import multiprocessing
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.decision.settings import RulesSettings
from curation.evidence.measures import Evidence
from curation.operations.read_evidence import evidence_of_videos, n_ticks_of
from curation.output.ledger import VideoRecord
from curation.rules.rule import Rule, RuleError
from curation.settings import CurationSettings
from curation.what_if.preparing import prepared, varied_rules
from curation.what_if.sync_at_once import SyncDrops
from curation.what_if.tried_videos import TriedVideo, joined, kept
from foundation.array_types import BoolArray, Int64Array
from foundation.errors import UsageError
from manifests.errors import DatasetError
from manifests.vocabulary import TIERS

__all__ = ["Counted", "Job", "OnProgress", "count", "counted"]

_BATCH_TICKS = 500_000
"""Ticks on which combinations are tried at once: at a few hundred bytes each, they take some hundred MB."""

_SHARE_TICKS = 250_000
"""Ticks of a share of the work, and the fewest with which another process is worth its start."""

OnProgress = Callable[[int, int], None]
"""Is told how many videos of how many are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is to be counted."""

    dataset: Path
    before: RulesSettings
    """Settings of the rules that the dataset was made with."""
    settings: tuple[CurationSettings, ...]
    """Of each combination."""
    own: tuple[Rule, ...] = ()
    """Rules of the user's own."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Counted:
    """What C combinations keep of V videos."""

    ticks: Int64Array
    """(C, V, 2) ticks by tier, in the order of `TIERS`; those of tier `diffusion` count in `vae`, too."""
    clips: Int64Array
    """(C, V, 2) clips of the tier."""
    unmeasured: BoolArray
    """(C, V) whether ticks that were not measured could hold a clip, so that nothing is counted."""
    times_prepared: Int64Array
    """(V,) how often a video was prepared; more than once where combinations choose other faces or other ticks."""


def count(job: Job, rows: Sequence[VideoRecord], workers: int, on_progress: OnProgress | None = None) -> Counted:
    """Return what each combination keeps of each video.

    Args:
        job: the combinations.
        rows: the videos, in the order of their ids.
        workers: processes, of which each has a core.
        on_progress: is called now and then.

    Raises:
        DatasetError: evidence is gone or damaged.
        RuleError: a rule of the user's own raised.
        OSError: a file cannot be read.
    """
    shares = _shares(rows)
    done: list[Counted] = []

    def told(one: Counted) -> None:
        done.append(one)
        if on_progress is not None:
            on_progress(sum(len(part.times_prepared) for part in done), len(rows))

    if min(workers, len(shares)) < 2:
        for share in shares:
            told(_counted(job, share))
    else:
        # not forked: the threads of Arrow would be lost
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(shares)), mp_context=context) as pool:
            for one in pool.map(_counted, [job] * len(shares), shares):
                told(one)
    return Counted(
        ticks=np.concatenate([one.ticks for one in done], axis=1),
        clips=np.concatenate([one.clips for one in done], axis=1),
        unmeasured=np.concatenate([one.unmeasured for one in done], axis=1),
        times_prepared=np.concatenate([one.times_prepared for one in done]),
    )


def _shares(rows: Sequence[VideoRecord]) -> list[list[VideoRecord]]:
    """Return the videos in shares of some length, in order."""
    shares: list[list[VideoRecord]] = [[]]
    n_ticks = 0
    for row in rows:
        if n_ticks >= _SHARE_TICKS:
            shares.append([])
            n_ticks = 0
        shares[-1].append(row)
        n_ticks += n_ticks_of(row)
    return shares


def _counted(job: Job, rows: Sequence[VideoRecord]) -> Counted:
    """Count a share of the videos."""
    videos = evidence_of_videos(job.dataset, rows, job.before, all_measures=bool(job.own))
    named = ((row.path, evidence) for row, evidence in videos)
    return counted(named, len(rows), job.settings, job.own)


def counted(
    videos: Iterable[tuple[str, Evidence]],
    n_videos: int,
    settings: Sequence[CurationSettings],
    own: Sequence[Rule] = (),
) -> Counted:
    """Return what each combination keeps of videos whose evidence is in memory, one or some at a time.

    Args:
        videos: each with its name, for messages.
        n_videos: how many there are.
        settings: of each combination.
        own: rules of the user's own.

    Raises:
        DatasetError: evidence was measured with another identity.
        RuleError: a rule of the user's own raised.
    """
    shape = (len(settings), n_videos)
    found = Counted(
        ticks=np.zeros((*shape, 2), dtype=np.int64),
        clips=np.zeros((*shape, 2), dtype=np.int64),
        unmeasured=np.zeros(shape, dtype=np.bool_),
        times_prepared=np.zeros(n_videos, dtype=np.int64),
    )
    varied = varied_rules(settings)
    waiting: dict[tuple[int, ...], list[TriedVideo]] = {}
    n_ticks = 0
    for number, (name, evidence) in enumerate(videos):
        try:
            video = prepared(number, evidence, settings, varied, own)
        except RuleError as error:
            raise RuleError(f"{name}: {error}") from error
        except UsageError as error:
            raise DatasetError(f"{name}: {error}") from error
        found.unmeasured[list(video.unmeasured), number] = True
        found.times_prepared[number] = len(video.groups)
        for places, tried in video.groups:
            waiting.setdefault(places, []).append(tried)
            n_ticks += tried.n_ticks
        if n_ticks >= _BATCH_TICKS:
            _try(settings, varied, waiting, found)
            waiting, n_ticks = {}, 0
    _try(settings, varied, waiting, found)
    return found


def _try(
    settings: Sequence[CurationSettings],
    varied: Sequence[str],
    waiting: Mapping[tuple[int, ...], Sequence[TriedVideo]],
    found: Counted,
) -> None:
    """Try the combinations on the videos that are prepared for them."""
    for places, videos in waiting.items():
        row = joined(videos)
        drops = SyncDrops(identity=settings[places[0]].perception.identity)
        for place in places:
            one = settings[place]
            of = kept(row, one.rules, varied, one.tiers, drops)
            for column, tier in enumerate(TIERS):
                found.ticks[place, row.number, column] = of.ticks[tier]
                found.clips[place, row.number, column] = of.clips[tier]
