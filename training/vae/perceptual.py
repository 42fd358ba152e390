"""Perceptual network of L_rec: choice and weights (Zhang et al., 2018; Rombach et al., 2022)."""

from foundation.weights import AssetError, MissingAssetsError, asset_path, missing_assets
from foundation.weights.safe_load import load_torch_weights
from models.vae.lpips import Lpips, seeded_lpips
from training.data.randomness import seed_of
from training.vae.config import PerceptualConfig

__all__ = ["PerceptualConfig", "perceptual_network"]

_LPIPS_ASSETS = ("vgg16", "lpips_vgg")
"""Weights of LPIPS: those of the network, and those of its channels."""


def perceptual_network(config: PerceptualConfig) -> Lpips | None:
    """Return the network, or None for none.

    Raises:
        AssetError: the weights of the network are missing, have another SHA-256, or hold a program. No other network
            is used in their place.
    """
    if config.network == "none":
        return None
    if config.network == "random_vgg":
        return seeded_lpips(seed_of("random_vgg"))
    network = Lpips()
    try:
        if missing := missing_assets(_LPIPS_ASSETS):
            raise MissingAssetsError(missing, {})
        network.load_published(*(load_torch_weights(asset_path(name)) for name in _LPIPS_ASSETS))
    except AssetError as error:
        raise AssetError(
            f"perceptual.network is 'lpips_vgg': {error}\n"
            "Or choose another network: --set perceptual.network=random_vgg, or none"
        ) from error
    return network
