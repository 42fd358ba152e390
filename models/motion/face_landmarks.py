"""Landmarks as the target of the motion diffusion model (GAIA section 5.4, appendix D.2).

Shapes: N frames, K landmarks, D = 2 K numbers, x and y of each landmark in turn.
"""

import torch
from torch import Tensor, nn

from manifests.landmarks import landmark_scheme
from models.motion.config import MotionDiffusionConfig

__all__ = ["LEAST_STD", "LandmarkStandard", "outside_mouth_and_jaw"]

LEAST_STD = 0.001
"""Lower bound of the standard deviation of a coordinate, over the width of the crop: a quarter of a pixel of 256, which
is the noise of a landmark. Coordinates hardly vary in a few clips of one person."""


class LandmarkStandard(nn.Module):
    """Statistics of each coordinate over the training set, in widths of the crop, so that crops may have any size."""

    mean_D: Tensor
    std_D: Tensor

    def __init__(self, n_points: int) -> None:
        super().__init__()
        self.n_points = n_points
        self.register_buffer("mean_D", torch.zeros(2 * n_points))
        self.register_buffer("std_D", torch.ones(2 * n_points))

    def set(self, mean_D: Tensor, std_D: Tensor) -> None:
        """Set mean and standard deviation of each coordinate; deviations below `LEAST_STD` are raised to it."""
        self.mean_D.copy_(mean_D)
        self.std_D.copy_(std_D.clamp_min(LEAST_STD))

    def standardise(self, landmarks_NK2: Tensor, size_px: int) -> Tensor:
        """Return the (N, D) coordinates in standard deviations from the mean.

        Args:
            landmarks_NK2: pixels of the crop.
            size_px: width and height of the crop.
        """
        return (landmarks_NK2.flatten(1) / size_px - self.mean_D) / self.std_D

    def restore(self, standardised_ND: Tensor, size_px: int) -> Tensor:
        """Return the (N, K, 2) landmarks in pixels of a crop of `size_px`: the inverse of `standardise`."""
        landmarks_ND: Tensor = (standardised_ND * self.std_D + self.mean_D) * size_px
        return landmarks_ND.reshape(-1, self.n_points, 2)


def outside_mouth_and_jaw(config: MotionDiffusionConfig) -> Tensor:
    """Return (D,) True for the coordinates that are given when speech drives mouth and jaw, and a video the rest."""
    known_K = torch.ones(config.tokens, dtype=torch.bool)
    known_K[list(landmark_scheme(str(config.landmark_scheme)).mouth_and_jaw)] = False
    return known_K.repeat_interleave(config.token_channels)
