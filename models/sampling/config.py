"""Config of the diffusion process of the motion latents (GAIA section 4.2, equation 5)."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from foundation.settings import Section

__all__ = ["SdeConfig"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SdeConfig(Section):
    """Linear noise schedule and the times at which it is used."""

    beta_min: Annotated[float, Field(gt=0.0)] = 0.1
    """beta(0), Song et al.; GAIA's authors' later public code has 0.05."""
    beta_max: Annotated[float, Field(gt=0.0)] = 20.0
    """beta(1), above `beta_min`, Song et al."""
    train_t_min: Annotated[float, Field(gt=0.0, lt=1.0)] = 1e-5
    """Smallest time of training, and the one below which no noise or score is computed from z and x0."""
    sample_t_min: Annotated[float, Field(gt=0.0, lt=1.0)] = 1e-3
    """Time at which sampling ends, Song et al.: sigma is 0.0105 there, and the prediction of x0 is the sample."""

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if not self.beta_min < self.beta_max:
            raise ValueError(
                f"VpSde has beta from {self.beta_min} to {self.beta_max}; give a growing range, such as 0.1 to 20"
            )
