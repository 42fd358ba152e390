"""Worker without Ray: the plan of its run, and all models loaded."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from curation.analysis.lips_and_sound import ShapesOf, shapes_in
from curation.analysis.ranges import analyze_audio_of, analyze_ranges
from curation.analysis.speaking_track import heard_by_number, with_heard_track
from curation.analysis.tick_choice import EveryTick, TickChoice
from curation.decision.core_choice import CoreChoice
from curation.decision.decide import Decision, decide
from curation.engine.comparison import compared
from curation.engine.one_thread import use_one_thread
from curation.engine.sound_first import looked_at
from curation.evidence.joining import scatter_rows, with_audio
from curation.evidence.measures import AudioEvidence, Evidence, FrameEvidence
from curation.media.decoders import probe_for, require_decoder
from curation.media.mark.detection import mark_at_start
from curation.media.origin.generated_tags import generated_tags, in_order
from curation.media.probe import VideoInfo
from curation.model_cards import ModelCard
from curation.model_registry import register_model, registered_models
from curation.output.curated_video import CuratedVideo
from curation.output.ledger import VideoRecord, read_record
from curation.output.lip_evidence import is_incomplete, without_stale
from curation.output.stored_video import StoredVideos
from curation.perception.lips import LipModels
from curation.perception.models import Perception, load_perception
from curation.rendering.render import ClipEvidence, RenderedClip, evidence_of_clips, render_clips
from curation.rules.rule import Rule
from curation.settings import CurationSettings
from curation.sources.entries import SourceVideo
from curation.sources.scratch import ScratchSettings
from curation.speech.models import SpeechModels, load_speech
from foundation.storage.leases import LeaseToken, adopt
from manifests.timeline import TickRange, ticks_of

__all__ = ["VideoWorker", "WorkerPlan", "ignore_length"]


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
    completes: bool = False
    """Whether some of the videos are curated already, and lack what their settings measure now."""
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
            stored=StoredVideos(self.dataset),
            speech=load_speech(self.settings.speech),
            on_length=on_length,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoWorker:
    """A plan with all models loaded: what units run with."""

    plan: WorkerPlan
    perception: Perception
    lips: LipModels
    stored: StoredVideos
    """What the dataset holds of videos that an earlier run has curated."""
    speech: SpeechModels
    on_length: Callable[[float], None] = ignore_length
    """Called with the length of a video that is curated in one piece, seconds, as soon as it is known."""

    def earlier(self, video: SourceVideo) -> VideoRecord | None:
        """Return the record of a video that an earlier run has curated, and whose evidence lacks a comparison.

        None where it lacks ticks: it is measured as if no run had curated it.

        Raises:
            DatasetError: the dataset is damaged.
            OSError: it cannot be read.
        """
        if not self.plan.completes:
            return None
        record = read_record(self.plan.dataset, video.video_id)
        if record is None or not is_incomplete(record, self.plan.settings.perception):
            return None
        if not self.stored.has_evidence(video.video_id):
            return None
        lacks_ticks = self.plan.settings.analysis.every_tick and self.stored.lacks_ticks(video.video_id)
        return None if lacks_ticks else record

    def probed(self, path: Path, earlier: VideoRecord | None = None) -> VideoInfo:
        """Return the properties of a video file, with its tags, its mark and the audio track that is to be heard.

        Args:
            path: the file.
            earlier: its record, if an earlier run has curated it, which names the track.

        Raises:
            MediaError: it is no video, or cannot be decoded.
        """
        media, mark_s = self.plan.settings.media, self.plan.settings.analysis.mark_s
        info = probe_for(path, media)
        tags = set(generated_tags(path))
        if mark_at_start(info, mark_s) is not None:
            tags.add("gaia_avatar_mark")
        info = replace(info, generated_tags=in_order(tags))
        if earlier is not None and earlier.audio_track is not None:
            return heard_by_number(info, earlier.audio_track)
        return with_heard_track(info, self.perception.voice, media)

    def curated(
        self, info: VideoInfo, stretches: Sequence[TickRange], spent_s: float = 0.0, video_id: str | None = None
    ) -> CuratedVideo:
        """Analyze, decide and render stretches of a video in one piece; nothing is written.

        Args:
            info: what was probed of it.
            stretches: those to curate.
            spent_s: seconds that went into its analysis before.
            video_id: as of `completed`.

        Raises:
            MediaError: it cannot be decoded.
            RuleError: a rule of the user's own raised.
        """
        settings, started = self.plan.settings, time.perf_counter()
        sound = self.heard(info, stretches)
        looks = looked_at(sound, stretches, info.n_ticks, settings)
        seen = analyze_ranges(info, self.perception, stretches, sound, looks, settings.media, self.choice_of)
        return self.completed(info, seen, spent_s + time.perf_counter() - started, video_id)

    def completed(self, info: VideoInfo, seen: Evidence, spent_s: float, video_id: str | None = None) -> CuratedVideo:
        """Finish the analysis of a video in one piece, decide and render it; nothing is written.

        Args:
            info: what was probed of it.
            seen: the evidence of its frames and its sound.
            spent_s: seconds that went into its analysis before.
            video_id: its id; clips that stay the same are taken from an earlier run. None: there was none.

        Raises:
            MediaError: it cannot be decoded.
            RuleError: a rule of the user's own raised.
        """
        started = time.perf_counter()
        evidence = self.with_speakers(info, seen, shapes_in(seen.faces))
        analyzed = time.perf_counter()
        decision = self.decided(evidence)
        decided = time.perf_counter()
        return CuratedVideo(
            info=info,
            evidence=evidence,
            decision=decision,
            clips=self.rendered(info, evidence_of_clips(evidence, decision), video_id),
            analyze_s=spent_s + analyzed - started,
            decide_s=decided - analyzed,
            render_s=time.perf_counter() - decided,
        )

    def rendered(
        self, info: VideoInfo, planned: Iterable[ClipEvidence], video_id: str | None
    ) -> tuple[RenderedClip, ...]:
        """Return planned clips of a video, rendered; those that an earlier run has rendered likewise, as they are.

        Args:
            info: what was probed of it.
            planned: the clips with what was measured in them.
            video_id: its id; None: no earlier run has curated it.

        Raises:
            MediaError: it cannot be decoded.
        """
        settings = self.plan.settings.rendering
        if video_id is None or not self.plan.completes or not self.stored.has_evidence(video_id):
            return render_clips(info, planned, settings=settings, speech=self.speech)
        clips = list(planned)
        known = self.stored.clips(video_id, clips)
        new = [clip for clip in clips if clip.plan not in known]
        known |= {clip.plan: clip for clip in render_clips(info, new, settings=settings, speech=self.speech)}
        return tuple(known[clip.plan] for clip in clips)

    def heard(
        self, info: VideoInfo, stretches: Sequence[TickRange], earlier: VideoRecord | None = None
    ) -> AudioEvidence:
        """Return the evidence of the sound of a video, which is measured before its pictures.

        Args:
            info: what was probed of it.
            stretches: those to curate.
            earlier: its record, if an earlier run has curated it, which has measured the sound.

        Raises:
            MediaError: the file cannot be opened.
        """
        if earlier is not None:
            return self.stored.sound(earlier.video_id)
        return analyze_audio_of(info, self.perception, stretches)

    def joined(
        self,
        info: VideoInfo,
        stretches: Sequence[TickRange],
        frames: FrameEvidence,
        sound: AudioEvidence,
        earlier: VideoRecord | None = None,
    ) -> Evidence:
        """Return the evidence of a long video: its frames and its sound.

        Args:
            info: what was probed of it.
            stretches: those to curate.
            frames: what was measured of the frames of all stretches.
            sound: likewise of the sound.
            earlier: its record, if an earlier run has curated it.
        """
        if earlier is not None:
            frames = without_stale(frames, earlier, self.plan.settings.perception)
        return scatter_rows(with_audio(frames, sound), ticks_of(stretches), info.n_ticks)

    def with_speakers(self, info: VideoInfo, evidence: Evidence, shapes_of: ShapesOf) -> Evidence:
        """Return the evidence of a complete video with its tags and what its faces have to do with its sound.

        Args:
            info: what was probed of it.
            evidence: all that was measured of it before.
            shapes_of: returns landmarks and blendshapes of faces.

        Raises:
            MediaError: the file cannot be opened any more.
            RuleError: a rule of the user's own raised.
        """
        tagged = replace(evidence, generated_tags=info.generated_tags)
        return compared(info, tagged, self.lips, shapes_of, self.plan.settings, self.plan.rules)

    def choice_of(self, *, goes_on: tuple[bool, bool] = (False, False)) -> TickChoice:
        """Return what chooses the ticks of a range on which faces are measured.

        Args:
            goes_on: whether the video goes on before the range, and after it.
        """
        settings = self.plan.settings
        if settings.analysis.every_tick:
            return EveryTick()
        return CoreChoice(
            settings.rules,
            settings.tiers,
            settings.crop.face_ratio,
            self.perception.mask_stride,
            goes_on=goes_on,
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
            tiers=settings.tiers,
        )
