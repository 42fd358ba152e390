"""Worker without Ray: the plan of its run, and all models loaded."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curation.analysis.analyze import analyze_audio_of, analyze_ranges
from curation.analysis.lips_and_sound import ShapesOf, shapes_in
from curation.analysis.speakers import with_speakers
from curation.analysis.speaking_track import with_heard_track
from curation.decision.decide import Decision, decide
from curation.decision.possible_speakers import possible_speakers
from curation.evidence.joining import scatter_rows, with_audio
from curation.evidence.measures import Evidence, FrameEvidence
from curation.media.decoders import probe_for, require_decoder
from curation.media.probe import VideoInfo
from curation.model_cards import ModelCard
from curation.model_registry import register_model, registered_models
from curation.output.curated_video import CuratedVideo
from curation.perception.lips import LipModels
from curation.perception.models import Perception, load_perception
from curation.rendering.render import evidence_of_clips, render_clips
from curation.rules.rule import Rule
from curation.settings import CurationSettings
from curation.sources.scratch import ScratchSettings
from curation.speech.models import SpeechModels, load_speech
from foundation.storage.leases import LeaseToken, adopt
from manifests.timeline import TickRange, ticks_of

__all__ = ["VideoWorker", "WorkerPlan", "ignore_length", "use_one_thread"]


def ignore_length(_length_s: float) -> None:
    """Do nothing with the length of a video."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerPlan:
    """The parameters of a worker; small, so that they can be sent to another node."""

    settings: CurationSettings
    dataset: Path
    scratch: ScratchSettings = field(default_factory=ScratchSettings)
    models: tuple[ModelCard, ...] = field(default_factory=registered_models)
    """Models of the user, which workers in other processes register."""
    rules: tuple[Rule, ...] = ()
    """Rules of the user's own."""
    lease: LeaseToken | None = None
    """Of the dataset, held by the command; None: the dataset is a temporary folder of this process."""

    def make_worker(self, on_length: Callable[[float], None] = ignore_length) -> "VideoWorker":
        """Load the models in this process, on one thread each.

        Args:
            on_length: called with the length of each video that is curated in one piece, seconds.

        Raises:
            MissingAssetsError: weights are missing.
            MissingPackageError: the decoder is not installed.
        """
        if self.lease is not None:
            adopt(self.lease)
        require_decoder(self.settings.media)
        use_one_thread()
        for card in self.models:
            register_model(card)
        return VideoWorker(
            plan=self,
            perception=load_perception(self.settings.perception),
            lips=LipModels(self.settings.perception),
            speech=load_speech(self.settings.speech),
            on_length=on_length,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoWorker:
    """A plan with all models loaded: what units run with."""

    plan: WorkerPlan
    perception: Perception
    lips: LipModels
    speech: SpeechModels
    on_length: Callable[[float], None] = ignore_length
    """Called with the length of a video that is curated in one piece, seconds, as soon as it is known."""

    def probed(self, path: Path) -> VideoInfo:
        """Return the properties of a video file, with the audio track that is to be heard.

        Raises:
            MediaError: it is no video, or cannot be decoded.
        """
        media = self.plan.settings.media
        return with_heard_track(probe_for(path, media), self.perception.voice, media)

    def curated(self, info: VideoInfo, stretches: Sequence[TickRange], spent_s: float = 0.0) -> CuratedVideo:
        """Analyze, decide and render stretches of a video in one piece; nothing is written.

        Args:
            info: what was probed of it.
            stretches: those to curate.
            spent_s: seconds that went into its analysis before.

        Raises:
            MediaError: it cannot be decoded.
            RuleError: a rule of the user's own raised.
        """
        settings, started = self.plan.settings, time.perf_counter()
        seen = analyze_ranges(info, self.perception, stretches, settings.media)
        evidence = self.with_speakers(info, seen, shapes_in(seen.faces))
        analyzed = time.perf_counter()
        decision = self.decided(evidence)
        decided = time.perf_counter()
        clips = evidence_of_clips(evidence, decision)
        return CuratedVideo(
            info=info,
            evidence=evidence,
            decision=decision,
            clips=render_clips(info, clips, settings=settings.rendering, speech=self.speech),
            analyze_s=spent_s + analyzed - started,
            decide_s=decided - analyzed,
            render_s=time.perf_counter() - decided,
        )

    def joined(self, info: VideoInfo, stretches: Sequence[TickRange], frames: FrameEvidence) -> Evidence:
        """Return the evidence of a long video: its measured frames, and its audio, which is measured now.

        Args:
            info: what was probed of it.
            stretches: those to curate.
            frames: what was measured of the frames of all stretches.

        Raises:
            MediaError: the file cannot be opened.
        """
        measured = with_audio(frames, analyze_audio_of(info, self.perception, stretches))
        return scatter_rows(measured, ticks_of(stretches), info.n_ticks)

    def with_speakers(self, info: VideoInfo, evidence: Evidence, shapes_of: ShapesOf) -> Evidence:
        """Return the evidence of a complete video with what its faces have to do with its sound.

        Args:
            info: what was probed of it.
            evidence: all that was measured of it before.
            shapes_of: returns landmarks and blendshapes of faces.

        Raises:
            MediaError: the file cannot be opened any more.
            RuleError: a rule of the user's own raised.
        """
        settings = self.plan.settings
        perception = settings.perception
        if evidence.speech_prob is None or (perception.sync == "none" and perception.speaking == "none"):
            return evidence
        stretches = possible_speakers(evidence, settings.rules, self.plan.rules, identity=perception.identity)
        return with_speakers(
            info,
            evidence,
            stretches,
            self.lips,
            shapes_of=shapes_of,
            media=settings.media,
            sync=settings.rules.sync,
        )

    def decided(self, evidence: Evidence) -> Decision:
        """Return what is kept of a video.

        Raises:
            RuleError: a rule of the user's own raised.
        """
        settings = self.plan.settings
        return decide(
            evidence,
            settings.rules,
            self.plan.rules,
            identity=settings.perception.identity,
            face_ratio=settings.crop.face_ratio,
        )


def use_one_thread() -> None:
    """Keep every library of this process on one thread, so that workers scale with cores."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    import cv2

    cv2.setNumThreads(0)
