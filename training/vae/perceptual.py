"""The perceptual part of L_rec: which network judges, and its weights (Zhang et al., 2018; Rombach et al., 2022)."""

from foundation.weights.catalogue_training import LPIPS_VGG_HEADS, VGG16, WeightFileError, read_weight_file
from models.vae.lpips import Lpips, seeded_lpips
from training.data.randomness import seed_of
from training.vae.config import PerceptualConfig

__all__ = ["PerceptualConfig", "perceptual_network"]


def perceptual_network(config: PerceptualConfig) -> Lpips | None:
    """Return the network, or None for none.

    Raises:
        WeightFileError: weights that were asked for are missing, or are others. No other network is taken instead.
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
