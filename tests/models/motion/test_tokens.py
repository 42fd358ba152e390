import math

import pytest
import torch
from torch import nn

from models.motion.tokens import TimeEmbedding


@pytest.mark.parametrize("time", [0.0, 0.001, 0.5, 1.0])
def test_time_becomes_sinusoids_of_a_thousand_times_itself(time: float) -> None:
    embedding = TimeEmbedding(64)
    seen: list[torch.Tensor] = []
    embedding.widen.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    assert embedding(torch.tensor([time])).shape == (1, 64)
    angles = [1000.0 * time / 10_000 ** (k / 128) for k in range(128)]
    waves = [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]
    torch.testing.assert_close(seen[0], torch.tensor([waves]), atol=1e-4, rtol=0)


def test_times_near_each_other_are_told_apart() -> None:
    torch.manual_seed(0)
    embedding = TimeEmbedding(64)
    assert isinstance(embedding.narrow, nn.Linear)
    near = embedding(torch.tensor([0.500, 0.501]))
    assert (near[0] - near[1]).norm() > 0.1 * near[0].norm()
