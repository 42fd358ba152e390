import numpy as np
import pytest

from foundation.array_types import Float32Array
from foundation.errors import UsageError
from manifests.landmarks import landmark_scheme
from training.evaluation.motion_stability import motion_stability

SCHEME = landmark_scheme("ibug68")
RIGHT, LEFT = 48, 54
"""Corners of the mouth, which are two of its 20 points."""


def _mouth(n_frames: int) -> Float32Array:
    """A face whose mouth is 64 pixels wide, so that nothing is scaled; at rest."""
    face = np.zeros((n_frames, 68, 2), np.float32)
    face[:, RIGHT, 0], face[:, LEFT, 0] = -32.0, 32.0
    return face


def _by_steps(landmarks: Float32Array) -> float:
    """The steps of the definition one by one, for a stretch without gaps."""
    corners = [np.hypot(*(frame[RIGHT] - frame[LEFT])) for frame in landmarks[:10]]
    factor = 64.0 / (sum(corners) / len(corners))
    windows = []
    for begin in range(0, len(landmarks) - 2, 6):
        values = []
        for point in range(48, 68):
            for axis in (0, 1):
                x = factor * landmarks[:, point, axis].astype(float)
                a = [x[t + 2] - 2 * x[t + 1] + x[t] for t in range(len(x) - 2)][begin : begin + 12]
                mean = sum(a) / len(a)
                values.append(1.0 / (sum((one - mean) ** 2 for one in a) / len(a) + 0.5))
        windows.append(sum(values) / len(values))
    return sum(windows) / len(windows)


def test_a_mouth_at_rest_or_in_even_motion_has_2() -> None:
    still = _mouth(30)
    assert motion_stability(still, SCHEME).msi == 2.0
    drift = still + 3.0 * np.arange(30, dtype=np.float32)[:, None, None]
    assert motion_stability(drift, SCHEME).msi == pytest.approx(2.0, abs=1e-6)


def test_one_point_that_jumps_up_and_down_by_a_pixel_by_hand() -> None:
    """Its accelerations are 2 and -2 in turn, variance 4: 1 of 40 coordinates has 1 / 4.5 in place of 2."""
    face = _mouth(14)
    face[1::2, 60, 1] = 1.0
    # 12 accelerations: the window of all, and that of the last 6, have equally many of both
    assert motion_stability(face, SCHEME).msi == pytest.approx((39 * 2.0 + 1 / 4.5) / 40, abs=1e-6)


def test_the_index_is_that_of_the_definition_and_falls_with_jitter() -> None:
    random = np.random.default_rng(0)
    waves = 4.0 * np.sin(0.3 * np.arange(40)[:, None, None] + np.arange(68)[None, :, None])
    smooth = 2.0 * (_mouth(40) + waves).astype(np.float32)
    shaky = smooth + random.normal(size=smooth.shape).astype(np.float32)
    found = [motion_stability(face, SCHEME).msi for face in (smooth, shaky)]
    assert found == pytest.approx([_by_steps(smooth), _by_steps(shaky)], rel=1e-6)
    assert found[0] is not None
    assert found[1] is not None
    assert found[0] > 1.5 > found[1]
    assert motion_stability(3.0 * shaky, SCHEME).msi == pytest.approx(found[1]), "nearer to the camera"


def test_a_frame_without_a_face_ends_a_stretch_and_short_stretches_are_told() -> None:
    face = _mouth(40)
    face[1:14:2, 60, 1] = 1.0
    face[14] = face[35] = np.nan
    # 14 frames with jitter (2 windows), 20 frames at rest (18 accelerations: 3 windows), 4 frames that are too short
    found = motion_stability(face, SCHEME)
    shaky = (39 * 2.0 + 1 / 4.5) / 40
    assert found.msi == pytest.approx((2 * shaky + 3 * 2.0) / 5, abs=1e-6)
    assert (found.n_frames, found.n_missing) == (34, 6)
    short = motion_stability(_mouth(13), SCHEME)
    assert (short.msi, short.n_frames, short.n_missing) == (None, 0, 13)


def test_what_is_no_face_is_refused() -> None:
    with pytest.raises(UsageError, match=r"of the scheme ibug68 it is \(T, 68, 2\)"):
        motion_stability(np.zeros((20, 478, 2), np.float32), SCHEME)
    with pytest.raises(UsageError, match="one point"):
        motion_stability(np.zeros((20, 68, 2), np.float32), SCHEME)
