"""Blended windows on a smooth random process whose exact denoiser is known."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from models.sampling.long_audio import LongAudioConfig, Window, blended, windows
from models.sampling.samplers import SAMPLERS, SamplerConfig, SeededNoise, X0Predictor, sample
from models.sampling.sde import VpSde

SDE = VpSde()
CONFIG = LongAudioConfig()
N_FRAMES, N_PROCESSES = 600, 1000


def covariance(n_frames: int) -> Tensor:
    """(T, T) of a process of variance 1 that is smooth over about a third of a second."""
    frames = torch.arange(n_frames, dtype=torch.float64)
    return torch.exp(-0.5 * ((frames[:, None] - frames) / 8.0) ** 2)


def denoiser(n_frames: int) -> X0Predictor:
    """The exact mean of p(x0 | z_t) of frames that are seen by themselves."""
    values, vectors = torch.linalg.eigh(covariance(n_frames))

    def predict(noisy_BTD: Tensor, time_B: Tensor) -> Tensor:
        alpha, sigma = SDE.alpha(time_B[0].double()), SDE.sigma(time_B[0].double())
        gains = alpha * values / (alpha**2 * values + sigma**2)
        return (vectors @ (gains[:, None] * (vectors.T @ noisy_BTD.double()))).float()

    return predict


def in_windows(_: Window) -> X0Predictor:
    return WINDOW


WINDOW = denoiser(250)


def acceleration_variance(motion_TD: Tensor) -> float:
    return motion_TD.diff(dim=0).diff(dim=0).square().mean().item()


def true_acceleration_variance() -> float:
    """Of x[-1] - 2 x[0] + x[1], from the covariance."""
    weights = torch.tensor([1.0, -2.0, 1.0], dtype=torch.float64)
    return (weights @ covariance(3) @ weights).item()


def test_overlaps_of_blended_windows_move_as_the_rest_does() -> None:
    predict = blended(in_windows, 450, CONFIG)
    made = sample(predict, SeededNoise([0]), 450, N_PROCESSES, config=SamplerConfig(), sde=SDE)[0]
    assert 0.9 < made[200:250].square().mean().item() < 1.1
    assert acceleration_variance(made[198:252]) / true_acceleration_variance() < 1.15
    assert acceleration_variance(made[:198]) / true_acceleration_variance() == pytest.approx(1.0, abs=0.1)


def test_finished_windows_faded_into_one_another_lose_variance() -> None:
    # what blending at every step is for: independent windows have half of the variance at the middle of a fade
    halves = [
        sample(WINDOW, SeededNoise([seed]), 250, N_PROCESSES, config=SamplerConfig(), sde=SDE)[0] for seed in (0, 1)
    ]
    fade = (torch.arange(1, 51) / 51.0)[:, None]
    faded = (1.0 - fade) * halves[0][200:] + fade * halves[1][:50]
    assert faded.square().mean().item() < 0.75
    assert faded[20:30].square().mean().item() < 0.6


def test_motion_is_smooth_from_window_to_window() -> None:
    predict = blended(in_windows, N_FRAMES, CONFIG)
    made = sample(predict, SeededNoise([2]), N_FRAMES, N_PROCESSES, config=SamplerConfig(), sde=SDE)[0]
    assert made.square().mean().item() == pytest.approx(1.0, abs=0.1)
    # the frames where a window begins or ends, against all
    for window in windows(N_FRAMES, CONFIG)[1:]:
        assert acceleration_variance(made[window.start - 2 : window.start + 2]) / true_acceleration_variance() < 1.3


@pytest.mark.parametrize("name", SAMPLERS)
def test_clip_of_one_window_is_the_plain_sample_bit_for_bit(name: str) -> None:
    plain = sample(WINDOW, SeededNoise([3]), 250, 4, config=SAMPLERS[name], sde=SDE)
    in_one = sample(blended(in_windows, 250, CONFIG), SeededNoise([3]), 250, 4, config=SAMPLERS[name], sde=SDE)
    assert torch.equal(plain, in_one)


def test_frames_of_one_window_alone_are_as_it_predicts_them() -> None:
    noisy, t = torch.randn(1, 450, 4, generator=torch.Generator().manual_seed(4)), torch.tensor([0.4])
    made = blended(in_windows, 450, CONFIG)(noisy, t)
    assert torch.allclose(made[:, :200], WINDOW(noisy[:, :250], t)[:, :200], atol=1e-6)
    assert torch.allclose(made[:, 250:], WINDOW(noisy[:, 200:], t)[:, 50:], atol=1e-6)
    # at the middle of the overlap both count the same
    both = 0.5 * (WINDOW(noisy[:, :250], t)[:, 224:226] + WINDOW(noisy[:, 200:], t)[:, 24:26])
    assert torch.allclose(made[:, 224:226].mean(1), both.mean(1), atol=2e-3)


def test_each_window_is_bound_once() -> None:
    bound: list[Window] = []

    def binding(window: Window) -> X0Predictor:
        bound.append(window)
        return WINDOW

    sample(blended(binding, N_FRAMES, CONFIG), SeededNoise([0]), N_FRAMES, 2, config=SamplerConfig(), sde=SDE)
    assert tuple(bound) == windows(N_FRAMES, CONFIG)


@pytest.mark.parametrize("n_frames", [5, 249, 250, 251, 450, 451, 600, 649, 650, 651, 5000])
def test_windows_cover_every_frame_and_overlap_enough(n_frames: int) -> None:
    made = windows(n_frames, CONFIG)
    assert made[0].start == 0
    assert made[-1].stop == n_frames
    assert {a.stop - a.start for a in made} == {min(n_frames, 250)}
    assert all(a.stop - b.start >= 50 for a, b in pairwise(made))
    # the fewest: n windows cover 250 + 200 (n - 1) frames
    assert len(made) == max(1, -(-(n_frames - 50) // 200))


def test_context_ends_with_the_clip() -> None:
    first, last = windows(450, CONFIG)
    assert (first.context, first.frames_in_context) == (slice(0, 275), slice(0, 250))
    assert (last.context, last.frames_in_context) == (slice(175, 450), slice(25, 275))


def test_clip_of_less_than_a_fifth_of_a_second_is_refused() -> None:
    with pytest.raises(ValueError, match="4 frames"):
        windows(4, CONFIG)


@pytest.mark.parametrize(
    "fields", [{"overlap_frames": 0}, {"overlap_frames": 250}, {"window_frames": 50}, {"context_frames": -1}]
)
def test_impossible_windows_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="LongAudioConfig"):
        LongAudioConfig(**fields)
