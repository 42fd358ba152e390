"""Names that a user chooses from, of presets and of layouts; reading them loads no other module."""

from typing import Literal

__all__ = ["LayoutChoice", "LayoutName", "PresetName"]

PresetName = Literal["embedded", "paper"]
"""`embedded`: models with weights that come over the Python package index alone; `paper`: the paper's own models."""

LayoutName = Literal["hdtf", "cc_v1", "cc_v2", "voxceleb2", "talkinghead_1kh", "folder"]
"""Published data sets whose folders are known, and `folder` for all others."""

LayoutChoice = Literal["auto", LayoutName]
"""A layout, or `auto` for the one that the names of the files show."""
