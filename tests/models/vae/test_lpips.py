import math

import pytest
import torch
from torch import Tensor

from models.vae.lpips import Lpips, seeded_lpips

WIDTHS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
TAKEN = {1: 0, 3: 1, 6: 2, 9: 3, 12: 4}
"""After which convolution, from 0, features are taken (relu1_2, relu2_2, relu3_3, relu4_3, relu5_3), by which head."""
TORCHVISION_NAMES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""Numbers of the convolutions in torchvision's `vgg16().features`."""


@pytest.fixture(scope="module")
def published() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Random tensors with the names and shapes of torchvision's VGG-16 and of the heads of the package `lpips`."""
    random = torch.Generator().manual_seed(0)
    vgg, channels = {}, 3
    for name, width in zip(TORCHVISION_NAMES, WIDTHS, strict=True):
        scale = math.sqrt(2.0 / (9 * channels))
        vgg[f"features.{name}.weight"] = scale * torch.randn(width, channels, 3, 3, generator=random)
        vgg[f"features.{name}.bias"] = 0.05 * torch.randn(width, generator=random)
        channels = width
    vgg["classifier.0.weight"] = torch.zeros(1)  # as in the file, and not needed
    heads = {
        f"lin{head}.model.1.weight": torch.rand(1, WIDTHS[layer], 1, 1, generator=random)
        for layer, head in TAKEN.items()
    }
    return vgg, heads


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    """Two pairs: (2 sides, 2 pictures, 3, 32, 48)."""
    return torch.rand(2, 2, 3, 32, 48, generator=torch.Generator().manual_seed(1)) * 2.0 - 1.0


def _by_definition(ours: Tensor, theirs: Tensor, vgg: dict[str, Tensor], heads: dict[str, Tensor]) -> Tensor:
    """Equation 1 of Zhang et al. (2018) in double precision, step by step."""
    shift, scale = (torch.tensor(v).double()[:, None, None] for v in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]))
    sides = [(side.double() - shift) / scale for side in (ours, theirs)]
    distance = torch.zeros(len(ours)).double()
    for layer, name in enumerate(TORCHVISION_NAMES):
        if layer in (2, 4, 7, 10):
            sides = [side.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5)) for side in sides]
        weight, bias = vgg[f"features.{name}.weight"].double(), vgg[f"features.{name}.bias"].double()
        sides = [torch.conv2d(side, weight, bias, padding=1).clamp_min(0.0) for side in sides]
        if layer in TAKEN:
            unit = [side / side.norm(dim=1, keepdim=True) for side in sides]
            head = heads[f"lin{TAKEN[layer]}.model.1.weight"].double()
            distance += torch.einsum("bchw,c->bhw", (unit[0] - unit[1]) ** 2, head[0, :, 0, 0]).mean((1, 2))
    return distance


def test_the_distance_is_that_of_its_definition_with_weights_under_their_published_names(
    published: tuple[dict[str, Tensor], dict[str, Tensor]], pictures: Tensor
) -> None:
    network = Lpips()
    network.load_published(*published)
    expected = _by_definition(pictures[0], pictures[1], *published)
    assert network(pictures[0], pictures[1]).tolist() == pytest.approx(expected.tolist(), rel=1e-4)
    assert network(pictures[0], pictures[0]).tolist() == [0.0, 0.0]


def test_the_picture_has_a_gradient_also_where_all_features_are_zero(pictures: Tensor) -> None:
    network = seeded_lpips(0)
    first = network.features[0]
    assert isinstance(first, torch.nn.Conv2d)
    torch.nn.init.constant_(first.bias, -1e3)  # type: ignore[arg-type]
    image = pictures[0].clone().requires_grad_()
    network(image, pictures[1]).sum().backward()
    assert image.grad is not None
    assert image.grad.isfinite().all()


def test_random_features_belong_to_the_seed_alone(pictures: Tensor) -> None:
    first, second, other = (seeded_lpips(seed)(pictures[0], pictures[1]) for seed in (7, 7, 8))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
