"""Head pose angles from a rotation matrix, with the signs of `FaceObservation.pose_deg`."""

import numpy as np

from foundation.array_types import Float32Array, Float64Array

__all__ = ["pose_from_rotation"]


def pose_from_rotation(rotation: Float64Array) -> Float32Array:
    """Return pitch, yaw and roll in degrees of a head that `rotation` turns away from looking into the camera.

    The head nods first (pitch), then turns (yaw), then tilts in the image plane (roll), so that turning the image
    changes the roll and nothing else. In matrices: Rz(-roll) Ry(yaw) Rx(-pitch).

    Args:
        rotation: (3, 3) rotation; x points right in the image, y up, z from the head to the camera.

    Returns:
        (3,) pitch > 0 looks up, yaw > 0 turns the nose towards the right border, roll > 0 tilts clockwise as seen.

    >>> c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    >>> pose_from_rotation(np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])).round(3).tolist()
    [0.0, 20.0, 0.0]
    """
    pitch = -np.arctan2(rotation[2, 1], rotation[2, 2])
    yaw = np.arctan2(-rotation[2, 0], np.hypot(rotation[0, 0], rotation[1, 0]))
    roll = -np.arctan2(rotation[1, 0], rotation[0, 0])
    return (np.degrees([pitch, yaw, roll]) + 0.0).astype(np.float32)
