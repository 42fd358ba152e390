"""Samplers: from noise to motion by solving the reverse process (GAIA section 4.3, equations 6 and 7).

A predictor gives x0, the mean of p(x0 | z_t), at each time of a grid that falls from t = 1; the score in the equations
follows from it. Each sampler but `ode_euler_mid` ends with the prediction of x0 at the smallest time. Their
errors by number of steps are in benchmarks/results/2026-11-samplers.md. A grid that is uniform in lambda =
log(alpha / sigma) needs few steps, because it places them where the motion takes shape.

The state is float32 and the coefficients are float64 numbers of Python, whatever the precision of the network.

Shapes: B sequences, T frames, D numbers of the target per frame, N times of a grid.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import expm1, sqrt
from types import MappingProxyType
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor

from models.sampling.sde import VpSde

__all__ = [
    "SAMPLERS",
    "SamplerConfig",
    "SamplerName",
    "SeededNoise",
    "X0Predictor",
    "predict_at",
    "sample",
    "time_grid",
]

SamplerName = Literal["dpmpp_2m", "sde_em", "ode_heun", "ode_euler_mid"]


class X0Predictor(Protocol):
    """Interface of a network for a sampler; its conditions are bound to it."""

    def __call__(self, noisy_BTD: Tensor, time_B: Tensor, /) -> Tensor:
        """Return the (B, T, D) prediction of x0 from z_t and (B,) times, both float32."""
        ...


class SeededNoise:
    """Standard normal noise from one seed per sequence.

    It is drawn on the CPU, sequence by sequence: a sequence is the same on every device and whatever else is in
    its batch.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    @property
    def batch(self) -> int:
        """Number of sequences."""
        return len(self._generators)

    def draw(self, frames: int, dims: int) -> Tensor:
        """Return the next (B, T, D) numbers, float32."""
        drawn = [torch.randn(frames, dims, generator=generator) for generator in self._generators]
        return torch.stack(drawn).to(self.device)


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplerConfig:
    """Solver and its grid of times. `SAMPLERS` has an accurate choice for each solver."""

    name: SamplerName = "dpmpp_2m"
    """`dpmpp_2m`: DPM-Solver++ of order 2 (Lu et al., 2022), the default; `sde_em`: equation 6 by Euler-Maruyama;
    `ode_heun`: equation 7 by Heun's method; `ode_euler_mid`: equation 7 as the authors' later public code solves it."""
    steps: int = 20
    """Times of the grid. The network runs once for each, with `ode_heun` once more for each but the last. With one step
    the sample is the prediction at t = 1: all that the ablation without diffusion needs."""
    grid: Literal["lambda", "time"] = "lambda"
    """Variable in which the times are evenly spaced; `ode_euler_mid` has `time`."""
    temperature: float = 1.0
    """Divisor of the initial noise. Above 1 the motion is calmer but varies less than real motion; 1.8 in the authors'
    later public code. `sde_em` has 1, since its own noise replaces the first."""

    def __post_init__(self) -> None:
        if self.name not in get_args(SamplerName):
            raise ValueError(f"SamplerConfig.name is {self.name!r}; give one of {', '.join(get_args(SamplerName))}")
        if self.steps < 1:
            raise ValueError(f"SamplerConfig.steps is {self.steps}; give 1 or more, such as 20")
        if self.name == "ode_euler_mid" and self.grid != "time":
            raise ValueError(f"SamplerConfig.grid of ode_euler_mid is {self.grid!r}; give 'time'")
        if not self.temperature > 0.0 or (self.name == "sde_em" and self.temperature != 1.0):
            raise ValueError(
                f"SamplerConfig.temperature of {self.name} is {self.temperature}; give one above 0, and 1 with sde_em"
            )

    @property
    def network_runs(self) -> int:
        """How often the network runs for a sample, without guidance.

        >>> SAMPLERS["dpmpp_2m"].network_runs, SAMPLERS["ode_heun"].network_runs
        (20, 49)
        """
        return 2 * self.steps - 1 if self.name == "ode_heun" else self.steps


def time_grid(config: SamplerConfig, sde: VpSde) -> Tensor:
    """Return the (N,) times of a sampler, float64, from 1 down to `sample_t_min`.

    >>> time_grid(SamplerConfig(steps=4), VpSde())
    tensor([1.0000, 0.6037, 0.0749, 0.0010], dtype=torch.float64)
    """
    ends_2 = torch.tensor([1.0, sde.sample_t_min], dtype=torch.float64)
    if config.grid == "lambda":
        ends_2 = sde.log_snr_half(ends_2)
    times_N = torch.linspace(float(ends_2[0]), float(ends_2[1]), config.steps, dtype=torch.float64)
    return sde.time_of(times_N) if config.grid == "lambda" else times_N


def sample(
    predict: X0Predictor,
    noise: SeededNoise,
    frames: int,
    dims: int,
    *,
    config: SamplerConfig,
    sde: VpSde,
) -> Tensor:
    """Return a (B, T, D) sample, float32, from noise.

    Args:
        predict: of the network, with its conditions.
        noise: source of all noise; it fixes the number of sequences and the device.
        frames: T.
        dims: D.
        config: the solver.
        sde: the process that the network was trained on.
    """
    with torch.no_grad():
        return _SOLVERS[config.name](predict, noise.draw(frames, dims) / config.temperature, noise, config, sde)


