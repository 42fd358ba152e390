"""Decision on a video: from its evidence to spans and clips.

Pure and quick: no file, no model. Changing a threshold runs this again on the same evidence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from curation.decision.main_face import main_face, main_track
from curation.decision.own_rules import require_own_names
from curation.decision.settings import RulesSettings
from curation.decision.tracks import link_tracks
from curation.evidence.main_track import MainTrack
from curation.evidence.measures import Evidence, FaceMeasures
from curation.rules.built_in import built_in_rules
from curation.rules.cut import cut
from curation.rules.rule import MeasuredVideo, Rule
from curation.rules.runs import true_runs
from curation.rules.too_short import TooShortSettings, split_evenly, too_short
from curation.rules.verdict import Verdict
from foundation.array_types import BoolArray, Int64Array
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import TIERS, Tier

__all__ = ["ClipPlan", "Decision", "RulesSettings", "Span", "all_rules", "decide", "shot_starts"]

_Judged = Sequence[tuple[Rule, Verdict]]
"""Rules in the order in which they are applied, each with its verdict in one tier."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipPlan:
    """Clip to be rendered: ticks ``[first_tick, end_tick)`` of a video."""

    first_tick: int
    end_tick: int
    tier: Tier

    @property
    def n_ticks(self) -> int:
        """Its length."""
        return self.end_tick - self.first_tick

    def clip_id(self, video_id: str) -> str:
        """Return the name of the clip: the video, its first and its last tick.

        >>> ClipPlan(first_tick=25, end_tick=100, tier="vae").clip_id("0123456789abcdef")
        '0123456789abcdef-0000025-0000099'
        """
        return f"{video_id}-{self.first_tick:07d}-{self.end_tick - 1:07d}"


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

    def __repr__(self) -> str:
        seconds = float(sum(clip.n_ticks for clip in self.clips) / TICK_RATE_HZ)
        return f"Decision: {len(self.spans)} spans; {len(self.clips)} clips, {seconds:.1f} s"


def all_rules(settings: RulesSettings, own: Sequence[Rule] = ()) -> tuple[Rule, ...]:
    """Return all rules in the order in which they are applied: those of the user's own before the last built-in one.

    Args:
        settings: of the built-in rules.
        own: rules of the user's own.
    """
    *first, last = built_in_rules(dict(settings))
    return (*first, *own, last)


def decide(
    evidence: Evidence, settings: RulesSettings, rules: Sequence[Rule] = (), *, identity: str = "dlib"
) -> Decision:
    """Apply all rules to a video's evidence and plan its clips (GAIA appendix A.1).

    Runs of at least 3 s that satisfy the loose limits are found first; within each, runs of at least 3 s that satisfy
    the strict ones become clips of tier `diffusion`, and what is left of the run, where long enough, clips of `vae`.

    Args:
        evidence: of T ticks.
        settings: of the built-in rules.
        rules: rules of the user's own, applied after `still_face` in this order.
        identity: value of `perception.identity` that the evidence was measured with.

    Raises:
        ValueError: the evidence was measured with another identity.
        RuleError: two rules have one name, or a rule of the user's own raises or does not return verdicts.
    """
    require_own_names(rules)
    begins = shot_starts(evidence, settings)
    bridge = settings.no_face.bridge_ticks
    track = link_tracks(evidence, begins, bridge, settings.tracks, identity)
    main = main_track(evidence, track, begins, bridge, settings.several_faces.min_score, settings.still_face)
    face = main_face(evidence.faces, main)

    video = MeasuredVideo(evidence=evidence, face=face, main=main, breaks=begins | main.changes)
    # Only the user's own rules are checked: an exception in a built-in one is a bug of this program.
    verdicts = [
        (rule, rule.verdicts(video) if rule in rules else rule.judge(video)) for rule in all_rules(settings, rules)
    ]
    judged = {tier: [(rule, by_tier[tier]) for rule, by_tier in verdicts if tier in by_tier] for tier in TIERS}
    passed = {tier: _passed(evidence, judged[tier]) for tier in TIERS}
    breaks = {tier: _breaks(video, judged[tier]) for tier in TIERS}
    clips = _plan_clips(passed, breaks, settings.too_short)
    spans: list[Span] = []
    for tier in TIERS:
        clip_of = _clip_of(len(evidence), clips, tier)
        short = too_short(passed[tier] & (clip_of < 0), breaks[tier], settings.too_short)
        ruled = [*judged[tier], (verdicts[-1][0], short)]
        spans += _spans(evidence, ruled, breaks[tier], clips, clip_of, tier)
    return Decision(track=track, main=main, face=face, spans=tuple(spans), clips=tuple(clips))


