import numpy as np
import pytest

from curation.media.packets.frame_times import _is_near


@pytest.mark.parametrize("distance_s", [0.0, -0.08, 3000.0, -1e6])
def test_frames_that_are_all_as_far_from_their_decoding_are_sound(distance_s: float) -> None:
    times_s = np.arange(50) / 25
    assert _is_near(times_s, times_s - distance_s).all()


def test_of_frames_with_one_distance_the_one_that_is_elsewhere_is_damaged() -> None:
    times_s = np.arange(50) / 25
    decoded_s = times_s - 500.0
    times_s[20] += 3600.0
    assert np.flatnonzero(~_is_near(times_s, decoded_s)).tolist() == [20]


def test_where_no_frame_is_near_its_decoding_all_count() -> None:
    assert _is_near(np.array([0.0, 5592.8]), np.array([-372.8, -372.4])).all()
