"""Contrastive teaching of the network, in torch.

From a batch of windows of different stretches, the lips of each are to find their own sound among that of all windows
at all lags (InfoNCE; van den Oord et al., 2018). What is compared is what is measured later: the mean cosine over a
window. The network runs without padding, as it does inside a stretch.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from curation.perception.sync.fitting.ridge import principal_components, shifted
from curation.perception.sync.fitting.stretches import SpokenStretch, usual_deviation
from curation.perception.sync.mouth import N_MEASURES, mouth_measures
from curation.perception.sync.network import EDGE_TICKS, N_COMPONENTS, N_GROUPS, SyncNetwork, sound_measures
from foundation.array_types import Float32Array, Int64Array

__all__ = ["SHORTEST_TICKS", "taught_network"]

_STEPS = 450

_BATCH = 32

_WINDOW_TICKS = 24
"""Ticks over which lips and sound are compared."""

_LAG_TICKS = 8
"""Lags to either side that are offered; one tick beside the right one is neither right nor wrong."""

_REACH_TICKS = EDGE_TICKS - 1
"""Ticks that the convolutions see to either side."""

SHORTEST_TICKS = _WINDOW_TICKS + 2 * (_LAG_TICKS + EDGE_TICKS)
"""Shortest stretch that windows are taken from."""

_WIDTH, _SIZE = 48, 64

_RATE, _DECAY = 3e-3, 1e-2
"""Highest learning rate of the one-cycle schedule, and decay of the weights (AdamW)."""

_DROPOUT, _NOISE = 0.2, 0.2
"""Share of hidden numbers left out; deviation of what is added to the input, whose own is about 1."""

_FIRST_LOG_SCALE = 3.0
"""Logarithm of the factor on the cosines, at the beginning; it is learnt."""


def taught_network(stretches: Sequence[SpokenStretch], offset: Int64Array, seed: int = 0) -> SyncNetwork:
    """Return a network taught on stretches.

    Args:
        stretches: lips and sound that belong together.
        offset: (N,) ticks by which the sound of each is later than the lips.
        seed: of the weights at the beginning, the choice of windows, noise and dropout.

    Raises:
        ValueError: no stretch is as long as `SHORTEST_TICKS` after its sound is moved.
    """
    if not stretches:
        raise ValueError("no stretch is left to teach on")
    usual = usual_deviation(stretches)
    mean, components = principal_components([one.speech for one in stretches])
    pairs = []
    for one, lag in zip(stretches, offset, strict=True):
        lips = shifted(one, int(lag))
        if lips.stop - lips.start >= SHORTEST_TICKS:
            heard = sound_measures(one.speech, mean, components)[lips.start + lag : lips.stop + lag]
            pairs.append((mouth_measures(one.lengths, usual)[lips], heard))
    if not pairs:
        raise ValueError(f"no stretch has {SHORTEST_TICKS} ticks")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = _taught(pairs, np.random.default_rng(seed))
    return SyncNetwork.of({"usual": usual, "mean": mean, "components": components} | module.arrays())


def _taught(pairs: Sequence[tuple[Float32Array, Float32Array]], rng: np.random.Generator) -> "_Pair":
    """Return the two sides after teaching on pairs of (T, 52) mouth measures and (T, 64) sound measures, aligned."""
    module = _Pair()
    optimiser = torch.optim.AdamW(module.parameters(), _RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=_STEPS)
    share = np.array([len(lips) - SHORTEST_TICKS + _WINDOW_TICKS for lips, _ in pairs], dtype=np.float64)
    for _ in range(_STEPS):
        chosen = rng.choice(len(pairs), _BATCH, p=share / share.sum())
        windows = [_window(pairs[i][0], pairs[i][1], rng) for i in chosen]
        lips, heard = (torch.from_numpy(np.stack(rows)) for rows in zip(*windows, strict=True))
        optimiser.zero_grad()
        torch.autograd.backward(module.loss(lips, heard, torch.from_numpy(chosen)))
        optimiser.step()
        schedule.step()
    return module


def _window(lips: Float32Array, heard: Float32Array, rng: np.random.Generator) -> tuple[Float32Array, Float32Array]:
    """Return a window of the lips and the sound around it, with what the convolutions see beyond both."""
    first = int(rng.integers(_LAG_TICKS + EDGE_TICKS, len(lips) - _WINDOW_TICKS - _LAG_TICKS - EDGE_TICKS + 1))
    end = first + _WINDOW_TICKS
    around = _LAG_TICKS + _REACH_TICKS
    return lips[first - _REACH_TICKS : end + _REACH_TICKS], heard[first - around : end + around]


class _Layers(nn.Module):
    """One side as `network.Side` has it, without padding: 12 ticks fewer come out than go in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.near = nn.Linear(5 * channels, _WIDTH)
        self.near_norm = nn.GroupNorm(N_GROUPS, _WIDTH)
        self.far = nn.Linear(5 * _WIDTH, _WIDTH)
        self.far_norm = nn.GroupNorm(N_GROUPS, _WIDTH)
        self.out = nn.Linear(_WIDTH, _SIZE)

    def forward(self, rows: Tensor) -> Tensor:
        """Return (B, T - 12, D) unit vectors of (B, T, C) rows."""
        noisy = rows + _NOISE * torch.randn_like(rows)
        hidden = self._active(self.near(_taps(noisy, 1)), self.near_norm)
        hidden = self._active(self.far(_taps(hidden, 2)), self.far_norm)
        return functional.normalize(self.out(hidden), dim=-1)

    def _active(self, hidden: Tensor, norm: nn.GroupNorm) -> Tensor:
        return functional.dropout(functional.gelu(norm(hidden.transpose(1, 2)).transpose(1, 2)), _DROPOUT)

    def arrays(self) -> dict[str, Float32Array]:
        """Return its weights by the names of `network.Side`."""
        layers: dict[str, Tensor] = {
            "near": self.near.weight.T.reshape(5, -1, _WIDTH),
            "near_bias": self.near.bias,
            "near_scale": self.near_norm.weight,
            "near_shift": self.near_norm.bias,
            "far": self.far.weight.T.reshape(5, -1, _WIDTH),
            "far_bias": self.far.bias,
            "far_scale": self.far_norm.weight,
            "far_shift": self.far_norm.bias,
            "out": self.out.weight.T,
            "out_bias": self.out.bias,
        }
        return {name: np.ascontiguousarray(layer.detach().numpy()) for name, layer in layers.items()}


