"""The Inception-v3 of FID against its layers written out one by one, with random weights under the published names."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from foundation.errors import UsageError
from training.evaluation.inception import Inception, inception_features
from training.evaluation.metric_weights import load_named

Kernel = tuple[int, int]

STEM = (("1a_3x3", 32, 3), ("2a_3x3", 32, 32), ("2b_3x3", 64, 32), ("3b_1x1", 80, 64), ("4a_3x3", 192, 80))

A = {
    "branch1x1": (64, 0, (1, 1)),
    "branch5x5_1": (48, 0, (1, 1)),
    "branch5x5_2": (64, 48, (5, 5)),
    "branch3x3dbl_1": (64, 0, (1, 1)),
    "branch3x3dbl_2": (96, 64, (3, 3)),
    "branch3x3dbl_3": (96, 96, (3, 3)),
}
"""Width, channels (0: those of the block) and kernel of the convolutions of a block, from torchvision's source."""
B = {
    "branch3x3": (384, 0, (3, 3)),
    "branch3x3dbl_1": (64, 0, (1, 1)),
    "branch3x3dbl_2": (96, 64, (3, 3)),
    "branch3x3dbl_3": (96, 96, (3, 3)),
}
D = {
    "branch3x3_1": (192, 0, (1, 1)),
    "branch3x3_2": (320, 192, (3, 3)),
    "branch7x7x3_1": (192, 0, (1, 1)),
    "branch7x7x3_2": (192, 192, (1, 7)),
    "branch7x7x3_3": (192, 192, (7, 1)),
    "branch7x7x3_4": (192, 192, (3, 3)),
}
E = {
    "branch1x1": (320, 0, (1, 1)),
    "branch3x3_1": (384, 0, (1, 1)),
    "branch3x3_2a": (384, 384, (1, 3)),
    "branch3x3_2b": (384, 384, (3, 1)),
    "branch3x3dbl_1": (448, 0, (1, 1)),
    "branch3x3dbl_2": (384, 448, (3, 3)),
    "branch3x3dbl_3a": (384, 384, (1, 3)),
    "branch3x3dbl_3b": (384, 384, (3, 1)),
    "branch_pool": (192, 0, (1, 1)),
}


def _c(width: int) -> dict[str, tuple[int, int, Kernel]]:
    return {
        "branch1x1": (192, 0, (1, 1)),
        "branch7x7_1": (width, 0, (1, 1)),
        "branch7x7_2": (width, width, (1, 7)),
        "branch7x7_3": (192, width, (7, 1)),
        "branch7x7dbl_1": (width, 0, (1, 1)),
        "branch7x7dbl_2": (width, width, (7, 1)),
        "branch7x7dbl_3": (width, width, (1, 7)),
        "branch7x7dbl_4": (width, width, (7, 1)),
        "branch7x7dbl_5": (192, width, (1, 7)),
        "branch_pool": (192, 0, (1, 1)),
    }


BLOCKS = {
    "5b": (192, {**A, "branch_pool": (32, 0, (1, 1))}),
    "5c": (256, {**A, "branch_pool": (64, 0, (1, 1))}),
    "5d": (288, {**A, "branch_pool": (64, 0, (1, 1))}),
    "6a": (288, B),
    "6b": (768, _c(128)),
    "6c": (768, _c(160)),
    "6d": (768, _c(160)),
    "6e": (768, _c(192)),
    "7a": (768, D),
    "7b": (1280, E),
    "7c": (2048, E),
}

