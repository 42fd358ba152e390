"""Editing: the model generates the coordinates that are not given (GAIA section 5.4 and appendix D.2).

"The landmarks that we want to edit are fixed to the given coordinates. Then we leave the model to generate the rest":
to put the given ones over the prediction at every step, `replace`, is the plain reading of these words, but it couples
the rest to them only half-way. The others do better (benchmarks/results/2026-11-samplers.md). With all of them the
given coordinates are in the result as they were given.

Shapes: B sequences, T frames, D numbers of the target per frame.
"""

from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from models.sampling.samplers import SamplerConfig, SeededNoise, X0Predictor, predict_at, sample, time_grid
from models.sampling.sde import VpSde

__all__ = ["EDITS", "EditConfig", "EditMethod", "Known", "sample_edited"]

EditMethod = Literal["mask_cond", "repaint", "guided", "replace"]
"""See `EditConfig.method`."""


class Known(NamedTuple):
    """Coordinates that are given, standardised as the target is."""

    values_BTD: Tensor
    """Values where `mask_BTD` is False are ignored."""
    mask_BTD: Tensor
    """True where a coordinate is given."""

    def over(self, x0_BTD: Tensor) -> Tensor:
        """Return `x0_BTD` with the given coordinates put in."""
        return torch.where(self.mask_BTD, self.values_BTD.to(x0_BTD.dtype), x0_BTD)


@dataclass(frozen=True, kw_only=True, slots=True)
class EditConfig:
    """Method of editing and its steps. `EDITS` has a good choice for each method."""

    method: EditMethod = "mask_cond"
    """`mask_cond`: the network was trained with given coordinates (`MotionDiffusionConfig.edit`); exact, as fast as
    without editing. `repaint`: any network; noised forth and back (Lugmayr et al., 2022). `guided`: any network; the
    state is pulled to where the prediction agrees (pseudo-inverse guidance, Song et al., 2023). `replace`: as the paper
    says it."""
    steps: int = 20
    """Times of the grid, uniform in lambda; the solver is `dpmpp_2m`, but `repaint` has its own."""
    resamplings: int = 1
    """Repetitions of each step by `repaint`; the network runs `steps` times as often. 1 for the other methods."""

    def __post_init__(self) -> None:
        if self.method not in get_args(EditMethod):
            raise ValueError(f"EditConfig.method is {self.method!r}; give one of {', '.join(get_args(EditMethod))}")
        if self.steps < 1:
            raise ValueError(f"EditConfig.steps is {self.steps}; give 1 or more, such as 20")
        if self.resamplings < 1 or (self.resamplings > 1 and self.method != "repaint"):
            raise ValueError(
                f"EditConfig.resamplings of {self.method} is {self.resamplings}; give 1 or more, such as 10, with "
                "repaint, and 1 with the others"
            )


EDITS = MappingProxyType(
    {
        "mask_cond": EditConfig(),
        "repaint": EditConfig(method="repaint", steps=50, resamplings=10),
        "guided": EditConfig(method="guided"),
        "replace": EditConfig(method="replace"),
    }
)
"""By name: each method with the number of steps that suits it."""


def sample_edited(predict: X0Predictor, noise: SeededNoise, known: Known, *, config: EditConfig, sde: VpSde) -> Tensor:
    """Return the (B, T, D) sample, float32, that holds the given coordinates.

    Args:
        predict: of the network, with its conditions; for `mask_cond`, `known` is among these.
        noise: source of all noise.
        known: the given coordinates.
        config: the method.
        sde: the process that the network was trained on.
    """
    if config.method == "repaint":
        with torch.no_grad():
            return known.over(_repaint(predict, noise, known, config, sde))
    edited: X0Predictor = _Guided(predict, known, sde) if config.method == "guided" else _Replaced(predict, known)
    _, frames, dims = known.values_BTD.shape
    return sample(edited, noise, frames, dims, config=SamplerConfig(steps=config.steps), sde=sde)


@dataclass(frozen=True, slots=True)
class _Replaced:
    """Predictor that puts the given coordinates into the prediction of another one."""

    predict: X0Predictor
    known: Known

    def __call__(self, noisy_BTD: Tensor, time_B: Tensor, /) -> Tensor:
        return self.known.over(self.predict(noisy_BTD, time_B).to(noisy_BTD.dtype))


@dataclass(frozen=True, slots=True)
class _Guided:
    """Predictor of x0 that takes the given coordinates as observations of the prediction.

    By Bayes the score of z_t given them is the unconditional one plus the gradient of log p(known | z_t). Where
    p(x0 | z_t) is taken as normal around the prediction, with the variance sigma^2 that standardised targets have (Song
    et al., 2023, section 3), that gradient is J^T (known - x0) / sigma^2 over the given coordinates, J = dx0/dz_t. By
    Tweedie's formula the result, as an x0, is x0 + J^T (known - x0) / alpha.
    """

    predict: X0Predictor
    known: Known
    sde: VpSde

    def __call__(self, noisy_BTD: Tensor, time_B: Tensor, /) -> Tensor:
        with torch.enable_grad():
            state_BTD = noisy_BTD.detach().requires_grad_()
            x0_BTD = self.predict(state_BTD, time_B).to(noisy_BTD.dtype)
            missing_BTD = (self.known.over(x0_BTD) - x0_BTD).detach()
            (pull_BTD,) = torch.autograd.grad(x0_BTD, state_BTD, missing_BTD)
        pulled_BTD = x0_BTD.detach() + pull_BTD / self.sde.alpha(time_B)[:, None, None]
        return self.known.over(pulled_BTD)


def _repaint(predict: X0Predictor, noise: SeededNoise, known: Known, config: EditConfig, sde: VpSde) -> Tensor:
    """RePaint (Lugmayr et al., 2022, algorithm 1): ancestral steps; given coordinates are noised to each step's time.

    After a step the state is noised back to its former time and the step is repeated, so that given and generated
    coordinates, which come from different sources, become consistent.
    """
    times_N = time_grid(SamplerConfig(steps=config.steps), sde)
    times, alphas, sigmas = times_N.tolist(), sde.alpha(times_N).tolist(), sde.sigma(times_N).tolist()
    _, frames, dims = known.values_BTD.shape
    state_BTD = noise.draw(frames, dims)
    for i in range(config.steps - 1):
        decay = alphas[i] / alphas[i + 1]
        # variance of z at times[i] given z at the next, less noisy time
        added = sigmas[i] ** 2 - decay**2 * sigmas[i + 1] ** 2
        for repetition in range(config.resamplings):
            if repetition > 0:
                state_BTD = decay * state_BTD + sqrt(added) * noise.draw(frames, dims)
            x0_BTD = predict_at(predict, state_BTD, times[i])
            # mean and variance of q(z at the next time | z at times[i], x0)
            mean_BTD = (decay * sigmas[i + 1] ** 2 * state_BTD + alphas[i + 1] * added * x0_BTD) / sigmas[i] ** 2
            deviation = sqrt(added) * sigmas[i + 1] / sigmas[i]
            state_BTD = mean_BTD + deviation * noise.draw(frames, dims)
            noised_BTD = alphas[i + 1] * known.values_BTD + sigmas[i + 1] * noise.draw(frames, dims)
            state_BTD = known._replace(values_BTD=noised_BTD).over(state_BTD)
    return predict_at(predict, state_BTD, times[-1])
