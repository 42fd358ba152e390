"""Statistics of the features of frames, by which LeRobot normalizes them: per episode, and over all episodes."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from foundation.array_types import Float64Array

__all__ = ["FeatureSums", "Statistics", "picture_values", "statistics_of"]

Statistics = Mapping[str, npt.NDArray[np.generic]]
"""`min`, `max`, `mean` and `std`, each of the shape of one frame, and `count`, (1,) frames."""

_STEP_PX = 4
"""Every fourth pixel of a picture is counted, in either direction."""


@dataclass(slots=True)
class FeatureSums:
    """What is known of the episodes so far, of which each has its statistics."""

    known: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    def add(self, own: Statistics) -> None:
        """Take in an episode.

        The mean and variance of two sets follow from those of each (Chan, Golub and LeVeque, 1979).
        """
        if not self.known:
            self.known = dict(own)
            return
        n, m = int(self.known["count"][0]), int(own["count"][0])
        mean, other = self.known["mean"], own["mean"]
        step = other - mean
        variance = (n * self.known["std"] ** 2 + m * own["std"] ** 2) / (n + m) + step**2 * (n * m / (n + m) ** 2)
        self.known = {
            "min": np.minimum(self.known["min"], own["min"]),
            "max": np.maximum(self.known["max"], own["max"]),
            "mean": mean + step * (m / (n + m)),
            "std": np.sqrt(variance),
            "count": np.array([n + m], dtype=np.int64),
        }


def statistics_of(values: npt.NDArray[np.generic], n_frames: int | None = None) -> Statistics:
    """Return the statistics of an episode.

    Args:
        values: (N, ...) one feature of its frames; of one number a frame, (N,).
        n_frames: number of frames that the values are of, where it is not N.

    >>> {name: value.tolist() for name, value in statistics_of(np.array([1.0, 3.0])).items()}
    {'min': [1.0], 'max': [3.0], 'mean': [2.0], 'std': [1.0], 'count': [2]}
    """
    numbers = values.astype(np.float64).reshape(len(values), *(values.shape[1:] or (1,)))
    return {
        "min": numbers.min(axis=0),
        "max": numbers.max(axis=0),
        "mean": numbers.mean(axis=0),
        "std": numbers.std(axis=0),
        "count": np.array([len(values) if n_frames is None else n_frames], dtype=np.int64),
    }


def picture_values(mp4: bytes) -> tuple[Float64Array, int]:
    """Return pixels of the key frames of a video, as LeRobot's statistics take pictures.

    Returns:
        (P, 3, 1, 1) red, green and blue from 0 to 1, and the number of pictures.

    Raises:
        av.FFmpegError: it cannot be decoded.
    """
    pixels = []
    with av.open(io.BytesIO(mp4), mode="r") as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        for frame in container.decode(stream):
            picture = frame.to_ndarray(format="rgb24")[::_STEP_PX, ::_STEP_PX]
            pixels.append(picture.reshape(-1, 3, 1, 1))
    return np.concatenate(pixels).astype(np.float64) / 255.0, len(pixels)
