"""Description of the rules in `dataset.json`, and its comparison with the rules of a run."""

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from curation.decision.judgement import all_rules
from curation.decision.settings import RulesSettings
from curation.rules.rule import Rule, RuleError
from foundation.errors import UsageError
from manifests.rule_record import RuleRecord

__all__ = ["OtherRulesError", "require_same_rules", "rule_records"]


class OtherRulesError(UsageError):
    """A dataset was made with other rules of the user's own than those that a run is given."""


def rule_records(settings: RulesSettings, own: Sequence[Rule]) -> tuple[RuleRecord, ...]:
    """Return the description of all rules, in the order in which they are applied.

    Args:
        settings: of the built-in rules.
        own: rules of the user's own.

    Raises:
        RuleError: the settings of a rule cannot be written as JSON.
    """
    return tuple(_record(rule, own=rule in own) for rule in all_rules(settings, own))


def require_same_rules(dataset: Path, recorded: Sequence[RuleRecord], own: Sequence[Rule]) -> None:
    """Refuse to go on with a dataset that was made with other rules of the user's own.

    Args:
        dataset: for messages.
        recorded: the rules in its dataset.json.
        own: rules that the run is given.

    Raises:
        OtherRulesError: a rule is missing, is new, has other settings or another position in the order.
        RuleError: the settings of a rule cannot be written as JSON.
    """
    before = {record.name: record.settings for record in recorded if record.own}
    now = {rule.name: _record(rule, own=True).settings for rule in own}
    missing, new = [name for name in before if name not in now], [name for name in now if name not in before]
    if missing:
        raise OtherRulesError(
            f"{dataset} was made with a rule of your own, {missing[0]!r}, which is not given. Call the function of "
            f"`curation` in Python and give it rules=[{', '.join(before)}]. Reading the dataset, as `gaia-curate "
            "explain`, `stats` and `validate` do, needs no rule"
        )
    if new:
        raise OtherRulesError(
            f"{dataset} was made without the rule {new[0]!r}; give a new dataset, or apply it to the evidence of this "
            "one with `curation.redecide`"
        )
    changed = [name for name in before if before[name] != now[name]]
    if changed:
        name = changed[0]
        raise OtherRulesError(
            f"{dataset} was made with other settings of the rule {name!r}: {_text(now[name])}, was "
            f"{_text(before[name])}; give a new dataset, or apply the new ones with `curation.redecide`"
        )
    if list(before) != list(now):
        raise OtherRulesError(
            f"{dataset} was made with the rules {', '.join(before)} in this order; give them so again, for a tick's "
            "outcome is the first rule that it fails"
        )


def _record(rule: Rule, *, own: bool) -> RuleRecord:
    try:
        json.dumps(dict(rule.settings), allow_nan=False)
        return RuleRecord(
            name=rule.name, words=rule.words, unit=rule.unit, keeps=rule.keeps, own=own, settings=dict(rule.settings)
        )
    except (TypeError, ValueError) as error:  # a ValidationError is a ValueError
        raise RuleError(
            f"rule {rule.name!r} has settings that JSON cannot hold: {rule.settings!r:.80}; give texts, finite "
            "numbers, truth values, lists and mappings of them"
        ) from error


def _text(settings: dict[str, JsonValue]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items()) or "none"
