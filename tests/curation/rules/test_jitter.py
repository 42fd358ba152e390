import numpy as np
import pytest

from curation.rules.jitter import JitterSettings, face_moves, jitter, steady, step_of


def series(centres: list[tuple[float, float]], width: float = 100.0) -> tuple[np.ndarray, np.ndarray]:
    centre = np.array(centres, np.float32)
    points = np.repeat(centre[:, None], 9, axis=1)
    half = np.array([width / 2, width / 2], np.float32)
    return points, np.concatenate([centre - half, centre + half], axis=1)


def face_step(points: np.ndarray, box: np.ndarray, breaks: np.ndarray) -> np.ndarray:
    return step_of(face_moves(points, box, breaks))


def guarded(n: int) -> JitterSettings:
    return JitterSettings(guard_ticks=n)


def failed(places: list[float], limit: float = 0.12) -> list[int]:
    """Return the ticks that fail, without a guard, where the face stands at these places, in face widths."""
    points, box = series([(100.0 * place, 0.0) for place in places])
    motion = face_moves(points, box, np.zeros(len(places), np.bool_))
    is_steady = steady(motion, limit, JitterSettings().min_steadiness)
    verdict = jitter(step_of(motion), is_steady, np.zeros(len(places), np.bool_), limit, guarded(0))
    return np.flatnonzero(verdict.failed).tolist()


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
    verdict = jitter(step, np.zeros(8, np.bool_), np.zeros(8, np.bool_), 0.12, guarded(1))
    assert verdict.failed.tolist() == [False, False, True, True, True, True, False, False]
    assert verdict.value[2] == pytest.approx(0.5)


def test_without_a_guard_only_the_ticks_of_the_step_are_dropped() -> None:
    step = np.array([np.nan, 0, 0, 0.5, 0], np.float32)
    none = np.zeros(5, np.bool_)
    assert jitter(step, none, none, 0.12, guarded(0)).failed.tolist() == [False, False, True, True, False]


def test_the_guard_does_not_reach_into_another_shot() -> None:
    step = np.array([np.nan, 0, 0.5, np.nan, 0, 0], np.float32)
    breaks = np.array([False, False, False, True, False, False])
    none = np.zeros(6, np.bool_)
    assert jitter(step, none, breaks, 0.12, guarded(3)).failed.tolist() == [True, True, True, False, False, False]


def test_a_step_at_the_limit_passes() -> None:
    step = np.array([np.nan, 0.125], np.float32)
    none = np.zeros(2, np.bool_)
    assert not jitter(step, none, none, 0.125, guarded(0)).failed.any()


def test_a_quick_nod_and_a_quick_turn_pass() -> None:
    # steps of 0.02, 0.05, 0.09, 0.127, 0.1, 0.06, 0.02 and back: a nod; of up to 0.195: a turn of the head
    nod = np.cumsum([0, 0.02, 0.05, 0.09, 0.127, 0.1, 0.06, 0.02, -0.03, -0.08, -0.11, -0.127, -0.09, -0.03])
    turn = np.cumsum([0, 0.03, 0.07, 0.155, 0.195, 0.17, 0.1, 0.04, 0.01])
    assert failed(nod.tolist()) == []
    assert failed(turn.tolist()) == []


def test_a_shake_of_the_same_steps_is_dropped() -> None:
    shake = np.cumsum([0, 0.127, -0.127, 0.127, -0.127, 0.127, -0.127])
    assert failed(shake.tolist()) == list(range(7))


def test_a_jump_that_stands_alone_is_dropped() -> None:
    assert failed([0, 0.01, 0.02, 0.15, 0.16, 0.17]) == [2, 3]


def test_a_face_that_is_elsewhere_on_a_single_tick_is_dropped() -> None:
    assert failed([0, 0, 0.01, 0.16, 0.01, 0, 0]) == [2, 3, 4]


def test_a_step_that_skips_a_source_frame_is_part_of_the_motion_around_it() -> None:
    # 30 frames a second: of six equal movements every fifth tick has two
    assert failed(np.cumsum([0, 0.07, 0.07, 0.14, 0.07, 0.07, 0.07, 0.07, 0.14, 0.07]).tolist()) == []


def test_a_steady_motion_of_a_source_of_15_frames_a_second_passes_and_a_jump_in_it_does_not() -> None:
    assert failed(np.cumsum([0, 0.13, 0, 0.13, 0.13, 0, 0.13, 0, 0.13, 0.13]).tolist()) == []
    assert failed(np.cumsum([0, 0.01, 0, 0.01, 0.01, 0, 0.2, 0, 0.01, 0.01]).tolist()) == [5, 6]


def test_a_jump_after_a_long_stop_is_no_frame_of_a_slow_source() -> None:
    assert failed([0.0] * 20 + [0.15] * 20) == [19, 20]


def test_a_steady_motion_faster_than_twice_the_limit_is_dropped() -> None:
    fast = np.cumsum([0, 0.1, 0.2, 0.25, 0.2, 0.1])
    assert failed(fast.tolist()) == [2, 3]
    assert failed(fast.tolist(), limit=0.16) == []


def test_a_step_at_the_end_of_a_run_has_one_neighbour() -> None:
    points, box = series([(0, 0), (10, 0), (25, 0), (40, 0), (400, 0)])
    breaks = np.array([False, False, False, False, True])
    motion = face_moves(points, box, breaks)
    assert steady(motion, 0.12, 0.25).tolist() == [True] * 5
    points, box = series([(0, 0), (15, 0), (400, 0)])
    assert steady(face_moves(points, box, np.array([False, False, True])), 0.12, 0.25).tolist() == [True, False, True]


def test_the_value_is_the_largest_step_whether_steady_or_not() -> None:
    points, box = series([(0, 0), (10, 0), (25, 0), (40, 0)])
    motion = face_moves(points, box, np.zeros(4, np.bool_))
    verdict = jitter(step_of(motion), np.ones(4, np.bool_), np.zeros(4, np.bool_), 0.12, guarded(0))
    np.testing.assert_allclose(verdict.value, [0.1, 0.15, 0.15, 0.15], atol=1e-6)
    assert not verdict.failed.any()
