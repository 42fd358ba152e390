"""A film as a generated one is: a still background, before which something round moves."""

import cv2
import numpy as np

from foundation.array_types import RgbImage

__all__ = ["nodding_disc"]


def nodding_disc(n_frames: int) -> list[RgbImage]:
    """Return frames of 128x128 pixels: a wall with texture, a disc with stripes that nods before it, camera noise."""
    rng = np.random.default_rng(3)
    wall = cv2.resize(rng.uniform(60, 180, (24, 24, 3)).astype(np.float32), (128, 128), interpolation=cv2.INTER_CUBIC)
    frames = []
    for number in range(n_frames):
        frame = wall.copy()
        middle = (64 + round(6 * np.sin(number / 9)), 70 + round(4 * np.sin(number / 5)))
        cv2.circle(frame, middle, 30, (200, 160, 140), -1)
        cv2.circle(frame, (middle[0], middle[1] + 12), 4 + number % 5, (90, 30, 40), -1)
        noisy = frame + rng.normal(scale=2.0, size=frame.shape)
        frames.append(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    return frames
