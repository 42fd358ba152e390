"""The speaker network CAM++ and its filter banks, against 3D-Speaker's own code and the definition."""

import numpy as np
import pytest
import torch

from curation.speech.campplus import _network
from curation.speech.filter_banks import log_mel_banks

REFERENCE = [3.822909, 0.007992, 0.95855, 0.754551, 0.087695, 0.520324, 3.369474, 1.031982]
"""First outputs above 0 of 3D-Speaker's CAMPPlus with these weights and inputs."""


def made_weights() -> dict[str, torch.Tensor]:
    """All weights of the network, drawn in the order of their names, so that a reference can have the same ones."""
    shapes: dict[str, tuple[int, ...]] = {"head.conv1.weight": (32, 1, 3, 3), "head.conv2.weight": (32, 32, 3, 3)}
    norms = {"head.bn1": 32, "head.bn2": 32}
    for layer in ("head.layer1", "head.layer2"):
        for block in (0, 1):
            for part in (1, 2):
                shapes[f"{layer}.{block}.conv{part}.weight"] = (32, 32, 3, 3)
                norms[f"{layer}.{block}.bn{part}"] = 32
        shapes[f"{layer}.0.shortcut.0.weight"] = (32, 32, 1, 1)
        norms[f"{layer}.0.shortcut.1"] = 32
    shapes["xvector.tdnn.linear.weight"] = (128, 320, 5)
    norms["xvector.tdnn.nonlinear.batchnorm"] = 128
    channels = 128
    for number, layers in enumerate((12, 24, 16), 1):
        for layer in range(1, layers + 1):
            name = f"xvector.block{number}.tdnnd{layer}"
            norms |= {f"{name}.nonlinear1.batchnorm": channels, f"{name}.nonlinear2.batchnorm": 128}
            shapes[f"{name}.linear1.weight"] = (128, channels, 1)
            shapes[f"{name}.cam_layer.linear_local.weight"] = (32, 128, 3)
            shapes |= {f"{name}.cam_layer.linear1.weight": (64, 128, 1), f"{name}.cam_layer.linear1.bias": (64,)}
            shapes |= {f"{name}.cam_layer.linear2.weight": (32, 64, 1), f"{name}.cam_layer.linear2.bias": (32,)}
            channels += 32
        norms[f"xvector.transit{number}.nonlinear.batchnorm"] = channels
        shapes[f"xvector.transit{number}.linear.weight"] = (channels // 2, channels, 1)
        channels //= 2
    norms["xvector.out_nonlinear.batchnorm"] = channels
    shapes["xvector.dense.linear.weight"] = (192, 2 * channels, 1)
    for name, size in norms.items():
        shapes |= {f"{name}.{part}": (size,) for part in ("weight", "bias", "running_mean", "running_var")}
    shapes |= {f"xvector.dense.nonlinear.batchnorm.{part}": (192,) for part in ("running_mean", "running_var")}
    random = np.random.default_rng(0)
    weights = {}
    for name, shape in sorted(shapes.items()):
        fan_in = max(1, int(np.prod(shape[1:])))
        drawn = random.standard_normal(shape, np.float32) / np.float32(np.sqrt(fan_in))
        weights[name] = torch.from_numpy(np.abs(drawn) + 0.5 if name.endswith("running_var") else drawn)
    return weights


def test_the_network_gives_what_its_authors_code_gives() -> None:
    banks = torch.from_numpy(np.random.default_rng(1).standard_normal((1, 80, 333), np.float32))
    with torch.inference_mode():
        described = _network(banks, made_weights())[0]
    assert described.shape == (192,)
    # the reference ends with a ReLU, which embeddings are taken before
    above = described[described > 0][:8].tolist()
    assert above == pytest.approx(REFERENCE, rel=1e-3, abs=1e-4)


def test_filter_banks_have_a_row_per_10_ms_and_a_tone_lies_in_its_band() -> None:
    time_s = np.arange(16_000) / 16_000
    tone = (0.5 * np.sin(2 * np.pi * 1000 * time_s)).astype(np.float32)
    banks = log_mel_banks(tone, 80)
    assert banks.shape == (1 + (16_000 - 400) // 160, 80)
    mel = 1127 * np.log(1 + np.array([20.0, 8000.0, 1000.0]) / 700)
    centres = np.linspace(mel[0], mel[1], 82)[1:-1]
    assert set(banks.argmax(axis=1).tolist()) == {int(np.abs(centres - mel[2]).argmin())}
    louder = log_mel_banks(2 * tone, 80)
    strong = banks > banks.max() - 5
    assert louder[strong] - banks[strong] == pytest.approx(np.full(strong.sum(), np.log(4)), abs=1e-3)


def test_silence_is_the_smallest_number_and_not_infinite() -> None:
    assert log_mel_banks(np.zeros(800, np.float32), 80) == pytest.approx(np.log(np.finfo(np.float32).eps))
