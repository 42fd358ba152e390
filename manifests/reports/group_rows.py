"""Statistics by group of people, as rows, text and JSON: what is kept of each, and rules that treat them unlike."""

from dataclasses import asdict, dataclass

from foundation.json_text import json_text
from foundation.text import shown, text_table, time_unit
from manifests.reports.unlike_groups import LEAST_UNITS
from manifests.vocabulary import TIERS

__all__ = ["ERROR_RATE", "GroupRow", "GroupStatistics", "RuleComparison", "Share"]

ERROR_RATE = 0.05
"""Chance of one false alarm or more among all comparisons."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """Share of seconds, 0 to 1, with the limits of its 95 % interval."""

    share: float
    low: float | None
    """None: too few people or videos."""
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupRow:
    """What became of the videos of a group; copies do not count."""

    group: str | None
    """None: the group is not recorded."""
    videos: int
    """Files, those included that could not be curated."""
    units: int
    """People, and videos whose speaker is not known, with seconds."""
    offered_s: dict[str, float]
    """Per tier, seconds that were asked for and measured."""
    kept_s: dict[str, float]
    dropped: dict[str, Share | None]
    """Per tier, the share of the offered seconds that is not kept; None: nothing was offered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleComparison:
    """Losses to a rule, compared between the groups that are large enough."""

    tier: str
    rule: str
    shares: dict[str, float]
    """By group, the share of the offered seconds that the rule drops: that no rule before it dropped."""
    chance: float
    """Chance of such a difference if the groups were alike, adjusted for the number of comparisons."""
    chance_within_sources: float | None
    """The same where only people of the same source are compared; None: there is one source, or the groups are it."""
    unlike: bool
    """Whether the groups are treated unlike: `chance` is at most 0.05."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupStatistics:
    """Statistics of a dataset by groups of people."""

    by: str
    groups: tuple[GroupRow, ...]
    rules: tuple[RuleComparison, ...]
    """One for each tier and rule that drops anything; none where fewer than two groups are large enough."""

    def json(self) -> str:
        """Return all statistics as JSON; durations in seconds."""
        return json_text(asdict(self), indent=2)

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """Return tables for people to read."""
        return f"{self._groups_text()}\n\n{self._rules_text()}"

    def _groups_text(self) -> str:
        unit = time_unit(sum(max(row.offered_s.values()) for row in self.groups))
        header = [self.by, "videos", "people"]
        for tier in TIERS:
            header += [f"{unit.name} offered, {tier}", "kept", "dropped", "95 % interval"]
        rows = []
        for row in self.groups:
            cells = [_name(row.group), f"{row.videos:,}", f"{row.units:,}"]
            for tier in TIERS:
                cells += [unit.text(row.offered_s[tier]), unit.text(row.kept_s[tier]), *_share_cells(row.dropped[tier])]
            rows.append(cells)
        table = text_table(header, rows, numeric=[False, *[True] * (len(header) - 1)])
        return (
            f"What is kept, by {self.by} (people: speakers, and videos whose speaker is not known; intervals by the "
            f"bootstrap over them, for at least {LEAST_UNITS}):\n{table}"
        )

    def _rules_text(self) -> str:
        if not self.rules:
            return (
                f"Rules are not compared: that takes two groups of at least {LEAST_UNITS} people or videos each, and a "
                "rule that drops something."
            )
        unlike = [row for row in self.rules if row.unlike]
        many = f"{len(self.rules)} comparisons" if len(self.rules) > 1 else "1 comparison"
        how = f"{many} of tier and rule; {ERROR_RATE:.0%} chance of any false alarm among them all, after Holm"
        if not unlike:
            return f"No rule treats these groups unlike by more than chance ({how})."
        groups = list(unlike[0].shares)
        header = ["tier", "rule", *(f"drops of {shown(group)}" for group in groups), "chance", "within sources"]
        rows = [
            [
                row.tier,
                row.rule,
                *(f"{row.shares[group]:.1%}" for group in groups),
                _chance_text(row.chance),
                _within(row),
            ]
            for row in unlike
        ]
        numeric = [False, False, *[True] * (len(groups) + 1), False]
        lines = [f"Rules that treat these groups unlike ({how}):", text_table(header, rows, numeric=numeric)]
        if any(row.chance_within_sources is not None for row in unlike):
            lines.append("Within sources, people of the same source alone are compared: a difference that is only")
            lines.append("between sources may come from their cameras, and not from the people.")
        return "\n".join(lines)


def _name(group: str | None) -> str:
    return "(not recorded)" if group is None else shown(group)


def _share_cells(share: Share | None) -> list[str]:
    if share is None:
        return ["-", "-"]
    between = "-" if share.low is None or share.high is None else f"{share.low:.1%} to {share.high:.1%}"
    return [f"{share.share:.1%}", between]


def _chance_text(chance: float) -> str:
    return "< 0.1 %" if chance < 0.001 else f"{chance:.1%}"


def _within(row: RuleComparison) -> str:
    chance = row.chance_within_sources
    if chance is None:
        return "-"
    if chance > ERROR_RATE:
        return "not shown"
    return f"unlike too ({_chance_text(chance)})"
