"""Forecast of a run from a look at a few of its videos."""

import hashlib
import itertools
import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curation.analysis.analyze import WINDOW_STEP_TICKS
from curation.decision.trial import require_usable
from curation.engine.execution import Executor
from curation.engine.worker import VideoWorker, WorkerPlan
from curation.media.errors import MediaError
from curation.media.probe import VideoInfo
from curation.operations.forecast import Estimate, Forecast, Look, Machine, forecast
from curation.operations.left_to_do import left_to_measure
from curation.output.curated_video import landmarks_of, write_video_files
from curation.output.disk_space import free_bytes
from curation.output.folder import DatasetFolder
from curation.output.known_videos import under_known_ids
from curation.output.ledger import read_ledger
from curation.output.removals import consenting, without_removed
from curation.output.video_files import VideoFiles
from curation.rules.rule import Rule
from curation.settings import CurationSettings, SettingsOfLayout, layout_notes
from curation.sources.discover import discover
from curation.sources.entries import SourceError, SourceVideo
from curation.sources.layouts import LayoutChoice
from curation.sources.left_alone import left_alone_text
from curation.sources.scratch import ScratchSettings, readable
from curation.sources.trims import requested_ticks
from foundation.devices import free_memory_bytes, peak_bytes, reset_peak
from foundation.storage.path_text import text_of_path
from foundation.text import count_text, duration_text, gigabytes, shown, text_table
from manifests.timeline import TICK_RATE_HZ, TickRange, ticks_of
from manifests.vocabulary import TIERS

__all__ = ["Plan", "Sampling", "plan", "sample"]

_LOOK_TICKS = 500
"""Longest stretch of a video that is looked at: 20 s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """Choice of the videos that `plan` processes."""

    share: float = 0.02
    """Share of the videos left to curate, 0 to 1."""
    at_least: int = 5
    """Least number of videos, if there are so many."""
    seed: int = 0
    """Seed of the random choice."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Forecast of a run, and the measurements that it rests on."""

    forecast: Forecast
    """Expected hours in and kept, disk space, memory and wall time, with intervals."""
    n_videos: int
    """Number of videos left to curate."""
    looks: tuple[Look, ...]
    """Measurements of the sampled videos."""
    problems: tuple[str, ...]
    """Sampled videos that cannot be curated, with the reason."""
    workers: int
    """Number of workers that the forecast assumes."""

    def text(self) -> str:
        """Return a table for people to read."""
        expected = self.forecast
        rows = [
            ["video in", *_texts(expected.duration_s, duration_text)],
            *([f"kept, {tier}", *_texts(expected.kept_s[tier], duration_text)] for tier in TIERS),
            ["disk", *_texts(expected.disk_bytes, gigabytes)],
            ["memory, all workers", *_texts(expected.memory_bytes, gigabytes)],
            [f"wall time, workers: {self.workers}", *_texts(expected.wall_s, duration_text)],
        ]
        table = text_table(["", "expected", "from", "to"], rows, numeric=[False, True, True, True])
        videos = f"{len(self.looks)} of {count_text(self.n_videos, 'video')}"
        looks = f"Looked at {videos}, {duration_text(expected.seen_s)} of video."
        failed = [shown(f"cannot be curated: {problem}") for problem in self.problems]
        return "\n".join(
            [
                looks,
                *failed,
                "",
                table,
                "",
                "From, to: an interval of 80 % (docs/guides/run_at_scale.md).",
                f"It is bound by {expected.binds}.",
            ]
        )


def _texts(estimate: Estimate, text: Callable[[float], str]) -> list[str]:
    figures = (estimate.expected, estimate.low, estimate.high)
    return ["unknown" if math.isnan(figure) else text(figure) for figure in figures]


