"""Units of work: all of a short video, or one step of a long one; and their results.

The sound of a long video is measured, then its windows, one by one; it is decided as a whole, its clips are rendered in
slices, and the slices are gathered. Any worker can take the next step, for the steps before are on disk.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from curation.analysis.ranges import analyze_looked_at, clipped
from curation.analysis.windows import windows_within
from curation.engine.completion import restore_windows, stored_evidence
from curation.engine.opened import opened
from curation.engine.windows_heard import pictures_to_measure
from curation.engine.worker import VideoWorker
from curation.media.errors import MediaError
from curation.media.probe import VideoInfo
from curation.output.curated_video import decided_record, write_video_files
from curation.output.ledger import VideoRecord, write_record
from curation.output.long_video import gather, stored_clips, unrendered, write_decided, write_slice
from curation.output.video_files import VideoFiles
from curation.output.window_files import read_sound, read_windows, remove_windows, unmeasured, write_window
from curation.output.window_shapes import WindowShapes
from curation.rendering.slices import Slice, divide_clips
from curation.sources.entries import SourceVideo
from curation.sources.trims import requested_ticks
from manifests.timeline import TickRange, Window, seconds_of_tick, ticks_of

__all__ = [
    "AnalyzeVideo",
    "DecideVideo",
    "GatherVideo",
    "MeasureWindow",
    "RenderSlice",
    "Result",
    "Unit",
    "divided",
    "ended",
    "first_units",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The result of a unit: what follows from it for the schedule, the event log and the pace of a run."""

    word: str
    """Its name in the event log."""
    record: VideoRecord | None = None
    """The record of the video, which ends it, whatever is still planned of it; None while it continues."""
    steps: "tuple[Unit, ...]" = ()
    """Units of the same video to run next, in any order."""
    then: "Unit | None" = None
    """The unit to run once all steps are done; None where this unit was such a step."""
    length_s: float | None = None
    """Length of a video that is divided into windows, seconds; None for other results."""
    left_s: float = 0.0
    """The length of video that is not measured yet, seconds."""
    measured_s: float = 0.0
    """Length of a window that is measured, seconds; 0 for other results."""


