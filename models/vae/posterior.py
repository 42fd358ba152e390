"""Gaussian posterior of an encoder of the VAE, and statistics of its latents (GAIA section 4.2, equation 1).

Shapes: B images, C = 3 channels, H rows and W columns of the latent.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["LatentStatistics", "Posterior"]

LOGVAR_MIN, LOGVAR_MAX = -30.0, 20.0
"""Limits of log variance (Rombach et al., 2022): exp and its gradient stay finite."""


class Posterior(NamedTuple):
    """q(z | x) = N(mean, exp(logvar)), independent in all dimensions, fp32 also where the network runs in bf16."""

    mean_BCHW: Tensor
    logvar_BCHW: Tensor
    """In [-30, 20]."""

    @classmethod
    def of_moments(cls, moments_BCHW: Tensor) -> "Posterior":
        """Split (B, 2 C, H, W) into mean and log variance."""
        mean_BCHW, logvar_BCHW = moments_BCHW.float().chunk(2, dim=1)
        return cls(mean_BCHW, logvar_BCHW.clamp(LOGVAR_MIN, LOGVAR_MAX))

    def sample(self, noise_BCHW: Tensor) -> Tensor:
        """Return the (B, C, H, W) sample for standard normal noise of that shape."""
        return self.mean_BCHW + torch.exp(0.5 * self.logvar_BCHW) * noise_BCHW

    def kl_B(self) -> Tensor:
        """Return the (B,) divergence from the standard normal in nats, summed over dimensions (L_kl of equation 4)."""
        return self._kl_BCHW().flatten(1).sum(1)

    def nats_per_dimension_C(self) -> Tensor:
        """Return the (C,) divergence of each channel, averaged over images and positions."""
        return self._kl_BCHW().mean((0, 2, 3))

    def _kl_BCHW(self) -> Tensor:
        return 0.5 * (self.mean_BCHW.square() + self.logvar_BCHW.exp() - 1.0 - self.logvar_BCHW)


class LatentStatistics(nn.Module):
    """Mean and standard deviation of each channel of the latents that the diffusion model is trained on.

    A KL weight of 1e-6 leaves them far from 0 and 1, whereas equation 5 starts from data of about unit variance. They
    are buffers, so the weights file of the VAE contains them.
    """

    count: Tensor
    mean_C: Tensor
    squares_C: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean_C", torch.zeros(channels, dtype=torch.float64))
        self.register_buffer("squares_C", torch.zeros(channels, dtype=torch.float64))

    @torch.no_grad()
    def measure(self, z_BCHW: Tensor) -> None:
        """Add latents to the statistics: those of the training set, in any order (Chan et al., 1979)."""
        z_CN = z_BCHW.detach().to(self.mean_C).transpose(0, 1).flatten(1)
        n = z_CN.shape[1]
        mean_C = z_CN.mean(1)
        difference_C = mean_C - self.mean_C
        total = self.count + n
        self.squares_C += (z_CN - mean_C[:, None]).square().sum(1) + difference_C.square() * self.count * n / total
        self.mean_C += difference_C * n / total
        self.count += n

    @property
    def std_C(self) -> Tensor:
        """(C,) standard deviation of each channel.

        Raises:
            RuntimeError: nothing was measured.
        """
        if not self.count > 0:
            raise RuntimeError("the latents of this VAE were not measured; `gaia-train latents` measures them")
        return torch.sqrt(self.squares_C / self.count)

    def standardise(self, z_BCHW: Tensor) -> Tensor:
        """Return latents with mean 0 and standard deviation 1 in each channel of the training set, fp32."""
        return ((z_BCHW - self.mean_C[:, None, None]) / self.std_C[:, None, None]).float()

    def restore(self, z_BCHW: Tensor) -> Tensor:
        """Return latents in the scale of the encoder from standardised ones, fp32."""
        return (z_BCHW * self.std_C[:, None, None] + self.mean_C[:, None, None]).float()
