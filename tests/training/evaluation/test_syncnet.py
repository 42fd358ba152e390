"""SyncNet against its layers written out one by one, with random weights under the names of `syncnet_v2.model`."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from foundation.array_types import Float32Array
from foundation.errors import UsageError
from training.evaluation.metric_weights import load_named
from training.evaluation.sync_scores import sync_distances, sync_scores
from training.evaluation.syncnet import SyncNet, sync_embeddings

SOUND = {0: (64, 1, 3, 3), 4: (192, 64, 3, 3), 8: (384, 192, 3, 3), 11: (256, 384, 3, 3), 14: (256, 256, 3, 3)}
"""Number and shape of each convolution of `netcnnaud` before the last."""
LIPS = {0: (96, 3, 5, 7, 7), 4: (256, 96, 1, 5, 5), 8: (256, 256, 1, 3, 3), 11: (256, 256, 1, 3, 3)}
ALL = {
    "netcnnaud": {**SOUND, 18: (512, 256, 5, 4)},
    "netcnnlip": {**LIPS, 14: (256, 256, 1, 3, 3), 18: (512, 256, 1, 6, 6)},
    "netfcaud": {0: (512, 512), 3: (1024, 512)},
    "netfclip": {0: (512, 512), 3: (1024, 512)},
}


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """Random tensors; as in the file, without counters of batch normalisation."""
    random = torch.Generator().manual_seed(0)
    named: dict[str, Tensor] = {}
    for net, layers in ALL.items():
        for number, shape in layers.items():
            scale = math.sqrt(2.0 / math.prod(shape[1:]))
            named[f"{net}.{number}.weight"] = scale * torch.randn(*shape, generator=random)
            named[f"{net}.{number}.bias"] = 0.1 * torch.randn(shape[0], generator=random)
            if (net, number) in (("netfcaud", 3), ("netfclip", 3)):
                continue
            name = f"{net}.{number + 1}"
            named[f"{name}.weight"] = 1.0 + 0.1 * torch.randn(shape[0], generator=random)
            named[f"{name}.bias"] = 0.1 * torch.randn(shape[0], generator=random)
            named[f"{name}.running_mean"] = 0.1 * torch.randn(shape[0], generator=random)
            named[f"{name}.running_var"] = 0.5 + torch.rand(shape[0], generator=random)
    # the picture is not scaled, so its values reach 255
    named["netcnnlip.0.weight"] /= 128.0
    return named


@pytest.fixture(scope="module")
def network(published: dict[str, Tensor]) -> SyncNet:
    network = SyncNet()
    load_named(network, published)
    return network


@pytest.fixture(scope="module")
def video() -> tuple[np.ndarray, Float32Array]:
    """7 crops and the cepstra of their sound, and one row more."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (7, 224, 224, 3), dtype=np.uint8), random.normal(size=(29, 13)).astype(np.float32)


def _normal(x: Tensor, name: str, named: dict[str, Tensor]) -> Tensor:
    net, number = name.split(".")
    at = f"{net}.{int(number) + 1}"
    values = [named[f"{at}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    return functional.batch_norm(x, *values, training=False, eps=1e-5).clamp_min(0.0)


def _head(x: Tensor, net: str, named: dict[str, Tensor]) -> Tensor:
    hidden = functional.linear(x.flatten(1), named[f"{net}.0.weight"], named[f"{net}.0.bias"])
    hidden = _normal(hidden, f"{net}.0", named)
    return functional.linear(hidden, named[f"{net}.3.weight"], named[f"{net}.3.bias"])


def _sound(window: Float32Array, named: dict[str, Tensor]) -> Tensor:
    """Embedding of 20 rows: coefficients go down, time across."""
    x = torch.from_numpy(window.T.copy())[None, None]
    for number in (*SOUND, 18):
        name = f"netcnnaud.{number}"
        padding = 0 if number == 18 else 1
        x = functional.conv2d(x, named[f"{name}.weight"], named[f"{name}.bias"], padding=padding)
        x = _normal(x, name, named)
        if number == 4:
            x = functional.max_pool2d(x, (3, 3), (1, 2))
        if number == 14:
            x = functional.max_pool2d(x, (3, 3), (2, 2))
    return _head(x, "netfcaud", named)[0]


def _lips(window: np.ndarray, named: dict[str, Tensor]) -> Tensor:
    """Embedding of 5 frames, blue first; all convolutions but the first are of one frame at a time."""
    x = torch.from_numpy(window[..., ::-1].copy()).permute(3, 0, 1, 2).float()
    weight = named["netcnnlip.0.weight"]
    over_frames = [functional.conv2d(x[:, k][None], weight[:, :, k], stride=2) for k in range(5)]
    y = _normal(sum(over_frames) + named["netcnnlip.0.bias"][:, None, None], "netcnnlip.0", named)
    y = functional.max_pool2d(y, 3, 2)
    for number in (4, 8, 11, 14, 18):
        name = f"netcnnlip.{number}"
        stride, padding = (2 if number == 4 else 1), (0 if number == 18 else 1)
        y = functional.conv2d(
            y, named[f"{name}.weight"][:, :, 0], named[f"{name}.bias"], stride=stride, padding=padding
        )
        y = _normal(y, name, named)
        if number == 4:
            y = functional.max_pool2d(y, 3, 2, padding=1)
        if number == 14:
            y = functional.max_pool2d(y, 3, 2)
    return _head(y, "netfclip", named)[0]


def test_every_window_that_fits_has_the_embeddings_of_the_layers(
    network: SyncNet, published: dict[str, Tensor], video: tuple[np.ndarray, Float32Array]
) -> None:
    faces, cepstra = video
    lips, sound = sync_embeddings(network, faces, cepstra)
    assert lips.shape == sound.shape == (3, 1024)
    with torch.inference_mode():
        expected_sound = [_sound(cepstra[4 * t : 4 * t + 20], published) for t in range(3)]
        expected_lips = _lips(faces[2:7], published)
    np.testing.assert_allclose(sound, torch.stack(expected_sound).numpy(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(lips[2], expected_lips.numpy(), rtol=1e-3, atol=1e-3)
    assert np.abs(lips[2] - lips[1]).max() > 0.01
    assert sync_scores(sync_distances(lips, sound)).n_windows == 3


def test_crops_and_cepstra_that_do_not_fit_are_refused(
    network: SyncNet, video: tuple[np.ndarray, Float32Array]
) -> None:
    faces, cepstra = video
    with pytest.raises(UsageError, match=r"\(4, 224, 224, 3\); give .* at least 5 frames"):
        sync_embeddings(network, faces[:4], cepstra)
    with pytest.raises(UsageError, match=r"\(27, 13\); of 7 frames give \(28, 13\)"):
        sync_embeddings(network, faces, cepstra[:27])
