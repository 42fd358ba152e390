import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from foundation.errors import UsageError
from training.evaluation.picture_error import psnr, ssim


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Two smooth pictures of 29x41, and the same with noise of two strengths."""
    random = np.random.default_rng(0)
    ramp = np.linspace(30, 220, 41)[None, None, :, None] * np.linspace(0.4, 1.0, 29)[None, :, None, None]
    truth = np.broadcast_to(ramp, (2, 29, 41, 3)) * np.array([1.0, 0.8, 0.6])
    noisy = truth + random.normal(size=truth.shape) * np.array([4.0, 40.0])[:, None, None, None]
    return noisy.clip(0, 255).astype(np.uint8), truth.astype(np.uint8)


def test_psnr_and_ssim_are_those_of_scikit_image(pair: tuple[np.ndarray, np.ndarray]) -> None:
    generated, truth = pair
    by_skimage = [peak_signal_noise_ratio(a, b, data_range=255) for a, b in zip(truth, generated, strict=True)]
    np.testing.assert_allclose(psnr(generated, truth), by_skimage, rtol=1e-9)
    by_skimage = [
        structural_similarity(
            *(a, b), data_range=255, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for a, b in zip(generated, truth, strict=True)
    ]
    np.testing.assert_allclose(ssim(generated, truth), by_skimage, rtol=1e-9)


def test_equal_pictures_are_perfect_and_noise_is_worse_the_stronger_it_is(pair: tuple[np.ndarray, np.ndarray]) -> None:
    generated, truth = pair
    assert psnr(truth, truth).tolist() == [np.inf, np.inf]
    np.testing.assert_allclose(ssim(truth, truth), 1.0)
    weak, strong = ssim(generated, truth)
    assert 0.8 < weak < 1.0
    assert strong < 0.4
    assert np.diff(psnr(generated, truth)) < -15.0


def test_pictures_that_cannot_be_compared_are_refused_with_both_shapes(pair: tuple[np.ndarray, np.ndarray]) -> None:
    _, truth = pair
    with pytest.raises(UsageError, match=r"\(1, 29, 41, 3\) and true ones \(2, 29, 41, 3\)"):
        psnr(truth[:1], truth)
    with pytest.raises(UsageError, match="generated is float64"):
        psnr(truth / 255.0, truth)
    with pytest.raises(UsageError, match="41x10 have no SSIM"):
        ssim(truth[:, :10], truth[:, :10])
