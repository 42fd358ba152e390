"""Decision on a video: from its evidence to spans and clips.

Pure and quick: no file, no model. Changing a threshold runs this again on the same evidence.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from curation.decision.beyond_cores import judged_by_grid, with_grid_faces
from curation.decision.clip_plans import ClipPlan, candidates, plan_clips
from curation.decision.judgement import Judged, judge
from curation.decision.main_face import main_face
from curation.decision.own_rules import require_own_names
from curation.decision.seen_video import seen_video
from curation.decision.settings import RulesSettings
from curation.decision.sound_repair import sound_lag
from curation.evidence.main_track import MainTrack
from curation.evidence.measures import Evidence, FaceMeasures
from curation.model_registry import IDENTITIES
from curation.perception.cards import IdentityCard
from curation.rules.rule import Rule
from curation.rules.sync import NOTHING_JUDGED, SyncedStretch, VideoSync, judge_sync
from curation.rules.too_short import too_short
from curation.rules.verdict import Verdict
from foundation.array_types import BoolArray, Int64Array
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import TIERS, Tier

__all__ = ["ClipPlan", "Decision", "RulesSettings", "Span", "decide"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Adjacent ticks that share an outcome in one tier."""

    first_tick: int
    end_tick: int
    tier: Tier
    outcome: str
    """A word of `manifests.vocabulary.OUTCOMES`, or the name of a rule of the user's own."""
    value: float | None
    """The value that decided: the worst of the span; None where nothing was measured."""
    limit: float | None
    failed: tuple[str, ...]
    """All rules that some tick of the span fails, in order; a boundary, such as `cut`, where the span begins at it."""
    clip: ClipPlan | None
    sync: SyncedStretch | None = field(default=None, compare=False)
    """The stretch of tier `diffusion` that the rule `sync` judged, and that the span is; else None."""
    on_grid: bool = False
    """Whether a border of it is known to the grid of 5 ticks only."""


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
    verdicts: Mapping[Tier, Judged] = field(default_factory=dict, compare=False)
    """By tier that was asked for, the verdict of each rule on every tick, in the order in which they are applied."""

    def __repr__(self) -> str:
        seconds = float(sum(clip.n_ticks for clip in self.clips) / TICK_RATE_HZ)
        return f"Decision: {len(self.spans)} spans; {len(self.clips)} clips, {seconds:.1f} s"


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
        video,
        stretches,
        settings.sync,
        min_speech_prob=settings.silence.min_speech_prob,
        max_distance=settings.tracks.max_distance(IDENTITIES.card(identity, IdentityCard)),
    )
    clips = [
        replace(clip, sound_lag_samples=sound_lag(sync, (clip.first_tick, clip.end_tick), settings.sync))
        for clip in plan_clips(passed, breaks, settings.too_short, sync, tiers)
    ]
    spans: list[Span] = []
    verdicts: dict[Tier, Judged] = {}
    for tier in TIERS:
        clip_of = _clip_of(len(evidence), clips, tier)
        if tier not in tiers:
            never = np.zeros(len(evidence), dtype=np.bool_)
            spans += _spans(evidence, (), never, clips, clip_of, tier, sync, ~never)
            continue
        ruled, left = list(judgement.judged[tier]), passed[tier] & (clip_of < 0)
        if tier == "diffusion":
            unsynced = _sync_verdict(len(evidence), sync, settings.sync.in_sync_z)
            ruled.append((judgement.sync, unsynced))
            left &= ~unsynced.failed
        shortest = judgement.too_short, too_short(left, breaks[tier], settings.too_short)
        exact = core if look.silent is None else core | look.silent
        verdicts[tier] = judged_by_grid(ruled, shortest, look, core)
        spans += _spans(evidence, verdicts[tier], breaks[tier], clips, clip_of, tier, sync, exact)
    if not core.all():
        track, main = with_grid_faces(evidence.faces, track, main, seen.number, core)
        face = main_face(evidence.faces, main)
    return Decision(
        track=track, main=main, face=face, spans=tuple(spans), clips=tuple(clips), sync=sync, verdicts=verdicts
    )


