"""Stretches of many videos are judged at once as the rule `sync` is defined: one by one, by all of their ticks."""

from itertools import pairwise

import numpy as np
import pytest

from curation.evidence.sync_measures import SyncMeasures
from curation.rules.sync import dropped_by_sync, judge_sync
from curation.rules.sync_alone import judged_alone, stretch_measures
from curation.rules.sync_settings import SyncSettings
from manifests.sync_curve import SyncSums
from manifests.timeline import TickRange


def made_video(rng: np.random.Generator) -> tuple[SyncMeasures, list[TickRange]]:
    """A video of up to three faces, and stretches of it; each measure is near its limit in some videos."""
    n = int(rng.integers(80, 2500))
    scores = rng.normal(0.0, 0.2, (n, 31))
    scores[:, 16] += rng.choice([0.0, 0.1, 0.2, 0.3, 0.5], n // 150 + 1).repeat(150)[:n]
    scores[rng.random(scores.shape) < rng.choice([0.0, 0.3])] = np.nan
    scores[rng.random(n) < rng.choice([0.0, 0.02, 0.45])] = np.nan
    cuts = np.sort(rng.integers(0, n, 3))
    track = np.searchsorted(cuts, np.arange(n), side="right") % 3
    described = np.flatnonzero(rng.random(n) < 0.03)
    face = np.array([0.0, rng.choice([0.0, 1.0]), 2.0])[track[described]]
    breaks = rng.random(n) < 0.003
    breaks[cuts] = True
    video = SyncMeasures(
        scores=scores.astype(np.float16) if rng.random() < 0.95 else None,
        speech_prob=(rng.random(n) < rng.choice([0.5, 0.9])).astype(np.float32) if rng.random() < 0.95 else None,
        moved=rng.random(n) < rng.choice([0.79, 1.0]),
        yaw_deg=(rng.normal(0.0, 1.0, n) * rng.choice([10.0, 50.0])).astype(np.float32),
        mask_prob=rng.random(n).astype(np.float32) * np.float32(rng.choice([0.5, 1.0])),
        described=described,
        descriptor=(face[:, None] + rng.normal(0.0, 0.02, (len(described), 16))).astype(np.float32),
        track_id=track.astype(np.int64),
        breaks=breaks,
    )
    bounds = np.unique([0, n, *cuts, *range(int(rng.integers(60, 260)), n, int(rng.integers(60, 260)))]).tolist()
    return video, list(pairwise(bounds))


def plain(video: SyncMeasures, ticks: TickRange, limits: SyncSettings) -> tuple[str, str | None]:
    """Outcome and reason of a stretch, speech being probable from 0.5 on."""
    own, n = slice(*ticks), ticks[1] - ticks[0]
    if video.speech_prob is None or video.scores is None:
        return "not_measured", "no_sound" if video.speech_prob is None else "no_scores"
    sums = SyncSums.of(video.scores[own])
    curve, n_scored = sums.curve(), sums.n_ticks
    reasons = {
        "no_scores": n_scored < n / 2,
        "few_ticks": curve is None or n_scored < limits.min_ticks,
        "little_speech": np.mean(video.speech_prob[own] >= 0.5) < limits.min_speech,
        "few_pictures": (2 + np.sum(video.moved[ticks[0] + 1 : ticks[1]])) * 25 < limits.min_pictures_hz * n,
        "turned": float(np.mean(np.abs(video.yaw_deg[own]))) > limits.max_yaw_deg,
        "covered": float(np.mean(video.mask_prob[own])) > 0.5,
    }
    for reason, holds in reasons.items():
        if holds:
            return "not_measured", reason
    assert curve is not None
    z = float(np.nanmax(curve.mean) - np.nanmedian(curve.mean)) * n_scored**0.5
    refuted = n_scored >= limits.sure_ticks and z < limits.refuted_below(n_scored)
    return "in_sync" if z >= limits.in_sync_z else "not_in_sync" if refuted else "undecided", None


def test_each_stretch_is_judged_by_all_of_its_ticks() -> None:
    rng, seen = np.random.default_rng(0), set()
    for _ in range(12):
        videos = [made_video(rng) for _ in range(6)]
        limits = SyncSettings(min_ticks=int(rng.choice([30, 61])), min_speech=float(rng.choice([0.0, 0.5])))
        found = judged_alone(stretch_measures(videos, min_speech_prob=0.5), limits)
        expected = [plain(video, ticks, limits) for video, stretches in videos for ticks in stretches]
        assert list(zip(found.outcome, found.reason, strict=True)) == expected
        seen |= set(expected)
    assert len(seen) == 10, "each outcome and each reason"


def test_means_are_those_of_numpy_bit_for_bit() -> None:
    rng = np.random.default_rng(1)
    videos = [made_video(rng) for _ in range(4)]
    found = stretch_measures(videos, min_speech_prob=0.5)
    own = [(video, slice(*ticks)) for video, stretches in videos for ticks in stretches]
    np.testing.assert_array_equal(found.turn_deg, [np.mean(np.abs(video.yaw_deg[ticks])) for video, ticks in own])
    np.testing.assert_array_equal(found.mask_prob, [np.mean(video.mask_prob[ticks]) for video, ticks in own])


@pytest.mark.parametrize("drop", ["nothing", "not_in_sync", "all_but_in_sync"])
def test_many_videos_at_once_lose_what_each_of_them_loses(drop: str) -> None:
    rng = np.random.default_rng(2)
    videos = [made_video(rng) for _ in range(40)]
    settings = SyncSettings.model_validate({"drop": drop, "min_pictures_hz": 0.0, "min_speech": 0.0})
    together = dropped_by_sync(videos, settings, min_speech_prob=0.5, max_distance=0.6)
    told = [judge_sync(*video, settings, min_speech_prob=0.5, max_distance=0.6).stretches for video in videos]
    assert together == [[stretch.dropped for stretch in stretches] for stretches in told]
    decided_together = [one.value for one in sum(told, ()) if one.curve and one.value != one.curve.z]
    assert decided_together, "some are judged with others"


def test_a_video_without_a_stretch_is_not_added_up() -> None:
    video, _ = made_video(np.random.default_rng(3))
    assert not judge_sync(video, [], SyncSettings(), min_speech_prob=0.5, max_distance=0.6).stretches
    assert "score_sums" not in vars(video)


@pytest.mark.parametrize(("first", "end", "outcome"), [(50, 200, "in_sync"), (51, 200, "undecided"),
                                                       (0, 150, "in_sync"), (0, 149, "undecided")])  # fmt: skip
@pytest.mark.parametrize("how", ["breaks", "track_id"])
def test_ticks_around_a_short_stretch_count_as_far_as_its_face_goes_on(
    how: str, first: int, end: int, outcome: str
) -> None:
    scores = np.zeros((200, 31), np.float16)
    scores[:, 15] = 0.545
    scores[60:140, 15] = 0.313  # z is 2.8; with 22 ticks on one side and 10 on the other 4.01, with 9 there 3.98
    breaks, track_id = np.zeros(200, np.bool_), np.zeros(200, np.int64)
    if how == "breaks":
        breaks[[first, end % 200]] = True
    else:
        track_id[:first] = track_id[end:] = 1
    video = SyncMeasures(
        scores=scores, speech_prob=np.ones(200, np.float32), moved=np.ones(200, np.bool_),
        yaw_deg=np.zeros(200, np.float32), mask_prob=np.zeros(200, np.float32), described=np.zeros(0, np.int64),
        descriptor=np.zeros((0, 16), np.float32), track_id=track_id, breaks=breaks,
    )  # fmt: skip
    (stretch,) = judge_sync(video, [(60, 140)], SyncSettings(), min_speech_prob=0.5, max_distance=0.6).stretches
    assert stretch.outcome == outcome
