"""The variance-preserving diffusion process of the motion latents (GAIA section 4.2, equation 5).

    dz = -1/2 beta(t) z dt + sqrt(beta(t)) dw,    beta(t) = beta_min + (beta_max - beta_min) t,    t in [0, 1]

Its marginals are Gaussian: z_t = alpha(t) x0 + sigma(t) noise, with alpha^2 + sigma^2 = 1. The paper leaves beta open;
ours is that of Song et al., "Score-based generative modeling through stochastic differential equations", appendix C.

The network predicts x0 (equation 8); the score in equations 6 and 7 follows from it by `score_from_x0`.

Times and results are float32 or float64, whatever the precision of the network: in bfloat16, sigma vanishes near
t = 0. A time is a scalar or `(B,)`, broadcast over the dimensions of the state.

Shapes: B sequences, T frames, D numbers of the target per frame.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.sampling.config import SdeConfig

__all__ = ["VpSde"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VpSde(SdeConfig):
    """The process with the noise schedule of its config."""

    def beta(self, t: Tensor) -> Tensor:
        """Return beta of equation 5 at time t."""
        return self.beta_min + (self.beta_max - self.beta_min) * _precise(t)

    def beta_integral(self, t: Tensor) -> Tensor:
        """Return the integral of beta from 0 to t."""
        t = _precise(t)
        return self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t.square()

    def alpha(self, t: Tensor) -> Tensor:
        """Return the factor of x0 in z_t."""
        return torch.exp(-0.5 * self.beta_integral(t))

    def sigma(self, t: Tensor) -> Tensor:
        """Return the standard deviation of the noise in z_t."""
        # expm1: 1 - exp(-I) loses all its digits in float32 where I is small
        return torch.sqrt(-torch.expm1(-self.beta_integral(t)))

    def log_snr_half(self, t: Tensor) -> Tensor:
        """Return lambda(t) = log(alpha / sigma), which falls from t = 0 to t = 1.

        >>> VpSde().log_snr_half(torch.tensor([1.0, 1e-3]))
        tensor([-5.0250,  4.5577])
        """
        integral = self.beta_integral(t)
        return -0.5 * (integral + torch.log(-torch.expm1(-integral)))

    def time_of(self, log_snr_half: Tensor) -> Tensor:
        """Return the time at which lambda has a value; the inverse of `log_snr_half`, in closed form."""
        log_snr_half = _precise(log_snr_half)
        integral = torch.logaddexp(-2.0 * log_snr_half, torch.zeros_like(log_snr_half))  # log(1 + exp(-2 lambda))
        # the root of beta_integral(t) = integral, in the form that subtracts nothing
        root = torch.sqrt(self.beta_min**2 + 2.0 * (self.beta_max - self.beta_min) * integral)
        return 2.0 * integral / (root + self.beta_min)

    def training_times(self, uniform_B: Tensor) -> Tensor:
        """Return (B,) times of training, uniform over [train_t_min, 1], from numbers that are uniform over [0, 1]."""
        return self.train_t_min + (1.0 - self.train_t_min) * _precise(uniform_B)

    def diffuse(self, x0_BTD: Tensor, time_B: Tensor, noise_BTD: Tensor) -> Tensor:
        """Return z_t of equation 5's marginal at time t, given x0 and standard normal noise."""
        return _broadcast(self.alpha(time_B), x0_BTD) * x0_BTD + _broadcast(self.sigma(time_B), x0_BTD) * noise_BTD

    def noise_from_x0(self, z_BTD: Tensor, x0_BTD: Tensor, time_B: Tensor) -> Tensor:
        """Return the noise that gives z_t with this x0; a time below `train_t_min` counts as that."""
        time_B = time_B.clamp(min=self.train_t_min)
        return (z_BTD - _broadcast(self.alpha(time_B), z_BTD) * x0_BTD) / _broadcast(self.sigma(time_B), z_BTD)

    def score_from_x0(self, z_BTD: Tensor, x0_BTD: Tensor, time_B: Tensor) -> Tensor:
        """Return grad log p_t of equations 6 and 7, where x0 is the mean of p(x0 | z_t); times as `noise_from_x0`."""
        return self.score_from_noise(self.noise_from_x0(z_BTD, x0_BTD, time_B), time_B)

    def score_from_noise(self, noise_BTD: Tensor, time_B: Tensor) -> Tensor:
        """Return the score where this is the mean of the noise given z_t; times as `noise_from_x0`."""
        return -noise_BTD / _broadcast(self.sigma(time_B.clamp(min=self.train_t_min)), noise_BTD)


def _precise(t: Tensor) -> Tensor:
    if t.dtype not in (torch.float32, torch.float64):
        raise TypeError(
            f"a time of the diffusion is {t.dtype}; give float32 or float64, bfloat16 and float16 are too coarse"
        )
    return t


def _broadcast(coefficient_B: Tensor, like_BTD: Tensor) -> Tensor:
    """Return a coefficient with trailing dimensions of 1; unlike a scalar it raises half precision to its own type."""
    return coefficient_B.reshape(coefficient_B.shape + (1,) * (like_BTD.ndim - coefficient_B.ndim))
