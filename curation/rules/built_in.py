"""Registry of the built-in rules: each rule's module registers its rule here."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from curation.rules.rule import Keeps, MeasuredVideo, Rule
from curation.rules.verdict import Verdicts
from foundation.settings import Settings
from manifests.vocabulary import RULES, RuleName

__all__ = ["built_in_rules", "register"]

SettingsT = TypeVar("SettingsT", bound=Settings)

_REGISTERED: dict[RuleName, Callable[[object], Rule]] = {}
"""By name: the rule with given settings."""


def register(
    *,
    name: RuleName,
    settings: type[SettingsT],
    words: str,
    unit: str = "",
    keeps: Keeps = "at most",
    boundary: bool = False,
) -> Callable[[Callable[[MeasuredVideo, SettingsT], Verdicts]], Callable[[MeasuredVideo, SettingsT], Verdicts]]:
    """Register the decorated function as the built-in rule `name`; the fields of `Rule` say what the others mean.

    Args:
        name: of the rule, and of its section in the settings.
        settings: class of that section; the function takes an instance of it.
        words: as in `Rule`.
        unit: as in `Rule`.
        keeps: as in `Rule`.
        boundary: as in `Rule`.
    """

    def registered(
        judge: Callable[[MeasuredVideo, SettingsT], Verdicts],
    ) -> Callable[[MeasuredVideo, SettingsT], Verdicts]:
        def with_settings(section: object) -> Rule:
            if not isinstance(section, settings):
                raise TypeError(f"rule {name} takes {settings.__name__}, not {type(section).__name__}")
            return Rule(
                name=name,
                judge=lambda video: judge(video, section),
                words=words,
                unit=unit,
                keeps=keeps,
                boundary=boundary,
            )

        if name in _REGISTERED:
            raise ValueError(f"there is a rule {name} already")
        _REGISTERED[name] = with_settings
        return judge

    return registered


def built_in_rules(sections: Mapping[str, object]) -> tuple[Rule, ...]:
    """Return the built-in rules in the order in which they are applied.

    Args:
        sections: settings of each rule by its name.
    """
    return tuple(_REGISTERED[name](sections[name]) for name in RULES)
