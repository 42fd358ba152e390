"""How well does the VAE rebuild a frame from another one and landmarks? Beside taking the other one as it is.

Frames of a clip are alike: a copy of the reference is the least that a network has to beat.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from manifests.arrays import RgbImage
from models.landmark_image import LandmarkRenderer
from models.vae import Vae
from training.frame_pairs import FramePairBatch, pictures_of_bytes
from training.vae_pictures import levels_of_pictures, rebuilt

__all__ = ["ReconstructionCheck", "check_reconstruction", "psnr_db"]

_BEST_DB = 100.0
"""Of a picture that is the same to the last bit, whose PSNR is infinite."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconstructionCheck:
    """Means over pairs of frames."""

    n_pairs: int
    psnr_db: float
    """Of frames as the VAE rebuilds them."""
    copy_psnr_db: float
    """Of the reference frames in their place."""

    @property
    def gain_db(self) -> float:
        """By how much the network beats a copy."""
        return self.psnr_db - self.copy_psnr_db


def psnr_db(image: RgbImage, target: RgbImage) -> float:
    """Return the peak signal-to-noise ratio of two pictures of bytes, at most 100 dB.

    >>> grey = np.full((2, 2, 3), 100, np.uint8)
    >>> round(psnr_db(grey + 1, grey), 2), psnr_db(grey, grey)
    (48.13, 100.0)
    """
    mean_square = float(np.square(image.astype(np.float64) - target).mean())
    return min(_BEST_DB, 10.0 * float(np.log10(255.0**2 / mean_square))) if mean_square else _BEST_DB


@torch.inference_mode()
def check_reconstruction(
    vae: Vae, renderer: LandmarkRenderer, batches: Iterable[FramePairBatch]
) -> ReconstructionCheck:
    """Rebuild frames j of pairs and compare.

    Args:
        vae: in evaluation mode.
        renderer: on the same device.
        batches: on the CPU; together at least one pair.
    """
    ours: list[float] = []
    copies: list[float] = []
    for batch in batches:
        targets = levels_of_pictures(pictures_of_bytes(batch.image_j_BCHW))
        sources = levels_of_pictures(pictures_of_bytes(batch.image_i_BCHW))
        made = levels_of_pictures(rebuilt(vae, renderer, batch))
        ours += [psnr_db(image, target) for image, target in zip(made, targets, strict=True)]
        copies += [psnr_db(image, target) for image, target in zip(sources, targets, strict=True)]
    return ReconstructionCheck(n_pairs=len(ours), psnr_db=float(np.mean(ours)), copy_psnr_db=float(np.mean(copies)))
