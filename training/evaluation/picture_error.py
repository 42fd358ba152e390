"""PSNR and SSIM of pictures against the true ones.

PSNR = 10 log10(255^2 / MSE), with the mean over pixels and channels of a picture; infinite for equal pictures.

SSIM (Wang, Bovik, Sheikh and Simoncelli, 2004, equation 13) of two windows x and y is
(2 m_x m_y + C1) (2 s_xy + C2) / ((m_x^2 + m_y^2 + C1) (s_x^2 + s_y^2 + C2)), with means m, variances s^2 and the
covariance s_xy under a Gaussian of 11x11 pixels and a deviation of 1.5, C1 = (0.01 * 255)^2, C2 = (0.03 * 255)^2. The
paper takes it of grey pictures; here it is the mean over red, green and blue, and over all windows inside the picture.
It is scikit-image's ``structural_similarity(..., gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
channel_axis=-1, data_range=255)``; with its other defaults, which some publications use, windows are flat squares of
7x7 pixels and the numbers differ.

Shapes: T pictures, H rows, W columns, 3 channels.
"""

import numpy as np

from foundation.array_types import Float64Array, UInt8Array
from foundation.errors import UsageError

__all__ = ["psnr", "ssim"]

_WHITE = 255.0

_DEVIATION_PX = 1.5

_REACH_PX = 5
"""Pixels of a window on either side of its middle."""

_C1, _C2 = (0.01 * _WHITE) ** 2, (0.03 * _WHITE) ** 2


def psnr(generated_THW3: UInt8Array, truth_THW3: UInt8Array) -> Float64Array:
    """Return the (T,) peak signal-to-noise ratios, dB; infinite for equal pictures.

    Raises:
        UsageError: the arrays are no pictures, or differ in shape.

    >>> psnr(np.full((1, 2, 2, 3), 10, np.uint8), np.full((1, 2, 2, 3), 9, np.uint8)).round(2)
    array([48.13])
    """
    _check_pair(generated_THW3, truth_THW3)
    mse_T = [
        float(np.mean((generated.astype(np.float64) - truth) ** 2))
        for generated, truth in zip(generated_THW3, truth_THW3, strict=True)
    ]
    with np.errstate(divide="ignore"):
        decibels_T: Float64Array = 10.0 * np.log10(_WHITE**2 / np.array(mse_T))
    return decibels_T


def ssim(generated_THW3: UInt8Array, truth_THW3: UInt8Array) -> Float64Array:
    """Return the (T,) structural similarities, 1 for equal pictures.

    Raises:
        UsageError: the arrays are no pictures, differ in shape, or are smaller than a window of 11x11 pixels.
    """
    _check_pair(generated_THW3, truth_THW3)
    if min(generated_THW3.shape[1:3]) <= 2 * _REACH_PX:
        height, width = generated_THW3.shape[1:3]
        raise UsageError(f"pictures of {width}x{height} have no SSIM: give pictures of at least 11x11 pixels")
    return np.array([_ssim_of(*pair) for pair in zip(generated_THW3, truth_THW3, strict=True)], np.float64)


def _check_pair(generated_THW3: UInt8Array, truth_THW3: UInt8Array) -> None:
    for name, pictures in (("generated", generated_THW3), ("truth", truth_THW3)):
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] != 3:
            raise UsageError(
                f"{name} is {pictures.dtype} of shape {pictures.shape}; give (T, H, W, 3) pictures of 8 bits, RGB"
            )
    if generated_THW3.shape != truth_THW3.shape:
        raise UsageError(
            f"generated pictures have the shape {generated_THW3.shape} and true ones {truth_THW3.shape}; "
            "give as many, of one size"
        )


def _ssim_of(generated_HW3: UInt8Array, truth_HW3: UInt8Array) -> float:
    x, y = generated_HW3.astype(np.float64), truth_HW3.astype(np.float64)
    mean_x, mean_y = _windowed(x), _windowed(y)
    variance_x = _windowed(x * x) - mean_x**2
    variance_y = _windowed(y * y) - mean_y**2
    covariance = _windowed(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    return float(np.mean(likeness / ((mean_x**2 + mean_y**2 + _C1) * (variance_x + variance_y + _C2))))


def _windowed(picture_HW3: Float64Array) -> Float64Array:
    """Return (H - 10, W - 10, 3) means under the Gaussian."""
    weights = np.exp(-0.5 * (np.arange(-_REACH_PX, _REACH_PX + 1) / _DEVIATION_PX) ** 2)
    weights /= weights.sum()
    height, width = picture_HW3.shape[0] - 2 * _REACH_PX, picture_HW3.shape[1] - 2 * _REACH_PX
    rows = sum(weight * picture_HW3[k : k + height] for k, weight in enumerate(weights))
    means: Float64Array = sum(weight * rows[:, k : k + width] for k, weight in enumerate(weights))
    return means