def plan(
    source: str | Path,
    dataset: str | Path,
    settings: CurationSettings | SettingsOfLayout,
    executor: Executor | None = None,
    *,
    workers: int = 1,
    layout: LayoutChoice = "auto",
    limit: int | None = None,
    rules: Sequence[Rule] = (),
    sampling: Sampling | None = None,
    say: Callable[[str], None] | None = None,
) -> Plan:
    """Curate samples of a few of the videos of a run, and forecast the run; all files are removed again.

    The looks are made in this process, one at a time; a stretch of each video is curated into files of a
    temporary folder. Weights that are missing are fetched, as a run would.

    Args:
        source: as of a run, like all that follows.
        dataset: where it would be; what it holds already is not planned again.
        settings: what to keep and how, or a function that returns it for the layout of the source.
        executor: where the work would be done.
        workers: number of workers, where `executor` is None.
        layout: of the folder.
        limit: plan for at most this many of the files.
        rules: rules of the user's own.
        sampling: which videos are looked at; by default 2 %, at least 5.
        say: is called with a line of text before every look.

    Raises:
        SourceError: there are no videos, or none that is left to do.
        DatasetFolderError: `dataset` was made with other settings.
        OtherRulesError: it was made with other rules of the user's own.
        RuleError: one of `rules` cannot be used, or raised on a video.
        MissingAssetsError: weights are missing and cannot be fetched.
        LedgerError: a record of an earlier run is damaged.
        OSError: the temporary folder cannot be written.
    """
    executor = executor or Executor.of_workers(workers)
    # without a layout first: a wrong setting or rule is found before a large folder is listed
    before = settings if isinstance(settings, CurationSettings) else settings(None)
    require_usable(rules, landmarks_of(before))
    discovery = discover(str(source), layout, limit=limit, whole=False)
    settings = before if isinstance(settings, CurationSettings) else settings(discovery.layout)
    target = DatasetFolder.begin(dataset, settings, source=(str(source), discovery.layout), rules=rules, dry_run=True)
    settings = target.settings.in_use
    done = read_ledger(target.path)
    videos = without_removed(target.record.removals, under_known_ids(discovery.videos, done).videos)
    todo = left_to_measure(target, consenting(videos) if settings.privacy.require_consent else videos, done)
    if not todo:
        raise SourceError(f"--source {str(source)!r}: no video is left to curate; there is nothing to plan")
    sampling = sampling or Sampling()
    chosen = sample(todo, sampling)
    looks, problems, load_s = _looks(chosen, settings, rules, executor.scratch, seed=sampling.seed, say=say)
    if say is not None:
        lines = left_alone_text(discovery.left_alone), *layout_notes(discovery.layout, settings), *discovery.notes
        for line in filter(None, lines):
            say(line)
    looked_at = {video.video_id for video in chosen}
    expected = forecast(
        looks,
        [video.size_bytes for video in todo if video.video_id not in looked_at],
        _machine(target.path, executor, load_s, float(settings.windows.length_s)),
    )
    return Plan(
        forecast=expected, n_videos=len(todo), looks=tuple(looks), problems=tuple(problems), workers=executor.workers
    )


def _looks(
    chosen: Sequence[SourceVideo],
    settings: CurationSettings,
    rules: Sequence[Rule],
    scratch: ScratchSettings,
    *,
    seed: int,
    say: Callable[[str], None] | None,
) -> tuple[list[Look], list[str], float]:
    """Curate a stretch of each video into a temporary folder.

    Returns:
        the measurements, why videos cannot be curated, and how long the models took to load, seconds.
    """
    looks, problems = [], []
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        worker = WorkerPlan(settings=settings, dataset=Path(folder), rules=tuple(rules)).make_worker()
        load_s = time.perf_counter() - started
        for number, video in enumerate(chosen, start=1):
            if say is not None:
                say(f"looking at {number} of {len(chosen)}: {text_of_path(video.path)}")
            try:
                looks.append(_look(worker, video, settings, Path(folder, str(number)), seed=seed, scratch=scratch))
            except MediaError as error:
                looks.append(Look(size_bytes=video.size_bytes))
                problems.append(f"{text_of_path(video.path)}: {error.code}: {error.detail}")
    return looks, problems, load_s


