import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.vae.blocks import Downsample, ResBlock, Upsample
from models.vae.discriminator import DISCRIMINATORS, Discriminator


def _normed(x_BCHW: Tensor, groups: int, weight_C: Tensor, bias_C: Tensor) -> Tensor:
    """Group norm by its definition (Wu and He, 2018)."""
    b, c, h, w = x_BCHW.shape
    grouped = x_BCHW.reshape(b, groups, c // groups, h, w)
    mean, variance = grouped.mean((2, 3, 4), keepdim=True), grouped.var((2, 3, 4), correction=0, keepdim=True)
    normed = ((grouped - mean) / (variance + 1e-6).sqrt()).reshape(b, c, h, w)
    return normed * weight_C[:, None, None] + bias_C[:, None, None]


@pytest.mark.parametrize("channels_out", [8, 12])
def test_a_residual_block_is_norm_silu_convolution_twice_and_a_skip(channels_out: int) -> None:
    torch.manual_seed(0)
    block = ResBlock(8, channels_out, groups=4)
    for norm in (block.norm1, block.norm2):
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
    x = torch.randn(2, 8, 6, 6)
    h = x
    for norm, conv in ((block.norm1, block.conv1), (block.norm2, block.conv2)):
        h = _normed(h, 4, norm.weight, norm.bias)
        h = functional.conv2d(h / (1.0 + torch.exp(-h)), conv.weight, conv.bias, padding=1)
    skip = x if channels_out == 8 else functional.conv2d(x, block.skip.weight, block.skip.bias)
    assert torch.allclose(block(x), skip + h, atol=1e-5)


@pytest.mark.parametrize("tap", [(0, 0), (1, 1), (2, 2), (0, 2)])
def test_halving_looks_at_a_pixel_and_its_neighbours_to_the_right_and_below(tap: tuple[int, int]) -> None:
    down = Downsample(1)
    with torch.no_grad():
        down.conv.weight.zero_()
        down.conv.bias.zero_()
        down.conv.weight[0, 0, tap[0], tap[1]] = 1.0
    x = torch.arange(1.0, 65.0).reshape(1, 1, 8, 8)
    padded = functional.pad(x, (0, 1, 0, 1))
    assert torch.equal(down(x)[0, 0], padded[0, 0, tap[0] : tap[0] + 7 : 2, tap[1] : tap[1] + 7 : 2])


def test_doubling_repeats_each_pixel() -> None:
    up = Upsample(1)
    with torch.no_grad():
        up.conv.weight.zero_()
        up.conv.bias.zero_()
        up.conv.weight[0, 0, 1, 1] = 1.0
    assert up(torch.tensor([[[[1.0, 2.0]]]])).tolist() == [[[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]]


def test_a_logit_of_the_discriminator_judges_a_patch_of_70_by_70_pixels() -> None:
    """With the fixed statistics of a batch norm; those of a group norm are of the whole picture."""
    discriminator = Discriminator(DISCRIMINATORS["patch_batch_norm"]).eval()
    image = torch.zeros(1, 3, 128, 128, requires_grad=True)
    logits = discriminator(image)
    assert logits.shape == (1, 1, 14, 14)
    (gradient,) = torch.autograd.grad(logits[0, 0, 7, 7], image)
    rows, columns = gradient[0].abs().sum(0).nonzero().unbind(1)
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (70, 70)


def test_the_discriminator_traces_and_runs_in_bf16() -> None:
    discriminator = Discriminator(DISCRIMINATORS["tiny"])
    image = torch.randn(2, 3, 32, 32)
    exact = discriminator(image)
    assert torch.equal(torch.compile(discriminator, fullgraph=True, backend="eager")(image), exact)
    low = discriminator.bfloat16()(image.bfloat16())
    low.float().sum().backward()
    assert low.dtype == torch.bfloat16
    assert (low - exact).abs().max() < 0.1 * exact.abs().max() + 0.02
