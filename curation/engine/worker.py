"""One worker: all models, one unit at a time, from a file to its parts of the dataset. No Ray in here."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from curation.analysis.analyze import analyze_pictures, analyze_stretches, hear_stretches
from curation.analysis.windows import windows_within
from curation.decision.decide import Decision, decide
from curation.engine.units import Decided, Divided, Measured, Outcome, Rendered, Unit
from curation.evidence.joining import spread, with_sound
from curation.evidence.measures import Evidence, PictureEvidence
from curation.media.errors import MediaError
from curation.media.probe import VideoInfo, probe
from curation.model_cards import ModelCard
from curation.model_registry import register_model, registered_models
from curation.output.ledger import VideoRecord, write_record
from curation.output.long_video import gather, slice_is_rendered, stored_clips, write_decided, write_slice
from curation.output.video_files import CuratedVideo, decided_record, write_parts
from curation.output.window_files import read_windows, remove_windows, window_path, write_window
from curation.perception.models import load_perception
from curation.rendering.render import RenderedClip, render_clips, shown_clips
from curation.rendering.slices import divide_clips
from curation.rules.rule import Rule, RuleError
from curation.settings import CurationSettings
from curation.sources.entries import SourceVideo
from curation.sources.scratch import ScratchSettings, readable
from curation.sources.trims import asked_ticks
from curation.speech.models import load_speech
from foundation.storage.locations import StorageError
from manifests.timeline import TICK_RATE_HZ, Window, ticks_of

__all__ = ["VideoWorker", "WorkerPlan", "use_one_thread"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerPlan:
    """What a worker needs to know; small, so that it can be sent to another node."""

    settings: CurationSettings
    dataset: Path
    scratch: ScratchSettings = field(default_factory=ScratchSettings)
    models: tuple[ModelCard, ...] = field(default_factory=registered_models)
    """Models of the user, so that workers in other processes know them."""
    rules: tuple[Rule, ...] = ()
    """Of the user's own."""

    @property
    def window_s(self) -> float:
        """Longest stretch of video that a worker measures at a time, seconds."""
        return float(self.settings.windows.length_s)

    def make_worker(self) -> "VideoWorker":
        """Load the models in this process, on one thread each.

        Raises:
            MissingAssetsError: weights are missing.
        """
        use_one_thread()
        for card in self.models:
            register_model(card)
        return VideoWorker(self)


@dataclass(frozen=True, slots=True)
class _MeasuredWindow:
    window: Window
    seen: PictureEvidence
    spent_s: float


@dataclass(frozen=True, slots=True)
class _DecidedVideo:
    evidence: Evidence
    decision: Decision
    record: VideoRecord


@dataclass(frozen=True, slots=True)
class _RenderedSlice:
    clips: tuple[RenderedClip, ...]
    spent_s: float


_Done = CuratedVideo | Divided | VideoRecord | _MeasuredWindow | _DecidedVideo | _RenderedSlice


def _to_nobody(_length_s: float) -> None:
    """Take no note."""


