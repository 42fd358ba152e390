"""Names of the sizes in which the VAE and the motion diffusion model come (GAIA appendix B.1)."""

from typing import Literal

__all__ = ["SizeName"]

SizeName = Literal["tiny", "small", "base", "large"]
"""`small`, `base` and `large` are the paper's; `tiny` is ours, for tests and first steps on a CPU."""
