"""Spans of a video: adjacent ticks of one outcome, which tile it once per tier."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from curation.decision.beyond_cores import judged_by_grid
from curation.decision.clip_plans import ClipPlan
from curation.decision.grid import GridLook
from curation.decision.judgement import Judged, Judgement
from curation.evidence.measures import Evidence
from curation.rules.rule import Rule
from curation.rules.sync import SyncedStretch, VideoSync
from curation.rules.too_short import TooShortSettings, too_short
from curation.rules.verdict import Verdict
from foundation.array_types import BoolArray, Int64Array
from manifests.vocabulary import TIERS, Tier

__all__ = ["Span", "spans_of"]


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
    """Whether a border of it is known to the grid only: 5 ticks, or more between anchors of it."""


def spans_of(
    evidence: Evidence,
    judgement: Judgement,
    clips: Sequence[ClipPlan],
    sync: VideoSync,
    tiers: Collection[Tier],
    *,
    in_sync_z: float,
    shortest: TooShortSettings,
    look: GridLook,
    core: BoolArray,
) -> tuple[tuple[Span, ...], dict[Tier, dict[str, Verdict]]]:
    """Return the spans of all ticks, tier by tier, and by tier and name of a rule its verdict on every tick.

    Args:
        evidence: of T ticks, of which those outside cores count by their grid ticks alone.
        judgement: of all rules, by what cores show.
        clips: that are planned.
        sync: what the rule `sync` says.
        tiers: of which clips are asked for.
        in_sync_z: limit of the rule `sync`.
        shortest: settings of the rule `too_short`.
        look: of the grid ticks.
        core: (T,) from `cores`.
    """
    spans: list[Span] = []
    verdicts: dict[Tier, dict[str, Verdict]] = {}
    silent = np.zeros(len(evidence), dtype=np.bool_) if look.silent is None else look.silent
    # where nobody has to look, neither a cut nor a damaged picture is known, even if somebody did
    evidence = replace(evidence, decoded=evidence.decoded | silent)
    for tier in TIERS:
        clip_of = _clip_of(len(evidence), clips, tier)
        if tier not in tiers:
            never = np.zeros(len(evidence), dtype=np.bool_)
            spans += _spans(evidence, (), never, clips, clip_of, tier, sync, ~never)
            continue
        ruled, left = list(judgement.judged[tier]), judgement.passed[tier] & (clip_of < 0)
        breaks = judgement.breaks[tier] & ~silent
        if tier == "diffusion":
            unsynced = _sync_verdict(len(evidence), sync, in_sync_z)
            ruled.append((judgement.sync, unsynced))
            left &= ~unsynced.failed
        told = judged_by_grid(ruled, (judgement.too_short, too_short(left, breaks, shortest)), look, core)
        spans += _spans(evidence, told, breaks, clips, clip_of, tier, sync, core | silent)
        verdicts[tier] = {rule.name: verdict for rule, verdict in told}
    return tuple(spans), verdicts


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
    """Tile the video with spans of one outcome each: the first of those that are true of a tick.

    Args:
        evidence: of T ticks.
        judged: verdicts of the tier, in the order in which they are applied.
        breaks: (T,) where a clip must not go on.
        clips: that are planned.
        clip_of: (T,) number of the clip of each tick, or -1.
        tier: whose spans they are.
        sync: what the rule `sync` says.
        exact: (T,) ticks at which a border is known to the tick.
    """
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
