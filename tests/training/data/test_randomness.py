import numpy as np
import pytest
import torch

from training.data.randomness import draw_below, draw_share, permuted, seed_of, torch_generator


def test_the_numbers_are_fixed_for_good() -> None:
    """A change of these would change every run that is resumed; they were computed once by hashlib alone."""
    assert seed_of() == 0xE4A6A0577479B2B4
    assert seed_of(7, "noise", 12) == 0x1A1569A799B575D3


@pytest.mark.parametrize("other", [("a", 11), ("a1", 1), (1, "a", 1), ("a", "11"), ("a", 1), ("a", 1, 1, 0), ("1a", 1)])
def test_lists_of_parts_that_read_alike_have_seeds_of_their_own(other: tuple[int | str, ...]) -> None:
    assert seed_of(*other) != seed_of("a", 1, 1)


def test_a_generator_depends_on_its_parts_alone() -> None:
    torch.manual_seed(1)
    first = torch.randn(3, generator=torch_generator(5, "noise", 2))
    torch.randn(10)
    assert torch.equal(first, torch.randn(3, generator=torch_generator(5, "noise", 2)))
    assert not torch.equal(first, torch.randn(3, generator=torch_generator(5, "noise", 3)))


def test_draws_are_uniform() -> None:
    counts = np.bincount([draw_below(10, "below", k) for k in range(20_000)], minlength=10)
    assert np.square(counts - 2000).sum() / 2000 < 21.7  # chi-squared of 9 degrees, p = 0.01
    shares = np.sort([draw_share("share", k) for k in range(20_000)])
    assert shares[0] >= 0.0
    assert shares[-1] < 1.0
    assert np.abs(shares - (np.arange(20_000) + 0.5) / 20_000).max() < 1.63 / np.sqrt(20_000)  # Kolmogorov, p = 0.01


@pytest.mark.parametrize("n", [1, 2, 3, 11, 64, 65, 1000])
def test_permutation_has_every_number_once(n: int) -> None:
    assert sorted(permuted(np.arange(n), n, 1, "order").tolist()) == list(range(n))


def test_permutation_answers_for_single_places() -> None:
    whole = permuted(np.arange(1000), 1000, 1, "order")
    assert permuted(np.array([17, 3, 999]), 1000, 1, "order").tolist() == whole[[17, 3, 999]].tolist()


def test_all_orders_of_four_come_equally_often() -> None:
    seen: dict[tuple[int, ...], int] = {}
    for seed in range(12_000):
        order = tuple(permuted(np.arange(4), 4, seed, "order").tolist())
        seen[order] = seen.get(order, 0) + 1
    assert len(seen) == 24
    assert sum((count - 500) ** 2 / 500 for count in seen.values()) < 41.6  # chi-squared of 23 degrees, p = 0.01


def test_neighbours_do_not_stay_neighbours() -> None:
    n = 10_000
    order = permuted(np.arange(n), n, 1, "order")
    # 2 (n - 1) / n of the steps of a random order are of length 1 on average
    assert np.count_nonzero(np.abs(np.diff(order)) == 1) < 10
    assert abs(np.corrcoef(np.arange(n), order)[0, 1]) < 0.03
