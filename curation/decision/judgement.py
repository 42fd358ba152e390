"""Judgement of the ticks of a video by all rules: which of them pass, and where a clip must not go on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from curation.decision.settings import RulesSettings
from curation.evidence.measures import Evidence
from curation.rules.built_in import built_in_rules
from curation.rules.cut import cut
from curation.rules.rule import MeasuredVideo, Rule
from curation.rules.verdict import Verdict
from foundation.array_types import BoolArray
from manifests.vocabulary import TIERS, Tier

__all__ = ["Judged", "Judgement", "all_rules", "judge", "recording_starts"]

Judged = Sequence[tuple[Rule, Verdict]]
"""Rules in the order in which they are applied, each with its verdict in one tier."""

_N_PLANNED = 2
"""The last built-in rules, `sync` and `too_short`, judge the stretches that all others leave."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What the rules say of the T ticks of a video, but for `sync` and `too_short`, which judge stretches."""

    judged: Mapping[Tier, Judged]
    """By tier, the rules that judge it."""
    passed: Mapping[Tier, BoolArray]
    """By tier, (T,) whether a tick satisfies all rules; a boundary fails none."""
    breaks: Mapping[Tier, BoolArray]
    """By tier, (T,) where a clip must not go on from the tick before."""
    sync: Rule
    """The rule `sync`."""
    too_short: Rule
    """The rule `too_short`."""


def all_rules(settings: RulesSettings, own: Sequence[Rule] = ()) -> tuple[Rule, ...]:
    """Return all rules in the order in which they are applied: those of the user's own before `sync` and `too_short`.

    Args:
        settings: of the built-in rules.
        own: rules of the user's own.
    """
    rules = built_in_rules(dict(settings))
    return (*rules[:-_N_PLANNED], *own, *rules[-_N_PLANNED:])


def judge(
    video: MeasuredVideo, settings: RulesSettings, own: Sequence[Rule], *, left_out: Collection[str] = ()
) -> Judgement:
    """Return what all rules say of a video.

    Args:
        video: the measurements.
        settings: of the built-in rules.
        own: rules of the user's own, which are checked: an exception in a built-in one is a bug of this program.
        left_out: names of built-in rules that are not applied.

    Raises:
        RuleError: a rule of the user's own raises or does not return verdicts.
    """
    rules = all_rules(settings, own)
    verdicts = [
        (rule, rule.verdicts(video) if rule in own else rule.judge(video))
        for rule in rules
        if rule in own or rule.name not in left_out
    ]
    judged = {tier: [(rule, by_tier[tier]) for rule, by_tier in verdicts if tier in by_tier] for tier in TIERS}
    return Judgement(
        judged=judged,
        passed={tier: _passed(video.evidence, judged[tier]) for tier in TIERS},
        breaks={tier: _breaks(video, judged[tier]) for tier in TIERS},
        sync=rules[-2],
        too_short=rules[-1],
    )


def recording_starts(evidence: Evidence, settings: RulesSettings) -> BoolArray:
    """Return (T,) where a shot begins, or a chosen range after ticks that were not chosen: a recording of its own."""
    starts = np.zeros(len(evidence), dtype=np.bool_)
    if evidence.trimmed is not None:
        starts[1:] = evidence.trimmed[:-1] & ~evidence.trimmed[1:]
    return np.asarray(cut(evidence.cut_score, settings.cut).failed | starts)


def _passed(evidence: Evidence, judged: Judged) -> BoolArray:
    dropped = ~evidence.decoded
    for rule, verdict in judged:
        if not rule.boundary:
            dropped = dropped | verdict.failed
    return ~dropped


def _breaks(video: MeasuredVideo, judged: Judged) -> BoolArray:
    breaks = video.breaks
    for rule, verdict in judged:
        if rule.boundary:
            breaks = breaks | verdict.failed
    return breaks
