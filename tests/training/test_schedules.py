import pytest

from training.schedules import constant, inverse_square_root


@pytest.mark.parametrize(
    ("number", "rate"), [(1, 1.25e-8), (4_000, 5e-5), (8_000, 1e-4), (32_000, 5e-5), (128_000, 2.5e-5)]
)
def test_rate_of_the_diffusion_model_by_number_of_the_step(number: int, rate: float) -> None:
    assert inverse_square_root(number - 1, 1e-4, 8_000) == pytest.approx(rate, rel=1e-12)


def test_rate_that_does_not_rise_begins_at_its_highest() -> None:
    rates = [inverse_square_root(number - 1, 1e-4, 8_000, rising=False) for number in (1, 8_000, 32_000)]
    assert rates == pytest.approx([1e-4, 1e-4, 5e-5])


def test_rate_of_the_vae_is_constant() -> None:
    assert {constant(step, 4.5e-6) for step in (0, 1, 1_000, 10**6)} == {4.5e-6}


def test_rate_rises_on_a_line_to_its_constant() -> None:
    assert [constant(step, 3e-4, 1_000) for step in (0, 499, 999, 5_000)] == pytest.approx([3e-7, 1.5e-4, 3e-4, 3e-4])
