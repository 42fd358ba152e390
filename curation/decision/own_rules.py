"""Names of the user's own rules."""

from collections import Counter
from collections.abc import Sequence

from curation.rules.rule import Rule, RuleError
from manifests.vocabulary import OUTCOMES

__all__ = ["require_own_names"]


def require_own_names(rules: Sequence[Rule]) -> None:
    """Refuse rules with a name that is taken.

    Raises:
        RuleError: they are no sequence, an object is no rule, or a name is that of a built-in outcome or of two rules.
    """
    if not isinstance(rules, Sequence):  # an iterator would be empty after this check
        raise RuleError(f"the rules are {rules!r:.80}; give a list of rules")
    for rule in rules:
        if not isinstance(rule, Rule):
            raise RuleError(f"{rule!r:.80} is no rule; make one with `curation.rule` or `curation.Rule`")
        if rule.name in OUTCOMES:
            raise RuleError(f"a rule is called {rule.name!r}, as is a built-in outcome; give it another name")
    twice = [name for name, count in Counter(rule.name for rule in rules).items() if count > 1]
    if twice:
        raise RuleError(f"two rules are called {twice[0]!r}; give each a name of its own")
