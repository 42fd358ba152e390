"""Counting: what each combination of limits keeps of each video, in batches of videos and on several cores."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.decision.settings import RulesSettings
from curation.evidence.measures import Evidence
from curation.operations.read_evidence import evidence_of_videos, n_ticks_of
from curation.output.ledger import VideoRecord
from curation.rules.rule import Rule
from curation.settings import CurationSettings
from curation.what_if.prepared_batches import Batch, Plan, batches_of, plan_of
from curation.what_if.prepared_cache import PreparedCache
from curation.what_if.sync_at_once import SyncDrops
from curation.what_if.tried_videos import kept
from foundation.array_types import BoolArray, Int64Array
from manifests.packing.packed_files import TableFile, sources_of, table_inventory
from manifests.schema.frames import FRAMES
from manifests.vocabulary import TIERS

__all__ = ["Counted", "Job", "OnProgress", "count", "counted"]

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
    cache: PreparedCache | None = None
    """Where what is prepared is kept, and taken from; without rules of the user's own."""


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
    reused: BoolArray
    """(V,) whether a video was taken from the cache."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Share:
    """Videos that are counted together."""

    rows: Sequence[VideoRecord]
    files: Mapping[str, TableFile]
    """By video id, the file with the evidence."""
    name: str | None
    """In the cache; None where it is not used."""


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
    shares = list(_shares(job, rows))
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
    if job.cache is not None:
        job.cache.remove_old()
    return Counted(
        ticks=np.concatenate([one.ticks for one in done], axis=1),
        clips=np.concatenate([one.clips for one in done], axis=1),
        unmeasured=np.concatenate([one.unmeasured for one in done], axis=1),
        times_prepared=np.concatenate([one.times_prepared for one in done]),
        reused=np.concatenate([one.reused for one in done]),
    )


def _shares(job: Job, rows: Sequence[VideoRecord]) -> Iterator[_Share]:
    """Yield the videos in shares of some length, in order."""
    files, plan = sources_of(table_inventory(job.dataset, FRAMES)), plan_of(job.settings)

    def share(own: Sequence[VideoRecord]) -> _Share:
        of_own = {row.video_id: files[row.video_id] for row in own if row.video_id in files}
        name = None
        if job.cache is not None and not job.own:
            name = job.cache.name_of(plan, job.before, own, of_own)
        return _Share(rows=own, files=of_own, name=name)

    waiting: list[VideoRecord] = []
    n_ticks = 0
    for row in rows:
        if n_ticks >= _SHARE_TICKS:
            yield share(waiting)
            waiting, n_ticks = [], 0
        waiting.append(row)
        n_ticks += n_ticks_of(row)
    yield share(waiting)


def _counted(job: Job, share: _Share) -> Counted:
    """Count a share of the videos."""
    plan = plan_of(job.settings)
    found = _nothing_yet(len(job.settings), len(share.rows))
    cache = job.cache if share.name is not None else None
    if cache is not None and share.name is not None:
        known = cache.load(share.name, plan)
        if known is not None:
            for batch in known:
                _try(job.settings, plan, batch, found)
            found.reused[:] = True
            return found
    videos = evidence_of_videos(job.dataset, share.rows, job.before, all_measures=bool(job.own), files=share.files)
    made: list[Batch] = []
    for batch in batches_of(((row.path, evidence) for row, evidence in videos), plan, job.own):
        _try(job.settings, plan, batch, found)
        if cache is not None:
            made.append(batch)
    if cache is not None and share.name is not None:
        cache.store(share.name, made)
    return found


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
    plan, found = plan_of(settings), _nothing_yet(len(settings), n_videos)
    for batch in batches_of(videos, plan, own):
        _try(settings, plan, batch, found)
    return found


def _nothing_yet(n_combinations: int, n_videos: int) -> Counted:
    shape = (n_combinations, n_videos)
    return Counted(
        ticks=np.zeros((*shape, 2), dtype=np.int64),
        clips=np.zeros((*shape, 2), dtype=np.int64),
        unmeasured=np.zeros(shape, dtype=np.bool_),
        times_prepared=np.zeros(n_videos, dtype=np.int64),
        reused=np.zeros(n_videos, dtype=np.bool_),
    )


def _try(settings: Sequence[CurationSettings], plan: Plan, batch: Batch, found: Counted) -> None:
    """Try the combinations on videos that are prepared for them."""
    own = slice(batch.first, batch.first + len(batch.times_prepared))
    found.unmeasured[:, own] = batch.unmeasured[plan.kind]
    found.times_prepared[own] = batch.times_prepared
    for kinds, row in batch.rows:
        drops = SyncDrops(identity=settings[0].perception.identity)
        for place in np.flatnonzero(np.isin(plan.kind, kinds)).tolist():
            one = settings[place]
            of = kept(row, one.rules, plan.varied, one.tiers, drops)
            for column, tier in enumerate(TIERS):
                found.ticks[place, row.number, column] = of.ticks[tier]
                found.clips[place, row.number, column] = of.clips[tier]
