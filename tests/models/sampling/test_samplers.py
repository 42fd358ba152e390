"""The samplers on data whose answer is known, and against equations 6 and 7 and `diffusers`."""

from itertools import pairwise

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler
from torch import Tensor

from models.sampling.samplers import SAMPLERS, SamplerConfig, SamplerName, SeededNoise, sample, time_grid
from models.sampling.sde import VpSde

SDE = VpSde()
MEAN_D = torch.tensor([0.5, -0.3, 0.2])
SD_D = torch.tensor([1.0, 0.3, 0.05])
N_SAMPLES = 50_000


def gaussian_x0(noisy_BTD: Tensor, time_B: Tensor) -> Tensor:
    """The exact mean of p(x0 | z_t) where x0 is normal with `MEAN_D` and `SD_D`."""
    alpha, sigma = SDE.alpha(time_B)[:, None, None], SDE.sigma(time_B)[:, None, None]
    gain = alpha * SD_D**2 / (alpha**2 * SD_D**2 + sigma**2)
    return MEAN_D + gain * (noisy_BTD - alpha * MEAN_D)


def gaussian_samples(config: SamplerConfig) -> Tensor:
    return sample(gaussian_x0, SeededNoise([0]), N_SAMPLES, 3, config=config, sde=SDE)[0]


def gaussian_gain(config: SamplerConfig) -> Tensor:
    """(D,) sampled over true standard deviation, without sampling error: a solver of the ODE is affine here."""
    first = SeededNoise([0]).draw(100, 3)[0].double()
    made = sample(gaussian_x0, SeededNoise([0]), 100, 3, config=config, sde=SDE)[0].double()
    first, made = first - first.mean(0), made - made.mean(0)
    return (first * made).sum(0) / first.square().sum(0) / SD_D


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [("dpmpp_2m", 0.97, 1.03), ("ode_heun", 0.96, 1.03), ("sde_em", 0.96, 1.04)],
)
def test_default_steps_reproduce_mean_and_spread_of_a_gaussian(name: str, lowest: float, highest: float) -> None:
    made = gaussian_samples(SAMPLERS[name])
    ratio_D, error_D = made.std(0) / SD_D, (made.mean(0) - MEAN_D) / SD_D
    assert lowest < ratio_D.min().item()
    assert ratio_D.max().item() < highest
    assert error_D.abs().max().item() < 0.02


def test_midpoint_sampler_loses_what_the_authors_later_code_loses() -> None:
    # 0.836 of the smallest spread with 150 steps: measured with another program
    ratio_D = gaussian_gain(SAMPLERS["ode_euler_mid"])
    assert ratio_D[2].item() == pytest.approx(0.836, abs=0.005)
    assert ratio_D[0].item() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(("name", "steps"), [("dpmpp_2m", 20), ("ode_heun", 25), ("sde_em", 100)])
def test_grid_uniform_in_time_misses_the_smallest_spread(name: SamplerName, steps: int) -> None:
    # the trap that the grid in lambda avoids: fine motion comes out a fifth or more too wide or too narrow
    made = gaussian_samples(SamplerConfig(name=name, steps=steps, grid="time"))
    assert abs(made[:, 2].std().item() / SD_D[2].item() - 1.0) > 0.2


def test_error_of_the_second_order_solver_falls_as_one_of_second_order() -> None:
    errors = [abs(gaussian_gain(SamplerConfig(steps=steps))[0].item() - 1.0) for steps in (10, 20, 40)]
    assert errors[0] >= 2.0 * errors[1]
    assert errors[1] >= 2.0 * errors[2]


def test_higher_temperature_shrinks_the_spread() -> None:
    # 1 / 1.8, which was measured as 0.56
    ratio_D = gaussian_gain(SamplerConfig(temperature=1.8)) / gaussian_gain(SamplerConfig())
    assert torch.allclose(ratio_D, torch.full((3,), 1.0 / 1.8, dtype=torch.float64), rtol=1e-4)


def gaussian_variance(time: float) -> Tensor:
    t = torch.tensor(time, dtype=torch.float64)
    return SDE.alpha(t) ** 2 * SD_D.double() ** 2 + SDE.sigma(t) ** 2


def final_gain(time: float) -> Tensor:
    """(D,) d x0 / d z at the end of a sampler."""
    alpha = SDE.alpha(torch.tensor(time, dtype=torch.float64))
    return alpha * SD_D.double() ** 2 / gaussian_variance(time)


def beta(time: float) -> float:
    return 0.1 + 19.9 * time


def test_euler_maruyama_takes_the_steps_of_equation_6() -> None:
    # with the score -(z - alpha mean) / v the variance of the state has a recursion of its own
    config = SamplerConfig(name="sde_em", steps=30)
    times = time_grid(config, SDE).tolist()
    variance = torch.ones(3, dtype=torch.float64)
    for time, following in pairwise(times):
        step = beta(time) * (time - following)
        variance = (1.0 + step * (0.5 - 1.0 / gaussian_variance(time))) ** 2 * variance + step
    expected = variance.sqrt() * final_gain(times[-1])
    made = gaussian_samples(config)
    assert torch.allclose(made.std(0).double(), expected, rtol=0.012)


