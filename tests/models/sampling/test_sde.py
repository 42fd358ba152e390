"""The process of equation 5 against its definition: a simulation, closed forms in plain numbers, round trips."""

import math

import pytest
import torch
from torch import Tensor

from models.sampling.sde import VpSde

SDE = VpSde()


@pytest.fixture(scope="module")
def simulated() -> dict[float, Tensor]:
    """20,000 paths of equation 5 from x0 = 1, by 2,000 Euler steps, at three times."""
    generator = torch.Generator().manual_seed(0)
    n_steps, paths = 2000, torch.ones(20_000)
    found: dict[float, Tensor] = {}
    for i in range(n_steps):
        beta = 0.1 + 19.9 * i / n_steps
        drawn = torch.randn(len(paths), generator=generator)
        paths = paths - 0.5 * beta * paths / n_steps + math.sqrt(beta / n_steps) * drawn
        if (i + 1) / n_steps in {0.1, 0.5, 1.0}:
            found[(i + 1) / n_steps] = paths
    return found


@pytest.mark.parametrize("time", [0.1, 0.5, 1.0])
def test_marginals_are_those_of_the_simulated_equation(simulated: dict[float, Tensor], time: float) -> None:
    t = torch.tensor(time)
    assert simulated[time].mean().item() == pytest.approx(SDE.alpha(t).item(), abs=0.02)
    assert simulated[time].std().item() == pytest.approx(SDE.sigma(t).item(), rel=0.015)


def test_diffused_samples_have_the_marginals_mean_and_spread(simulated: dict[float, Tensor]) -> None:
    noise = torch.randn(20_000, 1, 1, generator=torch.Generator().manual_seed(1))
    diffused = SDE.diffuse(torch.ones(20_000, 1, 1), torch.full((20_000,), 0.1), noise)
    assert diffused.mean().item() == pytest.approx(simulated[0.1].mean().item(), abs=0.02)
    assert diffused.std().item() == pytest.approx(simulated[0.1].std().item(), rel=0.015)


def test_numbers_of_the_schedule() -> None:
    ends = torch.tensor([1.0, 1e-3], dtype=torch.float64)
    assert SDE.alpha(ends)[0].item() == pytest.approx(0.006572, abs=1e-6)
    assert SDE.sigma(ends)[1].item() == pytest.approx(0.010485, abs=1e-6)
    assert SDE.beta(torch.tensor([0.0, 0.5, 1.0])).tolist() == pytest.approx([0.1, 10.05, 20.0])
    # signal as strong as noise near t = 0.26, as the specification says
    assert SDE.time_of(torch.tensor(0.0)).item() == pytest.approx(0.26, abs=0.005)


def test_integral_of_beta_is_that_of_beta() -> None:
    grid = torch.linspace(0.0, 0.7, 1001, dtype=torch.float64)
    assert SDE.beta_integral(grid[-1]).item() == pytest.approx(torch.trapezoid(SDE.beta(grid), grid).item(), rel=1e-9)


def test_signal_and_noise_keep_the_variance() -> None:
    grid = torch.linspace(0.0, 1.0, 101, dtype=torch.float64)
    assert torch.allclose(
        SDE.alpha(grid).square() + SDE.sigma(grid).square(), torch.ones_like(grid), atol=1e-14, rtol=0.0
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 2e-5)])
def test_time_of_lambda_undoes_lambda_of_time(dtype: torch.dtype, tolerance: float) -> None:
    times = torch.logspace(-5.0, 0.0, 2001, dtype=dtype)
    back = SDE.time_of(SDE.log_snr_half(times))
    assert ((back - times).abs() / times).max().item() < tolerance


def test_noise_is_not_lost_near_time_zero_in_float32() -> None:
    times = torch.logspace(-5.0, 0.0, 201, dtype=torch.float64)
    rounded = SDE.sigma(times.float()).double()
    assert torch.allclose(rounded, SDE.sigma(times), rtol=1e-6, atol=0.0)
    # what the plain formula gives in float32: half of the noise is gone
    plain = torch.sqrt(1.0 - SDE.alpha(times.float()) ** 2).double()
    assert not torch.allclose(plain, SDE.sigma(times), rtol=1e-2, atol=0.0)


@pytest.mark.parametrize("time", [1e-3, 0.1, 0.26, 0.7, 1.0])
def test_noise_and_score_follow_from_x0(time: float) -> None:
    generator = torch.Generator().manual_seed(2)
    x0, noise = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    t = torch.full((3,), time, dtype=torch.float64)
    z = SDE.diffuse(x0, t, noise)
    score = SDE.score_from_x0(z, x0, t)
    tight = {"atol": 1e-10, "rtol": 1e-10}
    assert torch.allclose(SDE.noise_from_x0(z, x0, t), noise, **tight)
    alpha, sigma = (factor[:, None, None] for factor in (SDE.alpha(t), SDE.sigma(t)))
    assert torch.allclose((z + sigma.square() * score) / alpha, x0, **tight)  # Tweedie's formula
    assert torch.allclose(SDE.score_from_noise(noise, t), score, **tight)


def test_score_is_the_gradient_of_the_log_density() -> None:
    # data N(2, 0.5^2): p_t is normal, and the mean of p(x0 | z_t) known
    t = torch.tensor([0.3], dtype=torch.float64)
    z = torch.linspace(-3.0, 3.0, 13, dtype=torch.float64).reshape(1, 13, 1).requires_grad_()
    alpha, sigma = SDE.alpha(t).item(), SDE.sigma(t).item()
    variance = (0.5 * alpha) ** 2 + sigma**2
    (gradient,) = torch.autograd.grad((-0.5 * (z - 2.0 * alpha) ** 2 / variance).sum(), z)
    posterior_mean = 2.0 + alpha * 0.25 / variance * (z.detach() - 2.0 * alpha)
    assert torch.allclose(SDE.score_from_x0(z.detach(), posterior_mean, t), gradient, atol=1e-10, rtol=0.0)


def test_half_precision_targets_are_diffused_in_float32() -> None:
    x0, noise = torch.full((2, 1, 1), 0.5, dtype=torch.bfloat16), torch.ones(2, 1, 1, dtype=torch.bfloat16)
    diffused = SDE.diffuse(x0, torch.tensor([1e-3, 0.5]), noise)
    assert diffused.dtype == torch.float32
    assert diffused[0].item() == pytest.approx(0.5 * math.exp(-0.5 * 0.00010995) + 0.010485, abs=1e-6)
    assert SDE.diffuse(x0, torch.tensor(0.5), noise).dtype == torch.float32


def test_time_in_half_precision_is_refused() -> None:
    with pytest.raises(TypeError, match="bfloat16"):
        SDE.alpha(torch.tensor(0.5, dtype=torch.bfloat16))


def test_noise_at_time_zero_is_finite() -> None:
    z = torch.ones(1, 1, 1)
    assert SDE.score_from_x0(z, z, torch.zeros(1)).isfinite().all()


def test_training_times_span_what_the_network_may_see() -> None:
    uniform = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    assert SDE.training_times(uniform).tolist() == pytest.approx([1e-5, 0.500005, 1.0])


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"beta_min": 0.0}, "beta"),
        ({"beta_max": 0.05}, "beta"),
        ({"sample_t_min": 0.0}, "sample_t_min"),
        ({"train_t_min": 1.0}, "train_t_min"),
    ],
)
def test_impossible_schedules_are_refused(fields: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        VpSde(**fields)