def shot_starts(evidence: Evidence, settings: RulesSettings) -> BoolArray:
    """Return (T,) where a shot or a chosen range begins, which no track outlives."""
    return cut(evidence.cut_score, settings.cut).failed | _range_starts(evidence)


def _range_starts(evidence: Evidence) -> BoolArray:
    """Return (T,) where a chosen range begins after ticks that were not chosen: a recording of its own."""
    starts = np.zeros(len(evidence), dtype=np.bool_)
    if evidence.trimmed is not None:
        starts[1:] = evidence.trimmed[:-1] & ~evidence.trimmed[1:]
    return starts


def _passed(evidence: Evidence, judged: _Judged) -> BoolArray:
    """Return (T,) whether a tick satisfies every rule; a boundary fails none."""
    dropped = ~evidence.decoded
    for rule, verdict in judged:
        if not rule.boundary:
            dropped = dropped | verdict.failed
    return ~dropped


def _breaks(video: MeasuredVideo, judged: _Judged) -> BoolArray:
    """Return (T,) where a clip must not go on from the tick before."""
    breaks = video.breaks
    for rule, verdict in judged:
        if rule.boundary:
            breaks = breaks | verdict.failed
    return breaks


def _plan_clips(
    passed: Mapping[Tier, BoolArray], breaks: Mapping[Tier, BoolArray], settings: TooShortSettings
) -> list[ClipPlan]:
    clips = []
    for first, end in _long_runs(passed["vae"], breaks["vae"], settings.min_ticks):
        rest = np.zeros(len(passed["vae"]), dtype=np.bool_)
        rest[first:end] = True
        for run in _long_runs(rest & passed["diffusion"], breaks["diffusion"], settings.min_ticks):
            rest[slice(*run)] = False
            clips += _split(run, "diffusion", settings)
        for run in _long_runs(rest, breaks["vae"], settings.min_ticks):
            clips += _split(run, "vae", settings)
    return sorted(clips, key=lambda clip: clip.first_tick)


def _long_runs(flags: BoolArray, breaks: BoolArray, min_ticks: int) -> list[tuple[int, int]]:
    return [(first, end) for first, end in true_runs(flags, breaks) if end - first >= min_ticks]


def _split(run: tuple[int, int], tier: Tier, settings: TooShortSettings) -> list[ClipPlan]:
    return [
        ClipPlan(first_tick=first, end_tick=end, tier=tier) for first, end in split_evenly(*run, settings.max_ticks)
    ]


def _clip_of(n_ticks: int, clips: Sequence[ClipPlan], tier: Tier) -> Int64Array:
    """Return (T,) number of the clip that a tier keeps each tick in, -1 where none; both keep tier `diffusion`."""
    clip_of = np.full(n_ticks, -1, dtype=np.int64)
    for number, clip in enumerate(clips):
        if clip.tier == "diffusion" or tier == "vae":
            clip_of[clip.first_tick : clip.end_tick] = number
    return clip_of


def _spans(
    evidence: Evidence,
    judged: _Judged,
    breaks: BoolArray,
    clips: Sequence[ClipPlan],
    clip_of: Int64Array,
    tier: Tier,
) -> list[Span]:
    """Tile the video with spans of one outcome each: the first of those that are true of a tick."""
    n = len(evidence)
    trimmed = np.zeros(n, dtype=np.bool_) if evidence.trimmed is None else evidence.trimmed
    outcomes = {"trimmed": trimmed, "undecodable": ~evidence.decoded}
    outcomes |= {rule.name: verdict.failed for rule, verdict in judged if not rule.boundary}
    outcomes["kept"] = clip_of >= 0
    names, deciding = tuple(outcomes), {rule.name: (rule, verdict) for rule, verdict in judged}
    outcome_of = np.argmax(np.stack(tuple(outcomes.values())), axis=0)
    starts = np.ones(n, dtype=np.bool_)
    starts[1:] = (outcome_of[1:] != outcome_of[:-1]) | (clip_of[1:] != clip_of[:-1]) | breaks[1:]
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
            )
        )
    return spans


def _worst(rule: Rule, verdict: Verdict, first: int, end: int) -> tuple[float | None, float]:
    """Return the value of a span that is furthest beyond the limit, None if none was measured, and the limit."""
    measured = verdict.value[first:end][~np.isnan(verdict.value[first:end])]
    if not len(measured):
        return None, verdict.limit
    return float(measured.max() if rule.keeps == "at most" else measured.min()), verdict.limit


def _failed(judged: _Judged, first: int, end: int) -> tuple[str, ...]:
    """Return the rules that some tick of a span fails; a boundary where the span begins at it."""
    return tuple(
        rule.name
        for rule, verdict in judged
        if (verdict.failed[first] if rule.boundary else verdict.failed[first:end].any())
    )
