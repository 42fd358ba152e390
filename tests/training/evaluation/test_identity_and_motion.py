import numpy as np
import pytest

from foundation.errors import UsageError
from training.evaluation.identity_similarity import identity_similarity
from training.evaluation.motion_diversity import motion_spread, sample_diversity


def test_the_same_person_has_1_and_swapped_people_the_cosine_of_their_descriptors() -> None:
    one, other = np.array([[3.0, 4.0]], np.float32), np.array([[8.0, -6.0]], np.float32)
    assert identity_similarity(2.0 * one, one).mean == pytest.approx(1.0)
    assert identity_similarity(one, other).mean == pytest.approx(0.0)
    frames = np.concatenate([one, other, -one])
    # with one reference: 1, 0 and -1
    assert identity_similarity(frames, one).mean == pytest.approx(0.0)
    assert identity_similarity(frames, frames).mean == pytest.approx(1.0)


def test_frames_without_a_descriptor_are_counted_and_not_in_the_mean() -> None:
    frames = np.array([[1.0, 0.0], [np.nan, np.nan], [0.0, 0.0]], np.float32)
    found = identity_similarity(frames, frames[:1])
    assert (found.mean, found.n_frames, found.n_missing) == (1.0, 1, 2)


def test_descriptors_of_two_networks_are_not_compared() -> None:
    with pytest.raises(UsageError, match=r"\(3, 128\) and \(3, 512\)"):
        identity_similarity(np.ones((3, 128), np.float32), np.ones((3, 512), np.float32))
    with pytest.raises(UsageError, match=r"\(3, 128\) and \(2, 128\)"):
        identity_similarity(np.ones((3, 128), np.float32), np.ones((2, 128), np.float32))


def test_the_spread_of_motion_is_0_at_rest_and_by_hand_otherwise() -> None:
    assert motion_spread(np.full((5, 3), 7.0, np.float32)) == 0.0
    # yaw of 0 and 4 degrees has a deviation of 2, pitch one of 0, roll of 0 and 2 one of 1
    turns = np.array([[0.0, 9.0, 2.0], [4.0, 9.0, 0.0], [np.nan, 9.0, 0.0]], np.float32)
    assert motion_spread(turns) == pytest.approx(1.0)
    assert motion_spread(turns[1:]) is None
    with pytest.raises(UsageError, match=r"shape \(5,\)"):
        motion_spread(np.zeros(5, np.float32))


def test_equal_samples_have_no_diversity_and_others_the_mean_distance_of_pairs() -> None:
    base = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    assert sample_diversity(np.stack([base, base, base])) == 0.0
    # 0, 1 and 4 everywhere: pairs are 1, 4 and 3 apart
    apart = np.stack([base, base + 1.0, base + 4.0])
    assert sample_diversity(apart) == pytest.approx(8.0 / 3.0, rel=1e-6)
    with pytest.raises(UsageError, match="at least two samples"):
        sample_diversity(base[None])
    with pytest.raises(UsageError, match="not finite"):
        sample_diversity(np.full((2, 6, 4), np.nan, np.float32))
