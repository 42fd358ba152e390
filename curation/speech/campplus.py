"""Speaker network CAM++: what a voice sounds like, in 192 numbers.

Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking" (Interspeech
2023). The weights are those of 3D-Speaker's `speech_campplus_sv_zh_en_16k-common_advanced` (Apache-2.0), taught on
200,000 Chinese and English speakers. The network is written out here from the paper, with the names of these weights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.speech.cards import VoiceCard
from curation.speech.filter_banks import log_mel_banks
from foundation.array_types import Float32Array
from foundation.weights import asset_path
from foundation.weights.safe_load import load_torch_weights

if TYPE_CHECKING:
    import torch

__all__ = ["CAMPPLUS", "CamPlusPlus"]

_ASSET = "campplus_cn_en_common"

_BANDS = 80

_BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Layers and dilation of each dense block."""

_SEGMENT = 100
"""Frames over which the context of a mask is averaged."""


class CamPlusPlus:
    """A `VoiceDescriber`."""

    dim = 192

    def __init__(self, weights: Path | None = None) -> None:
        """Load the network.

        Args:
            weights: a torch checkpoint; None takes the one of the asset registry.

        Raises:
            MissingAssetsError: it is not on this machine.
            UnsafeAssetError: the file is no checkpoint of tensors.
        """
        self._weights = load_torch_weights(asset_path(_ASSET) if weights is None else weights)

    def __call__(self, audio_16k: Float32Array) -> Float32Array:
        """Return the (192,) description of a voice, length 1, given at least half a second of it."""
        import torch

        banks = log_mel_banks(audio_16k, _BANDS)
        banks -= banks.mean(axis=0)
        with torch.inference_mode():
            described = _network(torch.from_numpy(banks.T.copy())[None], self._weights)[0].numpy()
        unit: Float32Array = described / np.linalg.norm(described)
        return unit


def _network(banks_BFT: "torch.Tensor", weights: "Mapping[str, torch.Tensor]") -> "torch.Tensor":  # noqa: N803
    """Return (B, 192) descriptions, given (B, 80, T) filter banks less their means."""
    import torch
    from torch.nn import functional

    image = functional.relu(_norm(_conv2d(banks_BFT[:, None], weights, "head.conv1"), weights, "head.bn1"))
    for layer in ("head.layer1", "head.layer2"):
        image = _residual(_residual(image, weights, f"{layer}.0", stride=2), weights, f"{layer}.1", stride=1)
    image = functional.relu(_norm(_conv2d(image, weights, "head.conv2", stride=2), weights, "head.bn2"))
    signal = functional.conv1d(image.flatten(1, 2), weights["xvector.tdnn.linear.weight"], stride=2, padding=2)
    signal = functional.relu(_norm(signal, weights, "xvector.tdnn.nonlinear.batchnorm"))
    for number, (layers, dilation) in enumerate(_BLOCKS, 1):
        for depth in range(1, layers + 1):
            name = f"xvector.block{number}.tdnnd{depth}"
            signal = torch.cat([signal, _masked(signal, weights, name, dilation)], dim=1)
        signal = functional.relu(_norm(signal, weights, f"xvector.transit{number}.nonlinear.batchnorm"))
        signal = functional.conv1d(signal, weights[f"xvector.transit{number}.linear.weight"])
    signal = functional.relu(_norm(signal, weights, "xvector.out_nonlinear.batchnorm"))
    pooled = torch.cat([signal.mean(-1), signal.std(-1)], dim=1)[..., None]
    return _norm(
        functional.conv1d(pooled, weights["xvector.dense.linear.weight"]), weights, "xvector.dense.nonlinear.batchnorm"
    )[..., 0]


def _masked(signal: "torch.Tensor", weights: "Mapping[str, torch.Tensor]", name: str, dilation: int) -> "torch.Tensor":
    """Return what a dense layer adds: a convolution, masked by its context."""
    from torch.nn import functional

    inner = functional.relu(_norm(signal, weights, f"{name}.nonlinear1.batchnorm"))
    inner = functional.conv1d(inner, weights[f"{name}.linear1.weight"])
    inner = functional.relu(_norm(inner, weights, f"{name}.nonlinear2.batchnorm"))
    cam = f"{name}.cam_layer"
    local = functional.conv1d(inner, weights[f"{cam}.linear_local.weight"], padding=dilation, dilation=dilation)
    segments = functional.avg_pool1d(inner, _SEGMENT, _SEGMENT, ceil_mode=True)
    context = inner.mean(-1, keepdim=True) + segments.repeat_interleave(_SEGMENT, -1)[..., : inner.shape[-1]]
    hidden = functional.relu(
        functional.conv1d(context, weights[f"{cam}.linear1.weight"], weights[f"{cam}.linear1.bias"])
    )
    return local * functional.conv1d(hidden, weights[f"{cam}.linear2.weight"], weights[f"{cam}.linear2.bias"]).sigmoid()


def _residual(
    image: "torch.Tensor", weights: "Mapping[str, torch.Tensor]", name: str, *, stride: int
) -> "torch.Tensor":
    from torch.nn import functional

    inner = functional.relu(_norm(_conv2d(image, weights, f"{name}.conv1", stride=stride), weights, f"{name}.bn1"))
    inner = _norm(_conv2d(inner, weights, f"{name}.conv2"), weights, f"{name}.bn2")
    if stride > 1:
        image = functional.conv2d(image, weights[f"{name}.shortcut.0.weight"], stride=(stride, 1))
        image = _norm(image, weights, f"{name}.shortcut.1")
    return functional.relu(inner + image)


def _conv2d(
    image: "torch.Tensor", weights: "Mapping[str, torch.Tensor]", name: str, *, stride: int = 1
) -> "torch.Tensor":
    from torch.nn import functional

    return functional.conv2d(image, weights[f"{name}.weight"], stride=(stride, 1), padding=1)


def _norm(signal: "torch.Tensor", weights: "Mapping[str, torch.Tensor]", name: str) -> "torch.Tensor":
    from torch.nn import functional

    mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
    return functional.batch_norm(signal, mean, variance, weights.get(f"{name}.weight"), weights.get(f"{name}.bias"))


CAMPPLUS = VoiceCard(
    name="campplus", dim=CamPlusPlus.dim, same_voice_cosine=0.45, assets=(_ASSET,), runtime="torch", load=CamPlusPlus
)