class _Pair(nn.Module):
    """Both sides, and the factor on their cosines."""

    def __init__(self) -> None:
        super().__init__()
        self.lips = _Layers(2 * N_MEASURES)
        self.sound = _Layers(N_COMPONENTS)
        self.log_scale = nn.Parameter(torch.tensor(_FIRST_LOG_SCALE))

    def loss(self, lips: Tensor, heard: Tensor, stretch: Tensor) -> Tensor:
        """Return the cross entropy of finding the own sound of each window.

        Args:
            lips: (B, n + 12, 52) mouth measures of windows of n ticks.
            heard: (B, n + 12 + 16, 64) sound measures around them.
            stretch: (B,) which stretch each is from; other windows of one's own are no counterexamples.
        """
        n_windows, n_lags = len(stretch), 2 * _LAG_TICKS + 1
        seen = self.lips(lips).reshape(n_windows, -1)
        sound = self.sound(heard).unfold(1, _WINDOW_TICKS, 1).transpose(2, 3).reshape(n_windows * n_lags, -1)
        cosines = (seen @ sound.T).reshape(n_windows, n_windows, n_lags) / _WINDOW_TICKS
        own = torch.eye(n_windows, dtype=torch.bool)
        lag = torch.arange(-_LAG_TICKS, _LAG_TICKS + 1)
        left_out = ((stretch[:, None] == stretch) & ~own)[:, :, None] | (own[:, :, None] & (lag.abs() == 1))
        scores = (cosines * self.log_scale.exp()).masked_fill(left_out, -torch.inf)
        return functional.cross_entropy(scores.reshape(n_windows, -1), torch.arange(n_windows) * n_lags + _LAG_TICKS)

    def arrays(self) -> dict[str, Float32Array]:
        """Return the weights of both sides by the names of `network.SyncNetwork`."""
        sides = {"lips": self.lips, "sound": self.sound}
        return {f"{side}.{name}": array for side, layers in sides.items() for name, array in layers.arrays().items()}


def _taps(rows: Tensor, dilation: int) -> Tensor:
    """Return (B, T - 4 dilation, 5 C): the five ticks that a kernel sees, side by side, of (B, T, C) rows."""
    n_ticks = rows.shape[1] - 4 * dilation
    return torch.cat([rows[:, tap * dilation : tap * dilation + n_ticks] for tap in range(5)], dim=2)