def sample(videos: Sequence[SourceVideo], sampling: Sampling) -> list[SourceVideo]:
    """Return the videos to look at: sorted by size and divided into as many groups, the lowest hash of each group.

    So the sample is spread over sizes, and adding a video moves few others.
    """
    n = min(len(videos), max(sampling.at_least, math.ceil(sampling.share * len(videos))))
    ordered = sorted(videos, key=lambda video: (video.size_bytes, video.video_id))
    bounds = [len(ordered) * k // n for k in range(n + 1)]
    return [
        min(ordered[first:end], key=lambda video: _hash(sampling.seed, video.video_id))
        for first, end in itertools.pairwise(bounds)
    ]


def _look(
    worker: VideoWorker,
    video: SourceVideo,
    settings: CurationSettings,
    folder: Path,
    *,
    seed: int,
    scratch: ScratchSettings,
) -> Look:
    """Curate a stretch of a video into a folder, and measure time, memory and disk.

    Raises:
        MediaError: the video cannot be curated.
    """
    started = time.perf_counter()
    with readable(video, scratch) as path:
        info = worker.probed(path)
        probed = time.perf_counter()
        ranges = requested_ticks(video.trims, info)
        ticks = ranges[int(_hash(seed, f"{video.video_id} stretch") * len(ranges))]
        stretch = _stretch(info, ticks, _hash(seed, f"{video.video_id} place"))
        reset_peak()
        curated = worker.curated(stretch, [(0, stretch.n_ticks)])
    record = write_video_files(VideoFiles(folder, video), curated, settings)
    return Look(
        size_bytes=video.size_bytes,
        duration_s=float(len(ticks_of(ranges)) / TICK_RATE_HZ),
        seen_s=float(stretch.n_ticks / TICK_RATE_HZ),
        kept_diffusion_s=record.kept_diffusion_s,
        kept_vae_s=record.kept_vae_s,
        disk_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        probe_s=probed - started,
        work_s=time.perf_counter() - probed,
        peak_bytes=float(peak_bytes()),
    )


def _stretch(info: VideoInfo, within: TickRange, chance: float) -> VideoInfo:
    """Return an excerpt of a stretch as a video of its own; `chance`, in [0, 1), determines its beginning."""
    n_ticks = min(within[1] - within[0], _LOOK_TICKS)
    if n_ticks == info.n_ticks:
        return info
    n_starts = (within[1] - within[0] - n_ticks) // WINDOW_STEP_TICKS + 1
    if info.parts:  # of several recordings, the longest that can be decoded
        own = max((part for part in info.parts if part.info is not None), key=lambda part: part.n_ticks)
        if own.info is not None:
            return _stretch(replace(own.info, path=info.path), (0, own.n_ticks), chance)
    # a raw stream without time stamps can only be decoded from its start
    first_tick = 0 if info.stamps == "none" else within[0] + int(chance * n_starts) * WINDOW_STEP_TICKS
    return replace(
        info,
        first_pts=info.first_pts + round(first_tick / TICK_RATE_HZ / info.time_base),
        n_ticks=n_ticks,
        duration_s=float(n_ticks / TICK_RATE_HZ),
    )


def _hash(seed: int, name: str) -> float:
    """Return a pseudo-random number in [0, 1) that depends only on the arguments."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:6], "big") / 2**48


def _machine(dataset: Path, executor: Executor, load_s: float, window_s: float) -> Machine:
    return Machine(
        workers=executor.workers,
        pool=executor.kind == "ray",
        cores=None if executor.ray_address else len(os.sched_getaffinity(0)),
        free_memory_bytes=free_memory_bytes(),
        free_disk_bytes=math.inf if (free := free_bytes(dataset)) is None else free,
        load_s=load_s,
        window_s=window_s,
    )
