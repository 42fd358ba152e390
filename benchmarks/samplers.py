"""Measure how far each sampler and each editing method is from the truth, on Gaussians whose denoiser is known exactly.

    python benchmarks/samplers.py --out docs/images --page benchmarks/results/2026-11-samplers.md

No network takes part, so what is measured is the error of the solver alone. Draws `samplers_error.png` and writes the
tables of figures of the page anew.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import torch
from torch import Tensor

from models.sampling.editing import EDITS, EditConfig, Known, sample_edited
from models.sampling.long_audio import LongAudioConfig, blended
from models.sampling.samplers import SAMPLERS, SamplerConfig, SeededNoise, X0Predictor, sample
from models.sampling.sde import VpSde

mpl.use("Agg")
from matplotlib import pyplot as plt

SDE = VpSde()
SD_D = torch.tensor([1.0, 0.3, 0.05])
RUNS = (10, 20, 30, 50, 100, 200, 500)
SOLVERS = (
    ("dpmpp_2m", "lambda"),
    ("dpmpp_2m", "time"),
    ("ode_heun", "lambda"),
    ("ode_heun", "time"),
    ("sde_em", "lambda"),
    ("sde_em", "time"),
    ("ode_euler_mid", "time"),
)
N_SAMPLES = 200_000
N_EDITED = 20_000
GIVEN = 1.5
PAIR = torch.tensor([[1.0, 0.9], [0.9, 1.0]])
WINDOW_FRAMES = 250
N_PROCESSES = 1000
TEMPERATURES = (1.0, 1.3, 1.8)


def independent(noisy_BTD: Tensor, time_B: Tensor) -> Tensor:
    """Return the mean of p(x0 | z_t) of independent numbers with mean 0 and standard deviations `SD_D`."""
    alpha, sigma = SDE.alpha(time_B)[:, None, None], SDE.sigma(time_B)[:, None, None]
    return alpha * SD_D**2 / (alpha**2 * SD_D**2 + sigma**2) * noisy_BTD


def paired(noisy_BTD: Tensor, time_B: Tensor) -> Tensor:
    """Return the mean of p(x0 | z_t) of two numbers with covariance `PAIR`."""
    alpha, sigma = SDE.alpha(time_B)[0], SDE.sigma(time_B)[0]
    return noisy_BTD @ (alpha * PAIR @ torch.linalg.inv(alpha**2 * PAIR + sigma**2 * torch.eye(2)))


def paired_given(noisy_BTD: Tensor, time_B: Tensor) -> Tensor:
    """Return the mean of p(x0 | z_t, first = GIVEN): the network that `mask_cond` asks for."""
    alpha, sigma = SDE.alpha(time_B)[0], SDE.sigma(time_B)[0]
    mean, variance = 0.9 * GIVEN, 1.0 - 0.9**2
    second = mean + alpha * variance / (alpha**2 * variance + sigma**2) * (noisy_BTD[..., 1] - alpha * mean)
    return torch.stack([torch.full_like(second, GIVEN), second], dim=-1)


def smooth_process() -> X0Predictor:
    """Return the denoiser of a window of a process of variance 1 that is smooth over a third of a second."""
    frames = torch.arange(WINDOW_FRAMES, dtype=torch.float64)
    values, vectors = torch.linalg.eigh(torch.exp(-0.5 * ((frames[:, None] - frames) / 8.0) ** 2))

    def predict(noisy_BTD: Tensor, time_B: Tensor) -> Tensor:
        alpha, sigma = SDE.alpha(time_B[0].double()), SDE.sigma(time_B[0].double())
        gains = alpha * values / (alpha**2 * values + sigma**2)
        return (vectors @ (gains[:, None] * (vectors.T @ noisy_BTD.double()))).float()

    return predict


def with_runs(name: str, grid: str, runs: int) -> SamplerConfig:
    """Return the sampler that calls the network this often, or once less."""
    steps = (runs + 1) // 2 if name == "ode_heun" else runs
    return replace(SAMPLERS[name], grid=grid, steps=steps)


def worst_ratio(config: SamplerConfig) -> float:
    """Return sampled over true standard deviation of the number for which it is furthest from 1."""
    made_TD = sample(independent, SeededNoise([0]), N_SAMPLES, 3, config=config, sde=SDE)[0]
    # over that of the first noise, which is 1 but for the chance of the draw
    first_D = SeededNoise([0]).draw(N_SAMPLES, 3)[0].std(0) if config.name != "sde_em" else torch.ones(3)
    ratio_D = made_TD.std(0) / SD_D / first_D
    return float(ratio_D[(ratio_D - 1.0).abs().argmax()])


def edited(config: EditConfig) -> tuple[float, float, float]:
    """Return mean and standard deviation of the second number given the first, and runs of the network."""
    runs = 0

    def counted(noisy_BTD: Tensor, time_B: Tensor) -> Tensor:
        nonlocal runs
        runs += 1
        return paired_given(noisy_BTD, time_B) if config.method == "mask_cond" else paired(noisy_BTD, time_B)

    values_BTD = torch.full((1, N_EDITED, 2), GIVEN)
    known = Known(values_BTD, torch.tensor([True, False]).expand_as(values_BTD))
    second_T = sample_edited(counted, SeededNoise([0]), known, config=config, sde=SDE)[0, :, 1]
    return float(second_T.mean()), float(second_T.std()), runs


def seam(motion_TD: Tensor) -> tuple[float, float]:
    """Return variance in the overlap and variance of acceleration there over that elsewhere."""
    acceleration_TD = motion_TD.diff(dim=0).diff(dim=0).square()
    return float(motion_TD[200:250].square().mean()), float(
        acceleration_TD[198:252].mean() / acceleration_TD[:198].mean()
    )


def joined() -> dict[str, tuple[float, float]]:
    """Return the seam of 450 frames in two windows, blended at every step, and made one by one and faded."""
    window, solver = smooth_process(), SamplerConfig()

    def made(predict: X0Predictor, seed: int, frames: int) -> Tensor:
        return sample(predict, SeededNoise([seed]), frames, N_PROCESSES, config=solver, sde=SDE)[0]

    first_TD, last_TD = made(window, 1, WINDOW_FRAMES), made(window, 2, WINDOW_FRAMES)
    fade_T1 = (torch.arange(1, 51) / 51.0)[:, None]
    both_TD = (1.0 - fade_T1) * first_TD[200:] + fade_T1 * last_TD[:50]
    return {
        "predictions blended at every step": seam(made(blended(lambda _: window, 450, LongAudioConfig()), 0, 450)),
        "finished windows faded": seam(torch.cat([first_TD[:200], both_TD, last_TD[50:]])),
    }


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def with_figures(page: str, name: str, made: str) -> str:
    """Return the page with what stands between the marks of `name` replaced."""
    marks = re.compile(rf"(<!-- figures {name} begins -->\n).*?(<!-- figures {name} ends -->)", flags=re.DOTALL)
    if len(marks.findall(page)) != 1:
        raise SystemExit(f"the page has no single place for the figures {name!r}; write the two marks around one")
    return marks.sub(lambda match: match[1] + made + match[2], page)


def draw(ratios: dict[tuple[str, str], list[float]], path: Path) -> None:
    """Draw error over runs of the network."""
    figure, axes = plt.subplots(figsize=(7.0, 4.0), layout="constrained")
    for (name, grid), found in ratios.items():
        errors = [abs(ratio - 1.0) for ratio in found]
        axes.loglog(RUNS, errors, "-o" if grid == "lambda" else "--x", label=f"{name}, {grid}", markersize=4)
    axes.set_xticks(RUNS, [str(runs) for runs in RUNS])
    axes.minorticks_off()
    axes.set_xlabel("runs of the network")
    axes.set_ylabel("worst error of a standard deviation")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)


def tables(ratios: dict[tuple[str, str], list[float]]) -> dict[str, Callable[[], str]]:
    """Return by name what makes each table of the page."""
    return {
        "error": lambda: table(
            ["sampler", "grid", *(f"{runs}" for runs in RUNS)],
            [[f"`{name}`", grid, *(f"{ratio:.3f}" for ratio in found)] for (name, grid), found in ratios.items()],
        ),
        "temperature": lambda: table(
            ["temperature", "standard deviation"],
            [[f"{a:g}", f"{worst_ratio(SamplerConfig(temperature=a)):.2f}"] for a in TEMPERATURES],
        ),
        "editing": lambda: table(
            ["method", "mean", "standard deviation", "runs of the network"],
            [
                ["exact", f"{0.9 * GIVEN:.2f}", f"{(1.0 - 0.9**2) ** 0.5:.2f}", ""],
                *(
                    [f"`{name}`", f"{mean:.2f}", f"{deviation:.2f}", f"{runs:g}"]
                    for name, (mean, deviation, runs) in ((name, edited(config)) for name, config in EDITS.items())
                ),
            ],
        ),
        "windows": lambda: table(
            ["windows", "variance in the overlap", "variance of acceleration there over elsewhere"],
            [[name, f"{variance:.2f}", f"{ratio:.2f}"] for name, (variance, ratio) in joined().items()],
        ),
    }


def main() -> None:
    """Run all and write the plot and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the plot")
    parser.add_argument("--page", type=Path, required=True, help="page whose tables of figures are written anew")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ratios = {(name, grid): [worst_ratio(with_runs(name, grid, runs)) for runs in RUNS] for name, grid in SOLVERS}
    draw(ratios, arguments.out / "samplers_error.png")
    page = arguments.page.read_text(encoding="utf-8")
    for name, made in tables(ratios).items():
        page = with_figures(page, name, made())
    arguments.page.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
