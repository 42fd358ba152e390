import numpy as np
import pytest
import scipy.linalg

from foundation.array_types import Float32Array
from foundation.errors import UsageError
from training.evaluation.frechet import feature_moments, fid_with_interval, frechet_distance, merged_moments


def _sample(n: int, seed: int, *, shift: float = 0.0) -> Float32Array:
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(9).normal(size=(6, 6))
    return (random.normal(size=(n, 6)) @ mixing + shift).astype(np.float32)


def test_moments_of_batches_are_those_of_all_pictures() -> None:
    features = _sample(50, 0) + 1000.0
    first, *others = (feature_moments(batch) for batch in np.split(features, [1, 20, 33]))
    merged = first
    for other in others:
        merged = merged_moments(merged, other)
    assert merged.n == 50
    np.testing.assert_allclose(merged.mean_D, features.astype(np.float64).mean(0), rtol=1e-12)
    np.testing.assert_allclose(merged.scatter_DD / 49, np.cov(features.astype(np.float64), rowvar=False), rtol=1e-9)


def test_the_distance_is_that_of_the_published_formula() -> None:
    ours, theirs = _sample(80, 0), 1.5 * _sample(60, 1, shift=0.7)
    covariances = [np.cov(side.astype(np.float64), rowvar=False) for side in (ours, theirs)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    means = ours.astype(np.float64).mean(0) - theirs.astype(np.float64).mean(0)
    expected = means @ means + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(feature_moments(ours), feature_moments(theirs)) == pytest.approx(expected, rel=1e-6)


def test_equal_sets_have_0_and_a_shift_its_squared_length_also_with_fewer_pictures_than_features() -> None:
    few = _sample(4, 0)
    assert frechet_distance(feature_moments(few), feature_moments(few)) == pytest.approx(0.0, abs=1e-5)
    moved = feature_moments(few + np.float32(2.0))
    assert frechet_distance(feature_moments(few), moved) == pytest.approx(6 * 4.0, rel=1e-5)


def test_one_distribution_lies_in_the_interval_corrected_for_bias_and_another_far_from_it() -> None:
    videos = [_sample(20, seed) for seed in range(60)]
    same = fid_with_interval(videos[:30], videos[30:], seed=0)
    assert (same.n_generated, same.n_true) == (600, 600)
    assert 0.0 == same.low < same.fid < same.high
    assert 0.0 < same.bias < 5 * same.fid
    moved = fid_with_interval([video + np.float32(2.0) for video in videos[:30]], videos[30:], seed=0)
    assert moved.low > 10 * same.high
    assert moved.low < 24.0 < moved.high
    assert moved == fid_with_interval([video + np.float32(2.0) for video in videos[:30]], videos[30:], seed=0)


def test_fewer_pictures_have_a_larger_distance_of_one_distribution() -> None:
    small, large = (
        frechet_distance(feature_moments(_sample(n, 0)), feature_moments(_sample(n, 1))) for n in (20, 2000)
    )
    assert small > 20 * large


def test_frames_of_one_video_count_as_one_draw() -> None:
    """30 equal pictures a video tell no more than one: the interval is that of the videos."""
    single = [_sample(1, seed) for seed in range(40)]
    repeated = [np.repeat(video, 30, axis=0) for video in single]
    wide = fid_with_interval(repeated[:20], repeated[20:], seed=3)
    pictures = [row[None] for video in repeated for row in video]
    of_pictures = fid_with_interval(pictures[:600], pictures[600:], seed=3, replicates=8)
    assert wide.high - wide.low > 2 * (of_pictures.high - of_pictures.low)


def test_features_without_a_covariance_or_of_two_networks_are_refused() -> None:
    many = feature_moments(_sample(9, 0))
    with pytest.raises(UsageError, match="at least two pictures"):
        frechet_distance(feature_moments(_sample(1, 0)), many)
    with pytest.raises(UsageError, match="of 5 and of 6 numbers"):
        frechet_distance(feature_moments(_sample(9, 0)[:, :5]), many)
    with pytest.raises(UsageError, match="not finite"):
        feature_moments(np.array([[np.nan]], np.float32))
    with pytest.raises(UsageError, match=r"shape \(0, 6\)"):
        feature_moments(_sample(9, 0)[:0])
    with pytest.raises(UsageError, match="1 generated and 2 true videos"):
        fid_with_interval([_sample(9, 0)], [_sample(9, 0)] * 2, seed=0)
