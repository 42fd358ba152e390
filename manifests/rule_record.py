"""Description of a rule in `dataset.json`, by which its outcomes are explained without its code."""

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

__all__ = ["MOST_RULES", "RULE_NAME", "FiniteJson", "RuleRecord"]

RULE_NAME = "[a-z][a-z0-9_]{0,39}"
"""Names of rules, as a regular expression."""

MOST_RULES = 500
"""Most rules of a dataset: each is applied to every video."""


def _require_finite(value: JsonValue) -> JsonValue:
    """Return the value if every number in it is finite: others can be read from JSON, and not be written again."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no finite number")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _require_finite(inner)
    return value


FiniteJson = Annotated[dict[str, JsonValue], AfterValidator(_require_finite)]
"""An object of settings, as JSON holds them."""


class RuleRecord(BaseModel):
    """A rule that decided what is kept, and the words in which its value is described."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, Field(pattern=f"^{RULE_NAME}$")]
    """Name of the rule, which is its outcome in `spans`."""
    words: str
    """Description of its value."""
    unit: str
    """Unit of the value; empty where there is none."""
    keeps: Literal["at most", "at least"]
    """Whether values up to the limit are kept, or values from the limit on."""
    own: bool
    """Whether it is a rule of the user's own, which a later run needs to be given again."""
    settings: FiniteJson = {}
    """Settings of the user's own rule; those of built-in ones stand in `config`."""
