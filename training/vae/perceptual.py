"""Perceptual network of L_rec: choice and weights (Zhang et al., 2018; Rombach et al., 2022)."""

from dataclasses import dataclass
from typing import Literal

from foundation.weights.catalogue_training import LPIPS_VGG_HEADS, VGG16, WeightFileError, read_weight_file
from models.vae.lpips import Lpips, seeded_lpips
from training.data.randomness import seed_of

__all__ = ["PerceptualConfig", "perceptual_network"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PerceptualConfig:
    """Choice of the perceptual network."""

    network: Literal["lpips_vgg", "random_vgg", "none"] = "lpips_vgg"
    """`lpips_vgg`: LPIPS, as in the previous works that the paper follows; needs two published files. `random_vgg`: the
    same network with random weights, the same in all runs, which needs none. `none`: L_rec is L1 alone."""


def perceptual_network(config: PerceptualConfig) -> Lpips | None:
    """Return the network, or None for none.

    Raises:
        WeightFileError: weights are missing or have another SHA-256. No other network is used in their place.
    """
    if config.network == "none":
        return None
    if config.network == "random_vgg":
        return seeded_lpips(seed_of("random_vgg"))
    network = Lpips()
    try:
        network.load_published(read_weight_file(VGG16), read_weight_file(LPIPS_VGG_HEADS))
    except WeightFileError as error:
        raise WeightFileError(
            f"perceptual.network is 'lpips_vgg', and {error}; or choose another network: "
            "--set perceptual.network=random_vgg, or none"
        ) from error
    return network
