"""Names of the presets; reading them needs no model and no settings."""

from typing import Literal

__all__ = ["PresetName"]

PresetName = Literal["embedded", "paper"]
"""`embedded`: models with weights that come over the Python package index alone; `paper`: the paper's own models."""
