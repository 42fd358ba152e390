"""Configs of the VAE and its discriminator at the paper's sizes (GAIA appendix B.1: small, base, large) and a tiny one.

The paper leaves open how channels widen from level to level. No single rule comes near its parameter counts; the
multipliers here come within 4 % of each, and the widest level is 512, 1024, 1024.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from foundation.settings import Section

__all__ = ["DISCRIMINATORS", "LATENT_CHANNELS", "VAE_SIZES", "DiscriminatorConfig", "VaeConfig"]

LATENT_CHANNELS = 3
"""Channels of z_a and of z_m (section 4.2)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VaeConfig(Section):
    """Size of the encoders E_A and E_M and of the decoder D."""

    width: Annotated[int, Field(ge=1)]
    """Channels at full resolution, a multiple of `groups`; d_hidden of appendix B.1."""
    n_layers: Annotated[int, Field(ge=1, le=256)]
    """Residual blocks per level of an encoder, n_layer of appendix B.1; the decoder has one more."""
    multipliers: tuple[int, ...]
    """Channels of each level of E_A and D as multiples of `width`; each level but the last halves the size. E_M has one
    level more, of `width` channels, at full resolution."""
    groups: Annotated[int, Field(ge=1)] = 32
    """Groups of the group norms, as of Rombach et al. (2022)."""
    image_px: Annotated[int, Field(ge=1, le=1024)] = 256
    """Height and width of images, pixels (appendix B.1)."""
    disentangled: bool = True
    """False: Table 6's "w/o disentanglement", E_A and D alone, the same frame in and out."""

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if self.width % self.groups:
            raise ValueError(f"VaeConfig.groups is {self.groups}, which does not divide the width {self.width}")
        if self.image_px % (2 ** len(self.multipliers)):
            raise ValueError(
                f"VaeConfig.image_px is {self.image_px}; E_M halves images {len(self.multipliers)} times, so give a "
                f"multiple of {2 ** len(self.multipliers)}"
            )

    @property
    def appearance_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of z_a."""
        size = self.image_px // 2 ** (len(self.multipliers) - 1)
        return (LATENT_CHANNELS, size, size)

    @property
    def motion_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of z_m."""
        channels, height, width = self.appearance_shape
        return (channels, height // 2, width // 2)


VAE_SIZES: Mapping[str, VaeConfig] = MappingProxyType(
    {
        "tiny": VaeConfig(width=16, n_layers=1, multipliers=(1, 2, 4), groups=4, image_px=64),
        "small": VaeConfig(width=128, n_layers=2, multipliers=(1, 1, 2, 4)),
        "base": VaeConfig(width=256, n_layers=4, multipliers=(1, 2, 4, 4)),
        "large": VaeConfig(width=512, n_layers=8, multipliers=(1, 2, 2, 2)),
    }
)
"""By name. `tiny` is ours; the paper's three sizes are 80M, 700M and 1.7B."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscriminatorConfig(Section):
    """Size of the discriminator."""

    width: Annotated[int, Field(ge=1)] = 64
    """Channels of the first convolution; each further one has twice as many, up to 8 times (Isola et al., 2017)."""
    n_strided: Annotated[int, Field(ge=1, le=16)] = 3
    """Convolutions of stride 2. Three judge patches of 70x70 pixels (Isola et al., 2017)."""
    norm: Literal["group", "batch"] = "group"
    """Normalisation. `batch` is that of Rombach et al. (2022); `group`, ours, does not depend on the batch of one
    GPU."""
    groups: Annotated[int, Field(ge=1)] = 32
    """Groups of the group norms; divides the channels of each layer."""


DISCRIMINATORS: Mapping[str, DiscriminatorConfig] = MappingProxyType(
    {
        "tiny": DiscriminatorConfig(width=16, n_strided=2, groups=4),
        "patch": DiscriminatorConfig(),
        "patch_batch_norm": DiscriminatorConfig(norm="batch"),
    }
)
"""`patch` is for all sizes of the paper; with batch norm it is that of Rombach et al. (2022)."""
