import numpy as np
import pytest

from curation.rules.jitter import face_step, jitter


def series(centres: list[tuple[float, float]], width: float = 100.0) -> tuple[np.ndarray, np.ndarray]:
    centre = np.array(centres, np.float32)
    points = np.repeat(centre[:, None], 9, axis=1)
    half = np.array([width / 2, width / 2], np.float32)
    return points, np.concatenate([centre - half, centre + half], axis=1)


def test_step_is_the_distance_in_face_widths() -> None:
    points, box = series([(0, 0), (3, 4), (3, 4)])
    step = face_step(points, box, np.zeros(3, np.bool_))
    assert np.isnan(step[0])
    np.testing.assert_allclose(step[1:], [0.05, 0.0], atol=1e-6)


def test_nose_that_moves_within_a_still_rectangle_counts() -> None:
    points, box = series([(0, 0), (0, 0)])
    points[1, 0] = (0, 8)
    assert face_step(points, box, np.zeros(2, np.bool_))[1] == pytest.approx(0.08)


def test_rectangle_that_grows_counts_by_its_edge() -> None:
    points, box = series([(0, 0), (0, 0)])
    box[1] = (-60, -60, 60, 60)  # 100 wide before, 120 now: each edge moved 10 px
    assert face_step(points, box, np.zeros(2, np.bool_))[1] == pytest.approx(0.1)


def test_other_points_than_the_nose_tip_do_not_count() -> None:
    points, box = series([(0, 0), (0, 0)])
    points[1, 5:] = (0, 30)  # the mouth opens
    assert face_step(points, box, np.zeros(2, np.bool_))[1] == 0.0


def test_no_step_is_measured_over_a_break_or_beside_a_missing_face() -> None:
    points, box = series([(0, 0), (50, 0), (50, 0), (50, 0)])
    points[3], box[3] = np.nan, np.nan
    step = face_step(points, box, np.array([False, True, False, False]))
    assert np.isnan(step).tolist() == [True, True, False, True]


def test_a_large_step_drops_both_its_ticks_and_the_guard() -> None:
    step = np.array([np.nan, 0, 0, 0, 0.5, 0, 0, 0], np.float32)  # between ticks 3 and 4
    verdict = jitter(step, np.zeros(8, np.bool_), 0.12, guard_ticks=1)
    assert verdict.failed.tolist() == [False, False, True, True, True, True, False, False]
    assert verdict.value[2] == pytest.approx(0.5)


def test_without_a_guard_only_the_ticks_of_the_step_are_dropped() -> None:
    step = np.array([np.nan, 0, 0, 0.5, 0], np.float32)
    assert jitter(step, np.zeros(5, np.bool_), 0.12, 0).failed.tolist() == [False, False, True, True, False]


def test_the_guard_does_not_reach_into_another_shot() -> None:
    step = np.array([np.nan, 0, 0.5, np.nan, 0, 0], np.float32)
    breaks = np.array([False, False, False, True, False, False])
    assert jitter(step, breaks, 0.12, 3).failed.tolist() == [True, True, True, False, False, False]


def test_a_step_at_the_limit_passes() -> None:
    step = np.array([np.nan, 0.125], np.float32)
    assert not jitter(step, np.zeros(2, np.bool_), 0.125, 0).failed.any()