CHAINS = {
    "5": ("branch1x1", "branch5x5_1 branch5x5_2", "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"),
    "6a": ("branch3x3", "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"),
    "6": (
        "branch1x1",
        "branch7x7_1 branch7x7_2 branch7x7_3",
        "branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3 branch7x7dbl_4 branch7x7dbl_5",
    ),
    "7a": ("branch3x3_1 branch3x3_2", "branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4"),
    "7": (
        *("branch1x1", "branch3x3_1 branch3x3_2a", "branch3x3_1 branch3x3_2b"),
        *("branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a", "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3b"),
    ),
}
"""Convolutions of each branch in order; the pooled branch comes last."""


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """Random tensors with the names and shapes of pytorch-fid's file."""
    random = torch.Generator().manual_seed(0)
    named: dict[str, Tensor] = {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}

    def add(name: str, width: int, channels: int, kernel: Kernel) -> None:
        scale = math.sqrt(2.0 / (channels * kernel[0] * kernel[1]))
        named[f"{name}.conv.weight"] = scale * torch.randn(width, channels, *kernel, generator=random)
        named[f"{name}.bn.weight"] = 1.0 + 0.1 * torch.randn(width, generator=random)
        named[f"{name}.bn.bias"] = 0.1 * torch.randn(width, generator=random)
        named[f"{name}.bn.running_mean"] = 0.1 * torch.randn(width, generator=random)
        named[f"{name}.bn.running_var"] = 0.5 + torch.rand(width, generator=random)

    for name, width, channels in STEM:
        add(f"Conv2d_{name}", width, channels, (1, 1) if name.endswith("1x1") else (3, 3))
    for block, (channels, convolutions) in BLOCKS.items():
        for name, (width, inner, kernel) in convolutions.items():
            add(f"Mixed_{block}.{name}", width, inner or channels, kernel)
    return named


def _conv(x: Tensor, name: str, named: dict[str, Tensor], *, stride: int = 1, padded: bool = True) -> Tensor:
    weight = named[f"{name}.conv.weight"]
    padding = [side // 2 for side in weight.shape[2:]] if padded else 0
    x = functional.conv2d(x, weight, stride=stride, padding=padding)
    scale = named[f"{name}.bn.weight"] / torch.sqrt(named[f"{name}.bn.running_var"] + 0.001)
    x = (x - named[f"{name}.bn.running_mean"][:, None, None]) * scale[:, None, None]
    return (x + named[f"{name}.bn.bias"][:, None, None]).clamp_min(0.0)


def _block(x: Tensor, block: str, named: dict[str, Tensor]) -> Tensor:
    halves = block in ("6a", "7a")
    outputs = []
    for chain in CHAINS[block if halves else block[0]]:
        h, names = x, chain.split()
        for name in names:
            last = halves and name == names[-1]
            h = _conv(h, f"Mixed_{block}.{name}", named, stride=2 if last else 1, padded=not last)
        outputs.append(h)
    if halves:
        return torch.cat([*outputs, functional.max_pool2d(x, 3, 2)], 1)
    if block == "7c":
        pooled = functional.max_pool2d(x, 3, 1, 1)
    else:  # the mean of the values inside the picture
        ones = functional.avg_pool2d(torch.ones_like(x[:1, :1]), 3, 1, 1)
        pooled = functional.avg_pool2d(x, 3, 1, 1) / ones
    return torch.cat([*outputs, _conv(pooled, f"Mixed_{block}.branch_pool", named)], 1)


def _by_layers(pictures: np.ndarray, named: dict[str, Tensor]) -> Tensor:
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255.0
    x = 2.0 * functional.interpolate(x, (299, 299), mode="bilinear", align_corners=False) - 1.0
    x = _conv(x, "Conv2d_1a_3x3", named, stride=2, padded=False)
    x = _conv(_conv(x, "Conv2d_2a_3x3", named, padded=False), "Conv2d_2b_3x3", named)
    x = _conv(functional.max_pool2d(x, 3, 2), "Conv2d_3b_1x1", named)
    x = functional.max_pool2d(_conv(x, "Conv2d_4a_3x3", named, padded=False), 3, 2)
    for block in BLOCKS:
        x = _block(x, block, named)
    return x.mean((2, 3))


def test_features_are_those_of_the_layers_with_weights_under_their_published_names(
    published: dict[str, Tensor],
) -> None:
    network = Inception()
    load_named(network, published)
    pictures = np.random.default_rng(1).integers(0, 256, (2, 40, 56, 3), dtype=np.uint8)
    features = inception_features(network, pictures)
    with torch.inference_mode():
        expected = _by_layers(pictures, published).numpy()
    assert features.shape == (2, 2048)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert np.abs(features[0] - features[1]).max() > 0.01
    with pytest.raises(UsageError, match="float64"):
        inception_features(network, pictures / 255.0)


def test_a_file_without_a_tensor_is_refused_with_its_name(published: dict[str, Tensor]) -> None:
    lacking = {name: tensor for name, tensor in published.items() if name != "Mixed_7c.branch_pool.conv.weight"}
    with pytest.raises(KeyError, match=r"1 tensor is missing, such as Mixed_7c\.branch_pool\.conv\.weight"):
        load_named(Inception(), lacking)