def test_heun_takes_the_steps_of_equation_7() -> None:
    config = SamplerConfig(name="ode_heun", steps=12)
    times = time_grid(config, SDE).tolist()
    gain = torch.ones(3, dtype=torch.float64)
    for time, following in pairwise(times):
        here = -0.5 * beta(time) * (1.0 - 1.0 / gaussian_variance(time))
        there = -0.5 * beta(following) * (1.0 - 1.0 / gaussian_variance(following))
        step = following - time
        gain = gain * (1.0 + 0.5 * step * (here + there * (1.0 + step * here)))
    expected = gain * final_gain(times[-1]) / SD_D
    assert torch.allclose(gaussian_gain(config), expected, rtol=1e-4)


def wavy_x0(noisy_BTD: Tensor, time_B: Tensor) -> Tensor:
    """A predictor that is not linear, with frames that depend on their neighbours."""
    t = time_B[:, None, None]
    return torch.tanh(noisy_BTD.roll(1, dims=1) + 0.5 * noisy_BTD * (1.0 - t)) + 0.1 * torch.sin(5.0 * t)


@pytest.mark.parametrize("steps", [5, 20, 30])
def test_agrees_with_the_scheduler_of_the_same_name_in_diffusers(steps: int) -> None:
    config = SamplerConfig(steps=steps)
    times = time_grid(config, SDE)
    # theirs takes times out of 1000 of training; it computes with sigma / alpha alone, in which ours can be given
    scheduler = DPMSolverMultistepScheduler(
        algorithm_type="dpmsolver++", solver_order=2, prediction_type="sample", final_sigmas_type="zero"
    )
    scheduler.set_timesteps(steps)
    ratios = (-SDE.log_snr_half(times)).exp()
    scheduler.sigmas = torch.cat([ratios, ratios.new_zeros(1)])
    scheduler.timesteps = torch.arange(steps)
    scheduler.num_inference_steps = steps
    state = SeededNoise([3, 4]).draw(8, 5)
    for i in range(steps):
        x0 = wavy_x0(state, times[i].float().expand(2))
        state = scheduler.step(x0, scheduler.timesteps[i], state).prev_sample
    ours = sample(wavy_x0, SeededNoise([3, 4]), 8, 5, config=config, sde=SDE)
    assert torch.allclose(ours, state, atol=1e-4, rtol=0.0)
    assert ours.abs().max().item() > 0.1


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sequence_is_the_same_whatever_else_is_in_its_batch(name: str) -> None:
    together = sample(wavy_x0, SeededNoise([7, 8]), 6, 4, config=SAMPLERS[name], sde=SDE)
    alone = sample(wavy_x0, SeededNoise([8]), 6, 4, config=SAMPLERS[name], sde=SDE)
    assert torch.equal(together[1:], alone)
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("name", SAMPLERS)
def test_state_stays_float32_under_a_network_in_bfloat16(name: str) -> None:
    seen: set[torch.dtype] = set()

    def in_bfloat16(noisy_BTD: Tensor, time_B: Tensor) -> Tensor:
        seen.update((noisy_BTD.dtype, time_B.dtype))
        return wavy_x0(noisy_BTD.bfloat16(), time_B.bfloat16())

    made = sample(in_bfloat16, SeededNoise([0]), 6, 4, config=SAMPLERS[name], sde=SDE)
    assert seen == {torch.float32}
    assert made.dtype == torch.float32
    assert made.isfinite().all()


@pytest.mark.parametrize(
    ("config", "runs"),
    [
        (SAMPLERS["dpmpp_2m"], 20),
        (SAMPLERS["sde_em"], 100),
        (SAMPLERS["ode_heun"], 49),
        (SAMPLERS["ode_euler_mid"], 150),
        (SamplerConfig(steps=1), 1),
    ],
)
def test_network_runs_as_often_as_the_config_says(config: SamplerConfig, runs: int) -> None:
    times: list[float] = []

    def counting(noisy_BTD: Tensor, time_B: Tensor) -> Tensor:
        times.append(time_B[0].item())
        return noisy_BTD

    sample(counting, SeededNoise([0]), 2, 2, config=config, sde=SDE)
    assert len(times) == runs
    assert times == sorted(times, reverse=True)


def test_one_step_is_the_prediction_at_the_noisiest_time() -> None:
    made = sample(wavy_x0, SeededNoise([5]), 4, 3, config=SamplerConfig(steps=1), sde=SDE)
    assert torch.equal(made, wavy_x0(SeededNoise([5]).draw(4, 3), torch.ones(1)))


def test_grid_of_lambda_is_uniform_in_lambda_and_ends_at_the_smallest_time() -> None:
    times = time_grid(SamplerConfig(steps=9), SDE)
    widths = SDE.log_snr_half(times).diff()
    assert torch.allclose(widths, widths[0].expand(8), rtol=1e-9)
    assert times[[0, -1]].tolist() == pytest.approx([1.0, 1e-3], rel=1e-9)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": "ddim"}, "ddim"),
        ({"steps": 0}, "steps"),
        ({"temperature": 0.0}, "temperature"),
        ({"name": "sde_em", "temperature": 1.8}, "temperature"),
        ({"name": "ode_euler_mid"}, "grid"),
    ],
)
def test_configs_that_mean_nothing_are_refused(fields: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        SamplerConfig(**fields)
