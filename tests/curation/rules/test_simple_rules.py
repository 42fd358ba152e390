"""The rules that are one comparison each: `no_face`, `several_faces`, `small_face`, `cut`, `mask`, `too_short`."""

import numpy as np
import pytest
from pydantic import ValidationError

from curation.decision.decide import RulesSettings
from curation.decision.judgement import all_rules
from curation.rules.cut import CutSettings, cut
from curation.rules.mask import MaskSettings, mask
from curation.rules.no_face import NoFaceSettings, no_face
from curation.rules.runs import run_lengths, true_runs
from curation.rules.several_faces import SeveralFacesSettings, several_faces
from curation.rules.small_face import SmallFaceSettings, small_face, width_in_clip_px
from curation.rules.too_short import TooShortSettings, split_evenly


def flags(text: str) -> np.ndarray:
    return np.array([mark == "x" for mark in text])


def test_a_missing_face_drops_the_tick_unless_it_is_bridged() -> None:
    verdict = no_face(flags("x.x..x"), flags(".x...."), NoFaceSettings())
    assert verdict.failed.tolist() == flags("...xx.").tolist()
    assert verdict.value.tolist() == [0, 1, 0, 2, 2, 0]


def test_a_second_face_half_as_wide_drops_the_tick_and_a_narrower_one_does_not() -> None:
    ratio = np.array([0.0, 0.49, 0.5, 1.2, np.nan], np.float32)
    verdict = several_faces(ratio, flags("....."), SeveralFacesSettings(max_width_ratio=0.5, min_ticks=1))
    assert verdict.failed.tolist() == [False, False, True, True, False]


def test_a_hand_that_is_a_face_for_two_ticks_drops_nothing_and_a_person_who_stays_does() -> None:
    def dropped(text: str) -> str:
        ratio = np.where(flags(text), 0.6, 0.0).astype(np.float32)
        failed = several_faces(ratio, flags("." * len(text)), SeveralFacesSettings()).failed
        return "".join("x" if one else "." for one in failed)

    assert dropped("....xx........x.......") == "." * 22
    assert dropped("....xxx...............") == "....xxx..............."
    # the detector finds the second face now and then; at the ends there is less of it around
    assert dropped("x..x..x..x..x..x..x..x") == "...x..x..x..x..x..x..."


def test_the_tick_where_the_main_track_changes_is_dropped() -> None:
    verdict = several_faces(np.zeros(3, np.float32), flags(".x."), SeveralFacesSettings())
    assert verdict.failed.tolist() == [False, True, False]


def test_a_face_below_the_limit_is_dropped_and_one_at_it_is_not() -> None:
    verdict = small_face(np.array([99.0, 100.0, 101.0, np.nan], np.float32), 100.0)
    assert verdict.failed.tolist() == [True, False, False, False]
    assert {rule.name: rule.keeps for rule in all_rules(RulesSettings())}["small_face"] == "at least"


def test_a_face_that_leans_back_for_a_second_is_as_wide_as_around_it() -> None:
    width = np.full(200, 104.0, np.float32)
    width[100:125] = 95.0
    smoothed = width_in_clip_px(width, flags("." * 200), SmallFaceSettings(window_s=3.0))
    assert smoothed.tolist() == [104.0] * 200


def test_a_face_that_stays_small_is_small_and_another_shot_does_not_widen_it() -> None:
    width = np.concatenate([np.full(100, 150.0), np.full(30, 95.0), np.full(100, 150.0)]).astype(np.float32)
    shots = np.isin(np.arange(230), [100, 130])
    smoothed = width_in_clip_px(width, shots, SmallFaceSettings(window_s=3.0))
    np.testing.assert_array_equal(smoothed, width)
    assert width_in_clip_px(width, flags("." * 230), SmallFaceSettings(window_s=3.0)).min() == 150.0


def test_a_face_of_100_px_is_wide_enough_for_both_tiers_and_one_of_75_px_for_the_vae() -> None:
    settings = SmallFaceSettings()
    assert (settings.strict_px, settings.loose_px) == (100.0, 75.0)


def test_strict_width_below_the_loose_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="strict asks for wider faces"):
        SmallFaceSettings(strict_px=80.0, loose_px=100.0)


def test_a_score_at_the_limit_is_a_cut() -> None:
    assert cut(np.array([0.0, 0.5, 0.49], np.float32), CutSettings(min_score=0.5)).failed.tolist() == [0, 1, 0]


def test_a_short_burst_of_mask_probability_is_smoothed_away_and_a_long_one_is_not() -> None:
    prob = np.zeros(60, np.float32)
    prob[10:14] = 1.0  # 4 of 9: the median stays 0
    prob[30:50] = 1.0
    failed = mask(prob, MaskSettings(max_prob=0.5, smooth_ticks=9)).failed
    assert np.flatnonzero(failed).tolist() == list(range(30, 50))


def test_ticks_without_a_face_do_not_count_in_the_median() -> None:
    prob = np.array([np.nan, np.nan, 1.0, np.nan, np.nan], np.float32)
    verdict = mask(prob, MaskSettings(smooth_ticks=5))
    assert verdict.failed.tolist() == [False, False, True, False, False]
    assert np.isnan(verdict.value[0])


def test_runs_end_at_breaks() -> None:
    assert true_runs(flags("xxx.xx"), flags(".x....")) == [(0, 1), (1, 3), (4, 6)]


def test_a_break_on_a_false_tick_changes_nothing() -> None:
    assert true_runs(flags("xx.xx"), flags("..x..")) == [(0, 2), (3, 5)]


def test_run_lengths_count_each_run() -> None:
    assert run_lengths(flags("x..xxx")).tolist() == [1, 0, 0, 3, 3, 3]


def test_three_seconds_are_75_ticks_and_a_fraction_rounds_up() -> None:
    assert TooShortSettings(min_s=3.0).min_ticks == 75
    assert TooShortSettings(min_s=3.01).min_ticks == 76


def test_a_long_run_is_split_evenly() -> None:
    parts = split_evenly(100, 100 + 1501, 750)
    assert [end - first for first, end in parts] == [500, 500, 501]
    assert parts[0][0] == 100
    assert parts[-1][1] == 1601


def test_a_limit_that_would_leave_too_short_halves_is_refused() -> None:
    with pytest.raises(ValidationError, match="halves would be too short"):
        TooShortSettings(min_s=3.0, max_clip_s=5.0)
