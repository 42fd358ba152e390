import pytest
import torch
from torch import nn

from training.loop.ema import WeightAverage, decay_at


def test_average_is_that_of_the_formula() -> None:
    network = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(2.0)
    average = WeightAverage(network, 0.9999)
    expected = 2.0
    for step, weight in enumerate((3.0, -1.0, 5.0)):
        with torch.no_grad():
            network.weight.fill_(weight)
        average.update(step)
        decay = min(0.9999, (1 + step) / (10 + step))  # 0.1, 2/11, 3/12
        expected = decay * expected + (1 - decay) * weight
    assert average.tensors["weight"].item() == pytest.approx(expected, rel=1e-6)


def test_decay_stays_at_its_limit() -> None:
    assert decay_at(1_000_000, 0.99) == 0.99
    assert decay_at(0, 0.99) == 0.1


def test_averages_take_the_place_of_the_weights_only_for_a_while() -> None:
    network = nn.Linear(2, 2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    average = WeightAverage(network, 0.9)
    with torch.no_grad():
        network.weight.mul_(3.0)
    raw = network.weight.clone()
    with average.in_network():
        assert torch.equal(network.weight, before["weight"])
    assert torch.equal(network.weight, raw)
    assert torch.equal(average.tensors["weight"], before["weight"])