class VideoWorker:
    """Holds the models of a run and does units with them."""

    def __init__(self, plan: WorkerPlan) -> None:
        """Load every model; see `WorkerPlan.make_worker`."""
        self._settings = plan.settings
        self._dataset = plan.dataset
        self._scratch = plan.scratch
        self._rules = plan.rules
        self._perception = load_perception(plan.settings.perception)
        self._speech = load_speech(plan.settings.speech)

    def work(self, unit: Unit, learnt: Callable[[float], None] = _to_nobody) -> Outcome:
        """Do a unit and return what became of it; a record is in the ledger then, all else of the video in its files.

        Whatever is wrong with the video ends in a record with a code. Only what is wrong with the dataset's own disk
        is raised.

        Args:
            unit: what to do.
            learnt: is told how many seconds of a video will be measured, where that is done in one piece.

        Raises:
            OSError: the dataset cannot be written.
            RuleError: a rule of the user's own raised, which is no fault of the video.
        """
        video = unit.video
        try:
            result = self._done(unit, learnt)
        except MediaError as error:
            result = VideoRecord.failed(video, error.code, error.detail)
        except RuleError as error:
            raise RuleError(
                f"{video.path}: {error}. What is done by now is kept; mend the rule and run again"
            ) from error
        except StorageError:  # of the dataset: what is wrong with a source has a code
            raise
        except Exception as error:  # noqa: BLE001 - the border: one video, whatever it does to us, is not the run
            _log.exception("%s: curating it failed", unit.name)
            result = VideoRecord.failed(video, "internal", f"{type(error).__name__}: {error}")
        outcome = self._written(unit, result)
        if isinstance(outcome, VideoRecord):
            write_record(self._dataset, outcome)
            if unit.kind != "video":
                remove_windows(self._dataset, {video.video_id})
        return outcome

    def _written(self, unit: Unit, result: _Done) -> Outcome:
        """Write what was done of a unit; of a whole video all but the record."""
        dataset, video_id = self._dataset, unit.video.video_id
        match result:
            case CuratedVideo():
                return write_parts(dataset, result, self._settings)
            case _MeasuredWindow(window, seen, spent_s):
                write_window(window_path(dataset, video_id, window), seen, spent_s)
                return Measured()
            case _DecidedVideo(evidence, decision, record):
                write_decided(dataset, video_id, unit.windows, evidence, decision, self._settings)
                slices = divide_clips(decision.clips, self._settings.windows.length_ticks)
                todo = tuple(piece for piece in slices if not slice_is_rendered(dataset, video_id, piece))
                return Decided(slices, todo, record)
            case _RenderedSlice(clips, spent_s):
                (piece,) = unit.slices
                write_slice(dataset, unit.video, piece, clips, self._settings, spent_s)
                return Rendered()
            case VideoRecord() if unit.kind == "gather":
                return gather(dataset, video_id, unit.slices, result)
        return result

    def _done(self, unit: Unit, learnt: Callable[[float], None]) -> _Done:
        """Do all of a unit that the video can spoil; nothing is written."""
        if unit.decided is not None:
            return unit.decided
        started = time.perf_counter()
        in_part = unit.info is not None and unit.kind in ("window", "render")
        with readable(unit.video, self._scratch, whole=not in_part) as path:
            info = probe(path) if unit.info is None else replace(unit.info, path=path)
            return self._done_with(unit, info, started, learnt)

    def _done_with(self, unit: Unit, info: VideoInfo, started: float, learnt: Callable[[float], None]) -> _Done:
        video, models, settings = unit.video, self._perception, self._settings
        if unit.kind == "window":
            (window,) = unit.windows
            seen = analyze_pictures(info, models, window.first_tick, window.end_tick, settings.media)
            return _MeasuredWindow(window, seen, time.perf_counter() - started)
        if unit.kind == "render":
            (piece,) = unit.slices
            shown = stored_clips(self._dataset, video.video_id, piece.clips)
            clips = render_clips(info, shown, settings=settings.rendering, speech=self._speech)
            return _RenderedSlice(clips, time.perf_counter() - started)
        asked = asked_ticks(video.trims, info)
        if unit.kind == "decide":
            seen, spent_s = read_windows(self._dataset, video.video_id, unit.windows, whole=bool(self._rules))
            measured = with_sound(seen, hear_stretches(info, models, asked))
            evidence = spread(measured, ticks_of(asked), info.n_ticks)
            analyzed = time.perf_counter()
            decision = decide(evidence, settings.rules, self._rules, identity=settings.perception.identity)
            spent = {"analyze_s": spent_s + analyzed - started, "decide_s": time.perf_counter() - analyzed}
            return _DecidedVideo(evidence, decision, decided_record(video, info, decision, spent))
        if len(ticks_of(asked)) > settings.windows.length_ticks:
            windows = windows_within(asked, settings.windows)
            todo = [window for window in windows if not window_path(self._dataset, video.video_id, window).exists()]
            return Divided(tuple(windows), tuple(todo), replace(info, path=video.path))
        learnt(float(len(ticks_of(asked)) / TICK_RATE_HZ))
        return self.curated(video, info, time.perf_counter() - started)

    def curated(self, video: SourceVideo, info: VideoInfo, spent_s: float = 0.0) -> CuratedVideo:
        """Analyze, decide and render a video, or what was asked for of it, in one piece; nothing is written.

        Args:
            video: the file.
            info: what was probed of it.
            spent_s: seconds that went into its analysis before.

        Raises:
            MediaError: it cannot be decoded.
        """
        started = time.perf_counter()
        evidence = analyze_stretches(info, self._perception, asked_ticks(video.trims, info), self._settings.media)
        analyzed = time.perf_counter()
        settings = self._settings
        decision = decide(evidence, settings.rules, self._rules, identity=settings.perception.identity)
        decided = time.perf_counter()
        shown = shown_clips(evidence, decision)
        return CuratedVideo(
            video=video,
            info=info,
            evidence=evidence,
            decision=decision,
            clips=render_clips(info, shown, settings=self._settings.rendering, speech=self._speech),
            analyze_s=spent_s + analyzed - started,
            decide_s=decided - analyzed,
            render_s=time.perf_counter() - decided,
        )


def use_one_thread() -> None:
    """Keep every library of this process on one thread, so that workers scale with cores."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    import cv2

    cv2.setNumThreads(0)
