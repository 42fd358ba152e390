from collections.abc import Callable

import numpy as np
import pytest

from curation.decision.decide import RulesSettings, decide
from curation.evidence.measures import Evidence
from curation.rules.still_face import StillFaceSettings, face_motion, own_shape, still_face

RANDOM = np.random.default_rng(5)

FACE = np.array(
    [(50, 60), (20, 30), (40, 31), (60, 31), (80, 30), (35, 80), (65, 80), (50, 78), (50, 84)], np.float32
)  # fmt: skip


def speaking(n: int, opening_px: float = 8.0) -> np.ndarray:
    """(n, 9, 2) a face of 100 px whose lower lip goes up and down every quarter of a second."""
    points = np.tile(FACE, (n, 1, 1))
    points[:, 8, 1] += opening_px * np.sin(2 * np.pi * np.arange(n) / 6.3)
    return points


def no_breaks(n: int) -> np.ndarray:
    return np.zeros(n, np.bool_)


def motion_of(points: np.ndarray, window: int = 50) -> np.ndarray:
    return face_motion(own_shape(points), no_breaks(len(points)), window)


def test_a_photograph_that_is_panned_turned_zoomed_and_sheared_does_not_move() -> None:
    maps = np.eye(2) + RANDOM.uniform(-0.3, 0.3, (100, 2, 2))
    moved = (FACE @ maps + RANDOM.uniform(-50, 50, (100, 1, 2))).astype(np.float32)
    np.testing.assert_allclose(motion_of(moved), 0.0, atol=1e-5)


def test_the_motion_of_a_mouth_is_the_same_wherever_the_head_moves() -> None:
    still_head = speaking(80)
    turns = np.radians(30 * np.sin(np.arange(80) / 9))
    rotation = np.stack([np.cos(turns), np.sin(turns), -np.sin(turns), np.cos(turns)], axis=1).reshape(-1, 2, 2)
    moving_head = (still_head @ rotation * 1.7 + np.arange(80)[:, None, None]).astype(np.float32)
    np.testing.assert_allclose(motion_of(moving_head), motion_of(still_head), rtol=1e-3)


def test_the_own_shape_is_the_affine_fit_of_least_squares_to_a_plain_face() -> None:
    points = speaking(6)
    shape = own_shape(points)
    plain = own_shape(points[:1])[0]
    for tick in range(6):  # the fit to any one shape differs from that to another by an affine map of all ticks
        with_one = np.column_stack([points[tick], np.ones(9)])
        expected = with_one @ np.linalg.lstsq(with_one, plain, rcond=None)[0]
        again = np.column_stack([shape[tick], np.ones(9)])
        np.testing.assert_allclose(again @ np.linalg.lstsq(again, plain, rcond=None)[0], expected, atol=1e-5)


def test_motion_is_the_least_deviation_of_all_stretches_that_contain_a_tick() -> None:
    points = speaking(90)
    points[30:75] = points[30]
    shape = own_shape(points).reshape(90, 18)
    smooth = np.stack([shape[k - 1 : k + 2].mean(axis=0) for k in range(1, 89)])
    stretches = [smooth[k : k + 28].std(axis=0) for k in range(61)]  # 30 ticks have 28 means of three
    motion = [np.sqrt((deviation**2).sum() / 9) for deviation in stretches]
    expected = [min(motion[max(0, tick - 29) : tick + 1]) for tick in range(90)]
    np.testing.assert_allclose(face_motion(own_shape(points), no_breaks(90), 30), expected, rtol=1e-3, atol=1e-6)


def test_a_face_that_stops_for_three_seconds_fails_there_and_passes_elsewhere() -> None:
    points = speaking(200)
    points[60:135] = points[60]
    failed = still_face(motion_of(points), StillFaceSettings()).failed
    assert failed[60:135].all()
    assert not failed[:50].any()  # a stretch with a few ticks of motion at its end is still, too
    assert not failed[145:].any()


def test_a_pause_of_a_second_within_speech_passes() -> None:
    points = speaking(150)
    points[50:75] = points[50]
    assert not still_face(motion_of(points), StillFaceSettings()).failed.any()


def test_stillness_does_not_add_up_over_a_cut() -> None:
    points = speaking(120)
    points[30:90] = points[30]
    breaks = no_breaks(120)
    breaks[60] = True
    motion = face_motion(own_shape(points), breaks, 50)
    assert not still_face(motion, StillFaceSettings()).failed.any()


def test_a_face_seen_for_less_than_a_second_or_not_at_all_has_no_motion() -> None:
    points = speaking(100)
    points[24] = points[60:] = np.nan
    motion = motion_of(points)
    assert np.isnan(motion[:25]).all()
    assert np.isnan(motion[60:]).all()
    assert not np.isnan(motion[25:60]).any()
    assert not still_face(motion, StillFaceSettings()).failed[np.isnan(motion)].any()


def test_points_on_a_line_have_no_shape() -> None:
    line = np.stack([np.arange(9.0), 2 * np.arange(9.0)], axis=1)[None].astype(np.float32)
    assert np.isnan(own_shape(line)).all()


@pytest.mark.parametrize("noise_px", [0.3, 0.6])
def test_noise_of_the_landmarks_alone_is_no_motion(noise_px: float) -> None:
    noise = RANDOM.normal(0, noise_px, (100, 9, 2))  # of a face of 256 px: the real noise of compression is below this
    points = (np.tile(FACE, (100, 1, 1)) * 2.56 + noise).astype(np.float32)
    assert still_face(motion_of(points), StillFaceSettings()).failed.all()


def test_a_photograph_with_a_voice_is_a_clip_of_tier_vae_only(make_evidence: Callable[..., Evidence]) -> None:
    speaks = make_evidence(200)
    assert [(clip.tier, clip.n_ticks) for clip in decide(speaks, RulesSettings()).clips] == [("diffusion", 200)]
    speaks.faces.key_points_px[:] = speaks.faces.key_points_px[0]
    decision = decide(speaks, RulesSettings())
    assert [(clip.tier, clip.n_ticks) for clip in decision.clips] == [("vae", 200)]
    assert {span.outcome for span in decision.spans if span.tier == "diffusion"} == {"still_face"}