def ended(record: VideoRecord) -> Result:
    """Return the result of a unit that ends its video, by success or by failure."""
    return Result(word=record.error_code or record.status, record=record)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit(ABC):
    """A piece of work on one video, small enough to be sent to another process."""

    rank: ClassVar[int] = 0
    """Units of a lower rank are begun first: a video that can be ended frees its evidence on disk."""
    measures: ClassVar[bool] = False
    """Whether it measures frames, which takes most of the time of a run."""

    video: SourceVideo
    name: str = field(init=False)
    """The id of the video and the step, for messages and logs; unique within a run."""

    def __post_init__(self) -> None:
        """Set the name."""
        object.__setattr__(self, "name", f"{self.video.video_id} {self._step_name()}")

    @property
    @abstractmethod
    def n_ticks(self) -> int | None:
        """Length of its video, ticks; None where it is not known before the file is opened."""

    def run(self, worker: VideoWorker) -> Result:
        """Run the unit: write its results into the video's files, and a record that ends the video into the ledger.

        A fault of the video ends it with a record that has an error code. Only a fault of the dataset's own disk is
        raised.

        Raises:
            OSError: the dataset cannot be written.
            RuleError: a rule of the user's own raised, which is no fault of the video.
        """
        dataset = worker.plan.dataset
        try:
            result = self._run(worker, VideoFiles(dataset, self.video))
        except MediaError as error:
            result = ended(VideoRecord.failed(self.video, error.code, error.detail))
        if result.record is not None:
            write_record(dataset, result.record)
            if self.n_ticks is not None:  # a step of a long video
                remove_windows(dataset, {self.video.video_id})
        return result

    @abstractmethod
    def _run(self, worker: VideoWorker, files: VideoFiles) -> Result:
        """Do the work and write all results but the record.

        Raises:
            MediaError: the video is at fault.
            OSError: the dataset cannot be written.
        """

    @abstractmethod
    def _step_name(self) -> str:
        """Return the second word or words of its name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnalyzeVideo(Unit):
    """Curate a video in one piece, or divide it into windows where it is long."""

    rank, measures, n_ticks = 2, True, None

    def _step_name(self) -> str:
        return "video"

    def _run(self, worker: VideoWorker, files: VideoFiles) -> Result:
        started, settings, earlier = time.perf_counter(), worker.plan.settings, worker.earlier(self.video)
        with opened(worker, self.video, None, step=self.name, earlier=earlier) as info:
            stretches = requested_ticks(self.video.trims, info)
            n_ticks = len(ticks_of(stretches))
            if n_ticks > settings.windows.length_ticks:
                windows = windows_within(stretches, settings.windows)
                todo, looks = unmeasured(files, windows), None
                if earlier is None:
                    todo, looks = pictures_to_measure(worker, files, info, stretches, todo)
                else:
                    restore_windows(worker, files, todo, info, earlier)
                    todo = []
                return divided(self.video, windows, todo, replace(info, path=self.video.path), looks)
            worker.on_length(seconds_of_tick(n_ticks))
            if earlier is None:
                curated = worker.curated(info, stretches, time.perf_counter() - started, self.video.video_id)
            else:
                seen = stored_evidence(worker, info, earlier)
                spent_s = earlier.analyze_s + time.perf_counter() - started
                curated = worker.completed(info, seen, spent_s, self.video.video_id)
        return ended(write_video_files(files, curated, settings))


def divided(
    video: SourceVideo,
    windows: Iterable[Window],
    todo: Iterable[Window],
    info: VideoInfo,
    looks: Sequence[TickRange] | None = None,
) -> Result:
    """Return the result of a long video of these windows, of which those in `todo` are to be measured.

    Pictures are measured in the ranges `looks`; None: everywhere.
    """
    steps = tuple(
        MeasureWindow(
            video=video, window=one, info=info, looked_at=None if looks is None else tuple(clipped(looks, one.ticks))
        )
        for one in todo
    )
    then = DecideVideo(video=video, windows=tuple(windows), info=info)
    left_s = seconds_of_tick(sum(step.n_ticks for step in steps))
    return Result(word="divided", steps=steps, then=then, length_s=seconds_of_tick(then.n_ticks), left_s=left_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureWindow(Unit):
    """Measure the frames of one window of a long video."""

    rank, measures = 1, True

    window: Window
    info: VideoInfo
    """Properties of the video, kept because another probe would read the complete file."""
    looked_at: tuple[TickRange, ...] | None = None
    """Ranges of which pictures are measured, within the window; None: all of it."""

    @property
    def n_ticks(self) -> int:
        """Length of the window."""
        return self.window.n_ticks

    def _step_name(self) -> str:
        return f"ticks {self.window.first_tick} to {self.window.end_tick}"

    def _run(self, worker: VideoWorker, files: VideoFiles) -> Result:
        started, window, media = time.perf_counter(), self.window, worker.plan.settings.media
        with opened(worker, self.video, self.info, step=self.name, whole=False) as info:
            looks = (window.ticks,) if self.looked_at is None else self.looked_at
            goes_on = window.first_tick > 0, window.end_tick < info.n_ticks
            evidence = analyze_looked_at(
                info, worker.perception, window.ticks, looks, media, worker.choice_of, goes_on=goes_on
            )
        write_window(files, window, evidence, time.perf_counter() - started)
        return Result(word="measured", measured_s=seconds_of_tick(window.n_ticks))


@dataclass(frozen=True, kw_only=True, slots=True)
class DecideVideo(Unit):
    """Decide what is kept of a long video, whose sound and windows are measured."""

    windows: tuple[Window, ...]
    info: VideoInfo

    @property
    def n_ticks(self) -> int:
        """Length of all windows."""
        return sum(window.n_ticks for window in self.windows)

    def _step_name(self) -> str:
        return "decide"

    def _run(self, worker: VideoWorker, files: VideoFiles) -> Result:
        started, settings, earlier = time.perf_counter(), worker.plan.settings, worker.earlier(self.video)
        with opened(worker, self.video, self.info, step=self.name) as info:
            frames, frames_s = read_windows(files, self.windows, large=bool(worker.plan.rules))
            sound, sound_s = read_sound(files) if earlier is None else (worker.heard(info, (), earlier), 0.0)
            measured = worker.joined(info, requested_ticks(self.video.trims, info), frames, sound, earlier)
            shapes_of = WindowShapes(files, self.windows, measured.faces.tick)
            evidence = worker.with_speakers(info, measured, shapes_of)
            analyzed = time.perf_counter()
            decision = worker.decided(evidence)
            spent = {"analyze_s": sound_s + frames_s + analyzed - started, "decide_s": time.perf_counter() - analyzed}
            record = decided_record(files, info, decision, spent, settings)
        write_decided(files, self.windows, evidence, decision, settings)
        slices = divide_clips(decision.clips, settings.windows.length_ticks)
        todo = unrendered(files, slices)
        return Result(
            word="decided",
            steps=tuple(RenderSlice(video=self.video, piece=piece, info=self.info) for piece in todo),
            then=GatherVideo(video=self.video, windows=self.windows, slices=slices, decided=record),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderSlice(Unit):
    """Render one slice of the clips of a long video."""

    piece: Slice
    info: VideoInfo

    @property
    def n_ticks(self) -> int:
        """Length from the first clip to the last."""
        return self.piece.window.n_ticks

    def _step_name(self) -> str:
        return f"clips in ticks {self.piece.window.first_tick} to {self.piece.window.end_tick}"

    def _run(self, worker: VideoWorker, files: VideoFiles) -> Result:
        started, settings = time.perf_counter(), worker.plan.settings
        with opened(worker, self.video, self.info, step=self.name, whole=False) as info:
            planned = stored_clips(files, self.piece.clips)
            clips = worker.rendered(info, planned, self.video.video_id)
            spent_s = time.perf_counter() - started
        write_slice(files, self.piece, clips, settings, spent_s)
        return Result(word="rendered")


@dataclass(frozen=True, kw_only=True, slots=True)
class GatherVideo(Unit):
    """Join the rendered slices of a long video into its files of the dataset."""

    windows: tuple[Window, ...]
    slices: tuple[Slice, ...]
    decided: VideoRecord
    """Its record, without the time that rendering took."""

    @property
    def n_ticks(self) -> int:
        """Length of all windows and slices: the files of both are read."""
        return sum(window.n_ticks for window in (*self.windows, *(piece.window for piece in self.slices)))

    def _step_name(self) -> str:
        return "gather"

    def _run(self, worker: VideoWorker, files: VideoFiles) -> Result:  # noqa: ARG002 - as all units
        return ended(gather(files, self.slices, self.decided))


def first_units(videos: Iterable[SourceVideo]) -> Iterator[AnalyzeVideo]:
    """Yield the first unit of each video."""
    return (AnalyzeVideo(video=video) for video in videos)
