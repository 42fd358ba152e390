import numpy as np
import pytest

from training.ratings.rater_agreement import krippendorff_alpha

PUBLISHED = """\
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 ."""
"""Example of Krippendorff (2011), section D: four observers, twelve units, one of them with a single value."""


def test_the_published_example_has_its_published_value() -> None:
    rows = [[float(value.replace(".", "nan")) for value in line.split()] for line in PUBLISHED.splitlines()]
    assert krippendorff_alpha(np.array(rows)) == pytest.approx(0.849, abs=5e-4)


def test_raters_who_contradict_each_other_are_below_chance() -> None:
    # observed: 2 and 2, over 4 grades, 1; expected: 8 ordered pairs of 12 differ by 1, 2/3; 1 - 3/2
    assert krippendorff_alpha(np.array([[1.0, 2.0], [2.0, 1.0]])) == pytest.approx(-0.5)


def test_raters_who_guess_agree_as_chance_does() -> None:
    guesses = np.random.default_rng(0).integers(1, 6, size=(10, 400)).astype(np.float64)
    assert abs(krippendorff_alpha(guesses)) < 0.02


@pytest.mark.parametrize(
    "grades", [[[3.0, 3.0], [3.0, 3.0]], [[1.0, np.nan], [np.nan, 2.0]]], ids=["all alike", "no pair"]
)
def test_without_a_difference_or_a_pair_there_is_no_value(grades: list[list[float]]) -> None:
    assert np.isnan(krippendorff_alpha(np.array(grades)))
