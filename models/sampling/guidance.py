"""Classifier-free guidance with a weight per condition (Ho and Salimans, 2022; GAIA samples with weights of 1).

For one condition c the prediction becomes x0(null) + w (x0(c) - x0(null)). Of several, each is added to those of
smaller weight: with weights w_1 <= w_2 of conditions 1 and 2,

    x0 = (1 - w_1) x0(null) + (w_1 - w_2) x0(1) + w_2 x0(1, 2)

so that equal weights need two passes of the network, as in the usual form, and weights of 1 need one. A condition of
weight 0 is not used at all. The weights mix predictions of x0; mixing noises or scores would give the same, since the
weights sum to 1 and x0, noise and score are linear functions of each other.

Shapes: B sequences, T frames, D numbers of the target per frame, N passes of the network.
"""

from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Literal, Protocol

import torch
from torch import Tensor

from models.motion.inputs import Conditions, Dropped

__all__ = ["GUIDANCE", "ConditionName", "GuidanceConfig", "GuidedPredictor", "Pass", "passes"]

ConditionName = Literal["speech", "reference", "text"]


class ConditionedNetwork(Protocol):
    """Interface of a network for guidance; `MotionDiffusion` implements it."""

    def drop(self, conditions: Conditions, dropped: Dropped, /) -> Conditions:
        """Return the conditions, some of them dropped."""
        ...

    def denoise(self, noisy_BTD: Tensor, time_B: Tensor, conditions: Conditions, /) -> Tensor:
        """Return the prediction of x0."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class GuidanceConfig:
    """Weight of each condition: 0 ignores it, 1 is as in training, above 1 is stronger."""

    speech: float = 1.0
    """With the pose, which is added to it."""
    reference: float = 1.0
    text: float = 1.0
    rescale: float = 0.0
    """Share, 0 to 1, of the added standard deviation that is removed again (Lin et al., 2023, section 3.4)."""

    def __post_init__(self) -> None:
        for name in ("speech", "reference", "text"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"GuidanceConfig.{name} is {getattr(self, name)}; give 0 or more, such as 1")
        if not 0.0 <= self.rescale <= 1.0:
            raise ValueError(f"GuidanceConfig.rescale is {self.rescale}; give a share from 0 to 1, such as 0.7")


GUIDANCE = MappingProxyType({"speech": GuidanceConfig(), "text": GuidanceConfig(text=2.5, rescale=0.7)})
"""By `MotionDiffusionConfig.condition`. Text has no frame of its own to add to and is followed only loosely without."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass of the network, and the factor of its prediction."""

    factor: float
    dropped: frozenset[ConditionName]


def passes(weights: dict[ConditionName, float]) -> tuple[Pass, ...]:
    """Return the passes that guidance with these weights needs; their factors sum to 1 and none is 0.

    >>> [(a.factor, sorted(a.dropped)) for a in passes({"reference": 1.0, "speech": 3.0})]
    [(-2.0, ['speech']), (3.0, [])]
    """
    given: list[ConditionName] = sorted(
        (name for name in weights if weights[name] > 0.0), key=lambda name: weights[name]
    )
    levels = [1.0, *(weights[name] for name in given), 0.0]
    needed = [
        Pass(level - following, frozenset(weights) - frozenset(given[:index]))
        for index, (level, following) in enumerate(pairwise(levels))
    ]
    return tuple(a for a in needed if a.factor != 0.0)


class GuidedPredictor:
    """Predictor of x0 with guidance; an `X0Predictor`.

    The passes run as one batch. If the weights need one pass only, its prediction is returned unchanged.
    """

    def __init__(self, network: ConditionedNetwork, conditions: Conditions, config: GuidanceConfig) -> None:
        """Prepare the conditions of all passes.

        Args:
            network: what predicts.
            conditions: of its `encode`.
            config: the weights.

        Raises:
            ValueError: a condition that the network does not have is given a weight other than 1.
        """
        self._network = network
        self._mask_BT = conditions.mask_BT
        self._rescale = config.rescale
        self._passes = passes(_weights(conditions, config))
        dropped = [network.drop(conditions, _dropped(a.dropped, conditions.mask_BT)) for a in self._passes]
        self._conditions = dropped[0] if len(dropped) == 1 else _as_one_batch(dropped)

    def __call__(self, noisy_BTD: Tensor, time_B: Tensor, /) -> Tensor:
        """Return the (B, T, D) prediction of x0."""
        n_passes = len(self._passes)
        if n_passes == 1:
            return self._network.denoise(noisy_BTD, time_B, self._conditions)
        x0 = self._network.denoise(noisy_BTD.repeat(n_passes, 1, 1), time_B.repeat(n_passes), self._conditions)
        # in float32, as the sampler's state: bfloat16 would round away differences of predictions
        predicted = x0.to(noisy_BTD.dtype).chunk(n_passes)
        guided_BTD = torch.zeros_like(noisy_BTD)
        for a, x0_BTD in zip(self._passes, predicted, strict=True):
            guided_BTD = guided_BTD + a.factor * x0_BTD
        if self._rescale == 0.0:
            return guided_BTD
        # the last pass has every condition of a weight above 0
        ratio_B11 = _spread(predicted[-1], self._mask_BT) / _spread(guided_BTD, self._mask_BT)
        return guided_BTD * (1.0 + self._rescale * (ratio_B11 - 1.0))


def _weights(conditions: Conditions, config: GuidanceConfig) -> dict[ConditionName, float]:
    weights: dict[ConditionName, float] = {"reference": config.reference}
    if conditions.speech_BTC is not None:
        weights["speech"] = config.speech
    elif config.speech != 1.0:
        raise ValueError(f"GuidanceConfig.speech is {config.speech}, but the network is not driven by speech; give 1")
    if conditions.text_BLC is not None:
        weights["text"] = config.text
    elif config.text != 1.0:
        raise ValueError(f"GuidanceConfig.text is {config.text}, but the network is not driven by text; give 1")
    return weights


def _dropped(names: frozenset[ConditionName], mask_BT: Tensor) -> Dropped:
    everywhere_B = mask_BT.new_ones(len(mask_BT))
    return Dropped(
        speech_B=everywhere_B if "speech" in names else None,
        reference_B=everywhere_B if "reference" in names else None,
        text_B=everywhere_B if "text" in names else None,
    )


def _as_one_batch(conditions: list[Conditions]) -> Conditions:
    fields = {
        name: torch.cat([getattr(a, name) for a in conditions])
        for name in Conditions._fields
        if getattr(conditions[0], name) is not None
    }
    return conditions[0]._replace(**fields)


def _spread(x0_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    """Return the (B, 1, 1) standard deviation over all values of frames that are not padding."""
    weight_BT1 = mask_BT[..., None].to(x0_BTD.dtype)
    count_B11 = weight_BT1.sum(dim=(1, 2), keepdim=True) * x0_BTD.shape[2]
    mean_B11 = (x0_BTD * weight_BT1).sum(dim=(1, 2), keepdim=True) / count_B11
    return (
        (((x0_BTD - mean_B11) * weight_BT1).square().sum(dim=(1, 2), keepdim=True) / count_B11).sqrt().clamp_min(1e-8)
    )