def _sync_verdict(n_ticks: int, sync: VideoSync, in_sync_z: float) -> Verdict:
    """Return the verdict of the rule `sync` on tier `diffusion`: the z that decided, and its limit, tick by tick."""
    value, limit = (np.full(n_ticks, np.nan, dtype=np.float32) for _ in range(2))
    failed = np.zeros(n_ticks, dtype=np.bool_)
    for stretch in sync.stretches:
        own = slice(*stretch.ticks)
        value[own] = np.nan if stretch.value is None else stretch.value
        limit[own] = stretch.limit
        failed[own] = stretch.dropped
    return Verdict(value=value, failed=failed, limit=in_sync_z, own_limit=limit)


def _clip_of(n_ticks: int, clips: Sequence[ClipPlan], tier: Tier) -> Int64Array:
    """Return (T,) number of the clip that a tier keeps each tick in, -1 where none; both keep tier `diffusion`."""
    clip_of = np.full(n_ticks, -1, dtype=np.int64)
    for number, clip in enumerate(clips):
        if clip.tier == "diffusion" or tier == "vae":
            clip_of[clip.first_tick : clip.end_tick] = number
    return clip_of


def _spans(
    evidence: Evidence,
    judged: Judged,
    breaks: BoolArray,
    clips: Sequence[ClipPlan],
    clip_of: Int64Array,
    tier: Tier,
    sync: VideoSync,
    exact: BoolArray,
) -> list[Span]:
    """Tile the video with spans of one outcome each: the first of those that are true of a tick."""
    n = len(evidence)
    trimmed = np.zeros(n, dtype=np.bool_) if evidence.trimmed is None else evidence.trimmed
    outcomes = {"trimmed": trimmed, "undecodable": ~evidence.decoded}
    outcomes |= {rule.name: verdict.failed for rule, verdict in judged if not rule.boundary}
    outcomes["kept"] = clip_of >= 0
    outcomes["not_asked"] = np.ones(n, dtype=np.bool_)  # what no rule dropped and no clip holds
    names, deciding = tuple(outcomes), {rule.name: (rule, verdict) for rule, verdict in judged}
    outcome_of = np.argmax(np.stack(tuple(outcomes.values())), axis=0)
    starts = np.ones(n, dtype=np.bool_)
    starts[1:] = (outcome_of[1:] != outcome_of[:-1]) | (clip_of[1:] != clip_of[:-1]) | breaks[1:]
    synced = {stretch.ticks: stretch for stretch in sync.stretches} if tier == "diffusion" else {}
    starts[[first for first, _ in synced]] = True  # stretches that are dropped may follow one another
    firsts = np.flatnonzero(starts).tolist()
    spans = []
    for first, end in zip(firsts, [*firsts[1:], n], strict=True):
        outcome = names[outcome_of[first]]
        value, limit = _worst(*deciding[outcome], first, end) if outcome in deciding else (None, None)
        spans.append(
            Span(
                first_tick=first,
                end_tick=end,
                tier=tier,
                outcome=outcome,
                value=value,
                limit=limit,
                failed=() if outcome == "trimmed" else _failed(judged, first, end),  # nothing was measured there
                clip=clips[clip_of[first]] if outcome == "kept" else None,
                sync=synced.get((first, end)),
                on_grid=outcome != "trimmed" and not (exact[first] and exact[end - 1]),
            )
        )
    return spans


def _worst(rule: Rule, verdict: Verdict, first: int, end: int) -> tuple[float | None, float]:
    """Return the value of a span that is furthest beyond the limit, None if none was measured, and the limit."""
    measured = verdict.value[first:end][~np.isnan(verdict.value[first:end])]
    limit = verdict.limit if verdict.own_limit is None else float(verdict.own_limit[first])
    if not len(measured):
        return None, limit
    return float(measured.max() if rule.keeps == "at most" else measured.min()), limit


def _failed(judged: Judged, first: int, end: int) -> tuple[str, ...]:
    """Return the rules that some tick of a span fails; a boundary where the span begins at it."""
    return tuple(
        rule.name
        for rule, verdict in judged
        if (verdict.failed[first] if rule.boundary else verdict.failed[first:end].any())
    )
