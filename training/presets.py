"""Names of the sizes and presets that all trainers share; no network is needed to read them."""

from typing import Literal, get_args

__all__ = ["SIZES", "PresetName", "SizeName"]

SizeName = Literal["tiny", "small", "base", "large"]
"""`tiny` trains on a CPU; the others are the paper's (GAIA appendix B.1)."""

SIZES: tuple[SizeName, ...] = get_args(SizeName)

PresetName = Literal["recommended", "paper"]
"""`recommended`: our own recommendation; `paper`: to the letter of GAIA appendix B.1."""
