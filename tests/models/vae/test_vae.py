import copy
import dataclasses

import pytest
import torch
from torch import Tensor, nn

from models.vae.posterior import LatentStatistics, Posterior
from models.vae.vae import VAE_SIZES, LatentNoise, Vae, VaeConfig

SMALL_PICTURES = dataclasses.replace(VAE_SIZES["tiny"], image_px=32)


def _noise(config: VaeConfig, n: int, seed: int = 0) -> LatentNoise:
    random = torch.Generator().manual_seed(seed)
    a, m = (torch.randn((n, *shape), generator=random) for shape in (config.appearance_shape, config.motion_shape))
    return LatentNoise(a, m)


def _pictures(n: int, size: int = 32, seed: int = 0) -> Tensor:
    return torch.rand((n, 3, size, size), generator=torch.Generator().manual_seed(seed)) * 2.0 - 1.0


def _million(*modules: nn.Module | None) -> float:
    return sum(p.numel() for module in modules if module is not None for p in module.parameters()) / 1e6


@pytest.mark.parametrize(
    ("size", "e_a", "e_m", "decoder", "paper"),
    [
        ("small", 22.04, 22.78, 33.23, 80.0),
        ("base", 219.63, 224.94, 281.52, 700.0),
        ("large", 545.78, 585.91, 621.84, 1700.0),
    ],
)
def test_sizes_have_the_parameters_of_appendix_b1(
    size: str, e_a: float, e_m: float, decoder: float, paper: float
) -> None:
    with torch.device("meta"):
        vae = Vae(VAE_SIZES[size])
    assert _million(vae.appearance_encoder) == pytest.approx(e_a, rel=0.005)
    assert _million(vae.motion_encoder) == pytest.approx(e_m, rel=0.005)
    assert _million(vae.decoder) == pytest.approx(decoder, rel=0.005)
    assert _million(vae) == pytest.approx(e_a + e_m + decoder, rel=0.005)
    assert _million(vae) == pytest.approx(paper, rel=0.04)


def test_the_small_encoder_has_as_many_parameters_as_counted_by_hand() -> None:
    """Of a level: 3x3 convolutions with bias, two norms per block, a 1x1 skip where channels change."""

    def conv(c_in: int, c_out: int, k: int = 3) -> int:
        return c_in * c_out * k * k + c_out

    def block(c_in: int, c_out: int) -> int:
        skip = conv(c_in, c_out, 1) if c_in != c_out else 0
        return 2 * c_in + conv(c_in, c_out) + 2 * c_out + conv(c_out, c_out) + skip

    levels = [(128, 128), (128, 128), (128, 256), (256, 512)]
    by_hand = conv(3, 128) + 2 * 512 + conv(512, 6) + 2 * block(512, 512)
    by_hand += sum(block(c_in, c_out) + block(c_out, c_out) for c_in, c_out in levels)
    by_hand += sum(conv(c_out, c_out) for _, c_out in levels[:-1])
    with torch.device("meta"):
        assert _million(Vae(VAE_SIZES["small"]).appearance_encoder) == by_hand / 1e6


