"""Decision on a video: from its evidence to spans and clips.

Pure and quick: no file, no model. Changing a threshold runs this again on the same evidence.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from curation.decision.beyond_cores import with_grid_faces
from curation.decision.clip_plans import ClipPlan, candidates, plan_clips
from curation.decision.judgement import judge
from curation.decision.main_face import main_face
from curation.decision.own_rules import require_own_names
from curation.decision.seen_video import seen_video
from curation.decision.settings import RulesSettings
from curation.decision.sound_repair import sound_lag
from curation.decision.spans import Span, spans_of
from curation.evidence.main_track import MainTrack
from curation.evidence.measures import Evidence, FaceMeasures
from curation.evidence.sync_measures import sync_measures
from curation.model_registry import IDENTITIES
from curation.perception.cards import IdentityCard
from curation.rules.rule import Rule
from curation.rules.sync import NOTHING_JUDGED, VideoSync, judge_sync
from curation.rules.verdict import Verdict
from foundation.array_types import Int64Array
from foundation.text import count_text
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import TIERS, Tier

__all__ = ["ClipPlan", "Decision", "RulesSettings", "Span", "decide"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Decision on every tick of a video."""

    track: Int64Array
    """(F,) track of every face of the evidence."""
    main: MainTrack
    """The main face of every tick."""
    face: FaceMeasures
    """(T, ...) the main face's measurements, one row per tick."""
    spans: tuple[Span, ...]
    """Spans of one outcome each, which tile the video once per tier."""
    clips: tuple[ClipPlan, ...]
    """Clips to be rendered, by their first tick."""
    sync: VideoSync = NOTHING_JUDGED
    """What the rule `sync` says of the stretches that pass all other rules of tier `diffusion`."""
    verdicts: Mapping[Tier, Mapping[str, Verdict]] = field(default_factory=dict, compare=False)
    """By tier that was asked for, and by name, the verdict of each rule on every tick, in the order of application."""

    def __repr__(self) -> str:
        seconds = float(sum(clip.n_ticks for clip in self.clips) / TICK_RATE_HZ)
        return (
            f"Decision: {count_text(len(self.spans), 'span')}; {count_text(len(self.clips), 'clip')}, {seconds:.1f} s"
        )


def decide(
    evidence: Evidence,
    settings: RulesSettings,
    rules: Sequence[Rule] = (),
    *,
    identity: str = "dlib",
    face_ratio: float = 0.5,
    tiers: Collection[Tier] = TIERS,
) -> Decision:
    """Apply all rules to a video's evidence and plan its clips (GAIA appendix A.1).

    Runs of at least 3 s that satisfy the loose limits are found first; within each, runs of at least 3 s that satisfy
    the strict ones become clips of tier `diffusion`, unless their lips and sound do not belong together; what
    is left of the run, where long enough, becomes clips of `vae`.

    Args:
        evidence: of T ticks.
        settings: of the built-in rules.
        rules: rules of the user's own, applied before `sync` in this order.
        identity: value of `perception.identity` that the evidence was measured with.
        face_ratio: setting `crop.face_ratio`; whether a second face counts depends on what a clip shows.
        tiers: of which clips are asked for; in the spans of another one, what no clip holds is `not_asked`.

    Raises:
        ValueError: the evidence was measured with another identity.
        RuleError: two rules have one name, or a rule of the user's own raises or does not return verdicts.
        UnmeasuredError: ticks that could hold a clip under these settings were not measured.
    """
    require_own_names(rules)
    seen = seen_video(evidence, settings, identity=identity, face_ratio=face_ratio, tiers=tiers)
    look, core, video = seen.look, seen.core, seen.video
    track, main, face = seen.track, video.main, video.face
    judgement = judge(video, settings, rules)
    passed, breaks = judgement.passed, judgement.breaks
    stretches = candidates(passed, breaks, settings.too_short) if "diffusion" in tiers else []
    sync = judge_sync(
        sync_measures(video.evidence, face, main, video.breaks),
        stretches,
        settings.sync,
        min_speech_prob=settings.silence.min_speech_prob,
        max_distance=settings.tracks.max_distance(IDENTITIES.card(identity, IdentityCard)),
    )
    clips = [
        replace(clip, sound_lag_samples=sound_lag(sync, (clip.first_tick, clip.end_tick), settings.sync))
        for clip in plan_clips(passed, breaks, settings.too_short, sync, tiers)
    ]
    spans, verdicts = spans_of(
        evidence,
        judgement,
        clips,
        sync,
        tiers,
        in_sync_z=settings.sync.in_sync_z,
        shortest=settings.too_short,
        look=look,
        core=core,
    )
    if not core.all():
        track, main = with_grid_faces(evidence.faces, track, main, seen.number, core)
        face = main_face(evidence.faces, main)
    return Decision(track=track, main=main, face=face, spans=spans, clips=tuple(clips), sync=sync, verdicts=verdicts)
