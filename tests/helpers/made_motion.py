"""Evidence of a talking head that moves at random, and of copies of it, as the table `frames` has it."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.ndimage import gaussian_filter1d

from manifests.schema.frames import FRAMES

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Motion:
    """What a video shows and sounds like on each of T ticks."""

    points: Floats
    """(T, 9, 2) source pixels."""
    pose: Floats
    """(T, 3) degrees."""
    lips: Floats
    loudness: Floats
    """dBFS."""

    def __len__(self) -> int:
        return len(self.lips)

    def part(self, first: int, end: int) -> "Motion":
        return Motion(self.points[first:end], self.pose[first:end], self.lips[first:end], self.loudness[first:end])

    def faster(self, speed: float) -> "Motion":
        """Return it at another speed, resampled to the ticks."""
        ticks = np.arange(int((len(self) - 1) / speed) + 1) * speed

        def resampled(values: Floats) -> Floats:
            flat = values.reshape(len(values), -1)
            columns = [np.interp(ticks, np.arange(len(values)), column) for column in flat.T]
            return np.stack(columns, axis=1).reshape(len(ticks), *values.shape[1:])

        return Motion(*(resampled(values) for values in (self.points, self.pose, self.lips, self.loudness)))

    def mirrored(self) -> "Motion":
        """Return it in a mirrored picture of 640 pixels: left and right change places, yaw and roll their signs."""
        points = self.points[:, [0, 3, 4, 1, 2, 6, 5, 7, 8]] * [-1.0, 1.0] + [640.0, 0.0]
        return replace(self, points=points, pose=self.pose * [1.0, -1.0, -1.0])

    def cropped(self) -> "Motion":
        """Return it without a twentieth of the picture at each side, scaled to the size that it had."""
        return replace(self, points=(self.points - [32.0, 18.0]) / 0.9)

    def encoded(self, seed: int) -> "Motion":
        """Return it with the errors of another measurement of another encoding: 0.2 pixels, 0.3 degrees, 0.2 dB."""
        random = np.random.default_rng(seed)

        def noise(like: Floats, size: float) -> Floats:
            return random.normal(0.0, size, like.shape)

        return Motion(
            self.points + noise(self.points[:, :1], 0.2),
            self.pose + noise(self.pose, 0.3),
            self.lips + noise(self.lips, 0.005),
            self.loudness + noise(self.loudness, 0.2) - 3.0,
        )

    def frames(self) -> pa.Table:
        """Return rows of the table `frames`, with the columns that tell how somebody moves and sounds."""
        low, high = self.points.min(axis=1).mean(axis=0), self.points.max(axis=1).mean(axis=0)
        box = np.concatenate([np.broadcast_to(corner, (len(self), 2)) for corner in (low, high)], axis=1)
        values = {
            "track_id": [0] * len(self),
            "box": box.tolist(),
            "key_points": self.points.tolist(),
            "pose_deg": self.pose.tolist(),
            "lip_aperture": self.lips,
            "speech_prob": [0.9] * len(self),
            "loudness_dbfs": self.loudness,
        }
        return pa.table({name: pa.array(column, FRAMES.column(name).type) for name, column in values.items()})


def made_motion(seed: int, n_ticks: int = 250) -> Motion:
    """Return how somebody moves and speaks; other seeds are other recordings."""
    random = np.random.default_rng(seed)

    def wandering(deviation: float, *shape: int) -> Floats:
        values = gaussian_filter1d(random.normal(size=(n_ticks + 200, *shape)), 4.0, axis=0)[100:-100]
        return values / values.std(axis=0) * deviation

    face = np.array([[0, 0], [-20, -20], [-8, -20], [8, -20], [20, -20], [-12, 20], [12, 20], [0, 18], [0, 24]])
    return Motion(
        points=face * 2.0 + [320.0, 180.0] + wandering(6.0, 1, 2),
        pose=wandering(4.0, 3),
        lips=np.abs(wandering(0.06)),
        loudness=-30.0 + wandering(9.0),
    )