def predict_at(predict: X0Predictor, state_BTD: Tensor, time: float) -> Tensor:
    """Return the prediction of x0 at one time, in the precision of the state."""
    times_B = torch.full(state_BTD.shape[:1], time, dtype=torch.float32, device=state_BTD.device)
    return predict(state_BTD, times_B).to(state_BTD.dtype)


def _dpmpp_2m(predict: X0Predictor, state_BTD: Tensor, _: SeededNoise, config: SamplerConfig, sde: VpSde) -> Tensor:
    """DPM-Solver++(2M): exact on equation 7 where x0 is linear in lambda (Lu et al., 2022, algorithm 2)."""
    times_N = time_grid(config, sde)
    times, lambdas = times_N.tolist(), sde.log_snr_half(times_N).tolist()
    alphas, sigmas = sde.alpha(times_N).tolist(), sde.sigma(times_N).tolist()
    before_BTD: Tensor | None = None
    for i in range(config.steps - 1):
        x0_BTD = predict_at(predict, state_BTD, times[i])
        width = lambdas[i + 1] - lambdas[i]
        ahead_BTD = x0_BTD
        if before_BTD is not None:
            ratio = (lambdas[i] - lambdas[i - 1]) / width
            ahead_BTD = x0_BTD + (x0_BTD - before_BTD) / (2.0 * ratio)
        state_BTD = sigmas[i + 1] / sigmas[i] * state_BTD - alphas[i + 1] * expm1(-width) * ahead_BTD
        before_BTD = x0_BTD
    return predict_at(predict, state_BTD, times[-1])


def _sde_em(predict: X0Predictor, state_BTD: Tensor, noise: SeededNoise, config: SamplerConfig, sde: VpSde) -> Tensor:
    """Euler-Maruyama steps on equation 6."""
    times = time_grid(config, sde).tolist()
    for time, following in pairwise(times):
        x0_BTD = predict_at(predict, state_BTD, time)
        beta, score_BTD = _beta_and_score(state_BTD, x0_BTD, time, sde)
        variance = beta * (time - following)
        drawn_BTD = noise.draw(*state_BTD.shape[1:])
        state_BTD = state_BTD + variance * (0.5 * state_BTD + score_BTD) + sqrt(variance) * drawn_BTD
    return predict_at(predict, state_BTD, times[-1])


def _ode_heun(predict: X0Predictor, state_BTD: Tensor, _: SeededNoise, config: SamplerConfig, sde: VpSde) -> Tensor:
    """Heun's method on equation 7: an Euler step, and then one with the mean of the slopes at both of its ends."""
    times = time_grid(config, sde).tolist()
    for time, following in pairwise(times):
        slope_BTD = _ode_slope(predict, state_BTD, time, sde)
        tried_BTD = state_BTD + (following - time) * slope_BTD
        slope_BTD = 0.5 * (slope_BTD + _ode_slope(predict, tried_BTD, following, sde))
        state_BTD = state_BTD + (following - time) * slope_BTD
    return predict_at(predict, state_BTD, times[-1])


def _ode_euler_mid(
    predict: X0Predictor, state_BTD: Tensor, _: SeededNoise, config: SamplerConfig, sde: VpSde
) -> Tensor:
    """Euler steps on equation 7 down to t = 0 with the slope at the middle time of each, at the state of its beginning.

    As in Grad-TTS (Popov et al., 2021) and the authors' later public code; the state at t = 0 is the sample.
    """
    for i in range(config.steps):
        middle = 1.0 - (i + 0.5) / config.steps
        state_BTD = state_BTD - _ode_slope(predict, state_BTD, middle, sde) / config.steps
    return state_BTD


def _ode_slope(predict: X0Predictor, state_BTD: Tensor, time: float, sde: VpSde) -> Tensor:
    """Return dz/dt of equation 7."""
    beta, score_BTD = _beta_and_score(state_BTD, predict_at(predict, state_BTD, time), time, sde)
    return -0.5 * beta * (state_BTD + score_BTD)


def _beta_and_score(state_BTD: Tensor, x0_BTD: Tensor, time: float, sde: VpSde) -> tuple[float, Tensor]:
    exact = torch.tensor(time, dtype=torch.float64)
    alpha, sigma = float(sde.alpha(exact)), float(sde.sigma(exact))
    return float(sde.beta(exact)), (alpha * x0_BTD - state_BTD) / sigma**2


_Solver = Callable[[X0Predictor, Tensor, SeededNoise, SamplerConfig, VpSde], Tensor]

_SOLVERS: MappingProxyType[str, _Solver] = MappingProxyType(
    {"dpmpp_2m": _dpmpp_2m, "sde_em": _sde_em, "ode_heun": _ode_heun, "ode_euler_mid": _ode_euler_mid}
)

SAMPLERS = MappingProxyType(
    {
        "dpmpp_2m": SamplerConfig(),
        "sde_em": SamplerConfig(name="sde_em", steps=100),
        "ode_heun": SamplerConfig(name="ode_heun", steps=25),
        "ode_euler_mid": SamplerConfig(name="ode_euler_mid", steps=150, grid="time"),
    }
)
"""By name: each solver with the grid and the number of steps that suit it."""
