import numpy as np
import pytest

from curation.media.packets.clocks import separate_clocks


def times(*stretches: tuple[float, float]) -> np.ndarray:
    """Decoding times of frames at 25 per second, in stretches from one time to another."""
    return np.concatenate([np.arange(start, end, 0.04) for start, end in stretches])


def lengths(times_s: np.ndarray, heard: tuple[int, ...] = ()) -> tuple[list[int], int]:
    """Frames that follow each clock, and frames with damaged stamps."""
    clocks = separate_clocks(times_s, heard)
    kept = np.concatenate([*clocks.runs, clocks.damaged])
    assert sorted(kept.tolist()) == list(range(len(times_s)))
    return [len(run) for run in clocks.runs], len(clocks.damaged)


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        ([(0, 8)], ([200], 0)),
        ([(0, 8), (0, 8)], ([200, 200], 0)),
        ([(100, 108), (0, 8), (50, 58)], ([200, 400], 0)),  # 42 s without a frame are a hole
        ([(0, 8), (20_000, 20_008)], ([200, 200], 0)),
        ([(0, 8), (98, 106)], ([400], 0)),  # a slide
        ([(0, 8), (1500, 1508), (3000, 3008)], ([600], 0)),
        ([(0, 8), (2000, 2008), (4000, 4008)], ([400, 200], 0)),  # more than an hour without sound and frames
    ],
)
def test_a_clock_that_goes_back_or_leaps_by_an_hour_is_another(
    stretches: list[tuple[float, float]], expected: tuple[list[int], int]
) -> None:
    assert lengths(times(*stretches)) == expected


def test_a_frame_may_be_held_for_hours_where_audio_goes_on() -> None:
    assert lengths(np.array([0.0, 7200.0, 14_400.0]), heard=(0, 1)) == ([3], 0)


@pytest.mark.parametrize("wrong_s", [-3600.0, -5.0, 30.0, 7200.0, 95_443.0])
def test_one_wrong_stamp_is_damage(wrong_s: float) -> None:
    times_s = times((10_000, 10_008))
    times_s[100] += wrong_s
    assert lengths(times_s) == ([199], 1)


@pytest.mark.parametrize("wrong_s", [-32.0, -2.0, 16.0, 3.0, 7200.0])
def test_a_second_of_wrong_stamps_between_frames_that_go_on_is_damage(wrong_s: float) -> None:
    times_s = times((1000, 1008))
    times_s[100:125] += wrong_s
    assert lengths(times_s) == ([175], 25)


@pytest.mark.parametrize(("place", "kept"), [(0, slice(1, None)), (-1, slice(0, -1))])
def test_a_lone_frame_hours_off_at_an_end_is_damage(place: int, kept: slice) -> None:
    times_s = times((10_000, 10_002))
    times_s[place] += 7200 if place else -7200
    clocks = separate_clocks(times_s, ())
    assert [run.tolist() for run in clocks.runs] == [list(range(50))[kept]]


def test_of_frames_that_are_all_far_apart_the_first_are_the_video() -> None:
    assert lengths(np.array([0.0, 7200.0, 14_400.0])) == ([1], 2)
