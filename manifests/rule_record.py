"""Description of a rule in `dataset.json`, by which its outcomes are explained without its code."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

__all__ = ["RuleRecord"]


class RuleRecord(BaseModel):
    """A rule that decided what is kept, and the words in which its value is described."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    """Its outcome in `spans`."""
    words: str
    """What its value is."""
    unit: str
    """Unit of the value; empty where there is none."""
    keeps: Literal["at most", "at least"]
    """Whether values up to the limit are kept, or values from the limit on."""
    own: bool
    """Whether it is a rule of the user's own, whose function a later run has to be given again."""
    settings: dict[str, JsonValue] = {}
    """Settings of the user's own rule; those of built-in ones stand in `config`."""
