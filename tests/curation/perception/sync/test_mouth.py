import numpy as np
import pytest

from curation.perception.sync.mouth import deviations, mouth_lengths, mouth_measures
from foundation.array_types import Float32Array


def _face(n_ticks: int, opening_px: float = 0.0) -> Float32Array:
    """Landmarks of an upright face whose nose is 50 px long; points that no measure takes are at the origin."""
    points = np.zeros((n_ticks, 478, 2), dtype=np.float32)
    points[:, [33, 133]] = (80, 100), (100, 100)
    points[:, [362, 263]] = (140, 100), (160, 100)
    points[:, 168], points[:, 2], points[:, 152] = (120, 90), (120, 140), (120, 200)
    points[:, 13], points[:, 14] = (120, 160), (120, 160 + opening_px)
    points[:, 61], points[:, 291] = (100, 161), (140, 163)
    return points


def test_lengths_are_in_nose_lengths_along_the_axes_of_the_eyes() -> None:
    blendshapes = np.zeros((1, 52), dtype=np.float32)
    blendshapes[0, 25], blendshapes[0, [28, 29]] = 0.5, (0.25, 0.75)
    lengths = mouth_lengths(_face(1, opening_px=10.0), blendshapes)[0]
    assert lengths.shape == (26,)
    assert lengths[0] == pytest.approx(10 / 50)  # inner lips
    assert lengths[8] == pytest.approx(60 / 50)  # nose to chin
    assert lengths[9] == pytest.approx(40 / 50)  # corner to corner, along the eyes
    assert lengths[11] == pytest.approx(22 / 50)  # corners under the nose, on average
    assert lengths[12] == 0.5  # jawOpen
    assert lengths[14] == 0.5  # the mean of both dimples


def test_lengths_do_not_depend_on_place_size_and_roll() -> None:
    rng = np.random.default_rng(0)
    points = _face(20) + rng.standard_normal((20, 478, 2)).astype(np.float32)
    turn = np.array([[np.cos(0.6), np.sin(0.6)], [-np.sin(0.6), np.cos(0.6)]], dtype=np.float32)
    moved = (points @ turn) * np.float32(2.5) + np.float32(300.0)
    blendshapes = np.zeros((20, 52), dtype=np.float32)
    np.testing.assert_allclose(mouth_lengths(moved, blendshapes), mouth_lengths(points, blendshapes), atol=1e-4)


def test_a_slow_course_is_no_deviation_and_a_quick_one_is() -> None:
    ticks = np.arange(200)
    steady = np.full((200, 26), 3.0)
    np.testing.assert_allclose(deviations(steady), 0.0, atol=1e-12)
    quick = steady + np.sin(2 * np.pi * ticks / 8)[:, None]  # 3 Hz
    slow = steady + np.sin(2 * np.pi * ticks / 500)[:, None]
    assert np.abs(deviations(quick))[20:-20].max() > 0.8
    assert np.abs(deviations(slow))[50:-50].max() < 0.03


def test_measures_are_in_units_of_their_own_spread_and_the_usual_one() -> None:
    ticks = np.arange(200)
    lengths = np.tile(0.1 * np.sin(2 * np.pi * ticks / 8)[:, None], (1, 26))
    usual = np.full(26, 0.4, dtype=np.float32)
    measures = mouth_measures(lengths, usual)
    motion = deviations(lengths)
    assert measures.shape == (200, 52)
    np.testing.assert_allclose(measures[:, :26], motion / (motion.std(axis=0) + 0.1), rtol=1e-5)
    np.testing.assert_allclose(measures[1:-1, 26:], (measures[2:, :26] - measures[:-2, :26]) / 2, atol=1e-5)