def test_latents_have_the_downsampling_of_appendix_b1() -> None:
    for size in ("small", "base", "large"):
        assert VAE_SIZES[size].appearance_shape == (3, 256 // 8, 256 // 8)
        assert VAE_SIZES[size].motion_shape == (3, 256 // 16, 256 // 16)
    vae = Vae(dataclasses.replace(SMALL_PICTURES, multipliers=(1, 2, 2, 4)))
    assert vae.encode_appearance(_pictures(2)).mean_BCHW.shape == (2, 3, 4, 4)
    assert vae.encode_motion(_pictures(2)).mean_BCHW.shape == (2, 3, 2, 2)
    assert vae.decode(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 2, 2)).shape == (2, 3, 32, 32)


def test_both_latents_reach_the_picture_and_each_encoder_sees_its_own_input_only() -> None:
    vae = Vae(SMALL_PICTURES)
    image, landmarks = _pictures(1), _pictures(1, seed=1).requires_grad_()
    other_image = _pictures(1, seed=2)
    output = vae(image, landmarks, None)
    (gradient,) = torch.autograd.grad(output.image_BCHW.sum(), landmarks)
    assert gradient.abs().sum() > 0
    changed = vae(other_image, landmarks, None)
    assert not torch.equal(changed.image_BCHW, output.image_BCHW)
    assert output.motion is not None
    assert torch.equal(changed.motion.mean_BCHW, output.motion.mean_BCHW)
    assert not torch.equal(changed.appearance.mean_BCHW, output.appearance.mean_BCHW)


def test_a_pass_equals_its_parts_and_noise_draws_from_the_posterior() -> None:
    vae = Vae(SMALL_PICTURES)
    image, landmarks = _pictures(2), _pictures(2, seed=1)
    a, m = vae.encode_appearance(image), vae.encode_motion(landmarks)
    assert torch.equal(vae(image, landmarks, None).image_BCHW, vae.decode(a.mean_BCHW, m.mean_BCHW))
    noise = _noise(SMALL_PICTURES, 2)
    assert noise.motion_BCHW is not None
    drawn = vae.decode(
        a.mean_BCHW + (a.logvar_BCHW / 2).exp() * noise.appearance_BCHW,
        m.mean_BCHW + (m.logvar_BCHW / 2).exp() * noise.motion_BCHW,
    )
    assert torch.allclose(vae(image, landmarks, noise).image_BCHW, drawn, atol=1e-6)


def test_without_disentanglement_one_encoder_makes_the_whole_picture() -> None:
    config = dataclasses.replace(SMALL_PICTURES, disentangled=False)
    vae = Vae(config)
    output = vae(_pictures(2), None, LatentNoise(torch.zeros(2, *config.appearance_shape), None))
    assert output.image_BCHW.shape == (2, 3, 32, 32)
    assert output.motion is None
    with pytest.raises(ValueError, match="disentangled=False"):
        vae.encode_motion(_pictures(2))
    with pytest.raises(ValueError, match="needs the motion latent"):
        Vae(SMALL_PICTURES).decode(torch.zeros(1, 3, 4, 4), None)


def test_log_variance_is_clamped_where_the_encoder_overshoots() -> None:
    moments = torch.cat([torch.zeros(1, 3, 1, 1), torch.tensor([-1e4, 0.5, 1e4]).view(1, 3, 1, 1)], dim=1)
    posterior = Posterior.of_moments(moments)
    assert posterior.logvar_BCHW.flatten().tolist() == [-30.0, 0.5, 20.0]
    assert posterior.kl_B().isfinite().all()


def test_kl_equals_a_monte_carlo_estimate_to_a_percent() -> None:
    random = torch.Generator().manual_seed(3)
    mean = torch.randn((1, 3, 4, 4), generator=random, dtype=torch.float64)
    logvar = torch.randn((1, 3, 4, 4), generator=random, dtype=torch.float64)
    posterior = Posterior(mean, logvar)
    z = posterior.sample(torch.randn((100_000, 3, 4, 4), generator=random, dtype=torch.float64))
    ours = torch.distributions.Normal(mean, (logvar / 2).exp()).log_prob(z).sum((1, 2, 3))
    standard = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum((1, 2, 3))
    assert posterior.kl_B().item() == pytest.approx((ours - standard).mean().item(), rel=0.01)


def test_latent_statistics_of_parts_are_those_of_the_whole() -> None:
    z = _pictures(10, size=4).double() * torch.tensor([1.0, 5.0, 0.1]).view(3, 1, 1) + 1000.0
    statistics = LatentStatistics(3)
    with pytest.raises(RuntimeError, match="gaia-train latents"):
        statistics.standardise(z)
    for part in z.split([1, 6, 3]):
        statistics.measure(part)
    assert torch.allclose(statistics.mean_C, z.mean((0, 2, 3)), rtol=1e-12)
    assert torch.allclose(statistics.std_C, z.std((0, 2, 3), correction=0), rtol=1e-9)
    standard = statistics.standardise(z)
    assert standard.mean((0, 2, 3)).abs().max() < 1e-5
    assert torch.allclose(standard.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5)
    assert torch.allclose(statistics.restore(standard), z.float(), rtol=1e-6)


def test_the_vae_traces_without_graph_breaks() -> None:
    vae, noise = Vae(SMALL_PICTURES), _noise(SMALL_PICTURES, 2)
    image, landmarks = _pictures(2), _pictures(2, seed=1)
    traced = torch.compile(vae, fullgraph=True, backend="eager")
    assert torch.equal(traced(image, landmarks, noise).image_BCHW, vae(image, landmarks, noise).image_BCHW)


def test_the_vae_runs_forward_and_backward_in_bf16() -> None:
    vae = Vae(SMALL_PICTURES)
    image, landmarks, noise = _pictures(2), _pictures(2, seed=1), _noise(SMALL_PICTURES, 2)
    exact = vae(image, landmarks, noise)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = vae(image, landmarks, noise)
    whole = copy.deepcopy(vae).bfloat16()
    low = whole(image.bfloat16(), landmarks.bfloat16(), noise)
    for network, output in ((vae, mixed), (whole, low)):
        assert output.image_BCHW.dtype == torch.bfloat16
        assert output.appearance.mean_BCHW.dtype == torch.float32
        assert (output.image_BCHW - exact.image_BCHW).abs().max() < 0.1 * exact.image_BCHW.abs().max()
        output.image_BCHW.float().square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize(
    ("change", "message"), [({"groups": 5}, "does not divide the width 16"), ({"image_px": 36}, "multiple of 8")]
)
def test_a_config_that_fits_no_network_is_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(VAE_SIZES["tiny"], **change)
