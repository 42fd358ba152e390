from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from curation.evidence.measures import LEAST_CUT_SCORE
from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.perception.cuts import ContentCuts

Thumbs = npt.NDArray[np.uint8]


def _scene(seed: int, n_ticks: int) -> Thumbs:
    """A still scene of coarse and fine shapes, a head that nods by a pixel, camera noise of two grey levels."""
    rng = np.random.default_rng(seed)
    scene = cv2.resize(rng.uniform(20, 235, (7, 12, 3)), (52, 31), interpolation=cv2.INTER_CUBIC)
    scene += cv2.resize(rng.uniform(-60, 60, (16, 26, 3)), (52, 31), interpolation=cv2.INTER_NEAREST)
    rows, columns = np.mgrid[:27, :48]
    thumbs = []
    for tick in range(n_ticks):
        picture = scene[2:29, 2:50].copy()
        across, down = 24 + np.sin(tick / 5), 14 + np.cos(tick / 7)
        picture[((columns - across) / 6) ** 2 + ((rows - down) / 9) ** 2 < 1] = (200, 160, 140)
        thumbs.append(picture + rng.normal(0, 2, picture.shape))
    return np.stack(thumbs).clip(0, 255).round().astype(np.uint8)


def _moved(thumb: Thumbs, right_px: float, down_px: float, zoom: float = 1.0) -> Thumbs:
    matrix = np.array([[zoom, 0, right_px + (1 - zoom) * 24], [0, zoom, down_px + (1 - zoom) * 13.5]], np.float32)
    return np.asarray(cv2.warpAffine(thumb, matrix, (48, 27), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def _cuts(thumbs: Thumbs) -> list[int]:
    scorer = ContentCuts()
    return np.flatnonzero(scorer(thumbs) >= LEAST_CUT_SCORE).tolist()


def test_a_hard_cut_is_found_at_the_first_tick_of_the_new_shot() -> None:
    assert _cuts(np.concatenate([_scene(1, 30), _scene(2, 30)])) == [30]


def test_two_cuts_with_a_shot_of_five_ticks_between_them_are_both_found() -> None:
    assert _cuts(np.concatenate([_scene(1, 30), _scene(2, 5), _scene(3, 30)])) == [30, 35]


def test_a_jump_within_the_same_scene_is_found() -> None:
    shot = _scene(1, 60)
    shot[30:] = [_moved(thumb, 3, 1) for thumb in shot[30:]]
    assert _cuts(shot) == [30]


@pytest.mark.parametrize("n_ticks", [5, 10, 15, 25])
def test_a_dissolve_is_found_once_and_inside_it(n_ticks: int) -> None:
    old, new = _scene(1, 60), _scene(2, 60)
    share = np.clip((np.arange(60) - 19) / (n_ticks + 1), 0, 1)[:, None, None, None]
    found = _cuts((old * (1 - share) + new * share).round().astype(np.uint8))
    assert len(found) >= 1
    assert 20 <= found[0] <= found[-1] <= 20 + n_ticks


def test_a_fade_through_black_parts_the_shots() -> None:
    gain = np.concatenate([np.ones(20), np.linspace(1, 0, 10), np.zeros(3), np.linspace(0, 1, 10), np.ones(17)])
    found = _cuts((np.concatenate([_scene(1, 30), _scene(2, 30)]) * gain[:, None, None, None]).astype(np.uint8))
    assert found
    assert 20 <= found[0] <= found[-1] <= 43


def test_where_black_begins_and_ends_the_score_is_one() -> None:
    thumbs = _scene(1, 60)
    thumbs[20:40] //= 40
    assert np.flatnonzero(ContentCuts()(thumbs) == 1.0).tolist() == [20, 40]


def _shaken(shot: Thumbs) -> Thumbs:
    rng = np.random.default_rng(3)
    return np.stack([_moved(thumb, *rng.uniform(-0.1, 0.1, 2) * (48, 27)) for thumb in shot])


def _flashed(shot: Thumbs) -> Thumbs:
    shot = shot.copy()
    for first, n_ticks in ((10, 1), (25, 2), (40, 3)):
        shot[first : first + n_ticks] = 255 - (255 - shot[first : first + n_ticks].astype(float)) * 0.3
    return shot


def _flickering(shot: Thumbs) -> Thumbs:
    gain = np.random.default_rng(4).uniform(0.7, 1.0, len(shot))[:, None, None, None]
    return (shot * gain).round().astype(np.uint8)


def _dimmed(shot: Thumbs) -> Thumbs:
    return np.concatenate([shot[:30], (shot[30:] * 0.6).round().astype(np.uint8)])


def _panned(shot: Thumbs) -> Thumbs:
    return np.stack([_moved(thumb, 12 * min(max(tick - 20, 0) / 15, 1), 0, 1.5) for tick, thumb in enumerate(shot)])


def _waved_at(shot: Thumbs) -> Thumbs:
    shot = shot.copy()
    for tick in range(20, 40):
        centre = (24 + round(20 * np.sin((tick - 20) * 0.5)), 16)
        cv2.ellipse(shot[tick], centre, (5, 9), 20, 0, 360, (200, 150, 125), -1)
    return shot


@pytest.mark.parametrize("spoil", [_shaken, _flashed, _flickering, _dimmed, _panned, _waved_at])
def test_what_a_camera_a_lamp_or_a_hand_does_is_no_cut(spoil: object) -> None:
    assert callable(spoil)
    assert _cuts(spoil(_scene(1, 60))) == []


def _captioned(shot: Thumbs, top: int) -> Thumbs:
    """A line of letters of 3 of 27 rows and most of the width; another after 15 ticks, and none after 30."""
    shot, rng = shot.copy(), np.random.default_rng(5)
    for first in (15, 30):
        letters = rng.choice([0, 255], (3, 40, 1)).astype(np.uint8)
        shot[first : first + 15, top : top + 3, 4:44] = letters
    return shot


def _bannered(shot: Thumbs, n_ticks: int) -> Thumbs:
    """A fifth of the picture turns dark blue within `n_ticks`, and back after 25."""
    shot = shot.copy()
    ticks = np.arange(len(shot))
    share = np.clip(np.minimum(ticks - 14, 40 - ticks) / n_ticks, 0, 1)[:, None, None, None]
    below = shot[:, 19:26, 4:42]
    below[:] = (below * (1 - share) + np.array([10, 20, 90]) * share).round()
    return shot


def _blinking(shot: Thumbs, top: int, left: int) -> Thumbs:
    """A corner of 2 % of the picture is black, and white for 5 ticks."""
    shot = shot.copy()
    shot[:, top : top + 4, left : left + 7] = 0
    shot[30:35, top : top + 4, left : left + 7] = 255
    return shot


def _inset(shot: Thumbs, top: int, left: int) -> Thumbs:
    """A picture of 30 % of the sides is cut to another."""
    shot = shot.copy()
    small = [
        [cv2.resize(thumb, (14, 8), interpolation=cv2.INTER_AREA) for thumb in _scene(seed, 30)] for seed in (6, 7)
    ]
    shot[:, top : top + 8, left : left + 14] = np.concatenate(small)
    return shot


_CORNERS = [(1, 1), (1, 33), (18, 1), (18, 33)]


@pytest.mark.parametrize("top", [2, 17, 22])
def test_captions_that_come_change_and_go_are_no_cuts(top: int) -> None:
    assert _cuts(_captioned(_scene(1, 60), top)) == []
    assert _cuts(_captioned(np.repeat(_scene(1, 1), 60, axis=0), top)) == []


@pytest.mark.parametrize("n_ticks", [1, 8])
def test_a_banner_in_the_lower_third_at_once_or_faded_is_no_cut(n_ticks: int) -> None:
    assert _cuts(_bannered(_scene(1, 60), n_ticks)) == []


@pytest.mark.parametrize(("top", "left"), _CORNERS)
def test_a_corner_that_blinks_or_shows_another_picture_is_no_cut(top: int, left: int) -> None:
    assert _cuts(_blinking(_scene(1, 60), top, left)) == []
    assert _cuts(_blinking(np.repeat(_scene(1, 1), 60, axis=0), top, left)) == []
    assert _cuts(_inset(_scene(1, 60), top, left)) == []


def test_cuts_under_an_overlay_that_changes_with_them_are_found() -> None:
    jump = _scene(1, 60)
    jump[30:] = [_moved(thumb, 3, 1) for thumb in jump[30:]]
    hard = np.concatenate([_scene(1, 30), _scene(2, 30)])
    assert _cuts(_captioned(jump, 22)) == [30]
    assert _cuts(_captioned(hard, 22)) == [30]
    assert _cuts(_inset(hard, 18, 33)) == [30]


@pytest.mark.parametrize("middle", [12, 24, 38])
def test_a_head_that_jumps_before_a_still_background_is_a_cut(middle: int) -> None:
    rows, columns = np.mgrid[:27, :48]
    shot, face = _scene(1, 60), _scene(8, 60)
    for tick, thumb in enumerate(shot):
        right_px = 3 if tick >= 30 else 0
        head = ((columns - middle - right_px) / 8) ** 2 + ((rows - 14) / 11) ** 2 < 1
        thumb[head] = _moved(face[tick], right_px, 0)[head]
    assert _cuts(shot) == [30]


def test_windows_cut_through_an_overlay_give_the_scores_of_the_whole_video() -> None:
    thumbs = np.concatenate(
        [_captioned(_scene(1, 60), 22), _bannered(_scene(2, 60), 8), _blinking(_scene(3, 60), 1, 1)]
    )
    scorer = ContentCuts()
    whole = scorer(thumbs)
    for first in range(0, 180, 7):
        begin = max(0, first - scorer.halo_ticks)
        window = scorer(thumbs[begin : first + 7 + scorer.halo_ticks])[first - begin :][: len(whole[first : first + 7])]
        assert np.array_equal(window, whole[first : first + 7])


def test_windows_with_their_halo_give_the_scores_of_the_whole_video() -> None:
    thumbs = np.concatenate([_scene(seed, n_ticks) for seed, n_ticks in ((1, 200), (2, 317), (3, 90))])
    scorer = ContentCuts()
    whole = scorer(thumbs)
    for first, end in ((0, 100), (100, 213), (213, 607)):  # the whole is more than one block, and so is the last
        begin = max(0, first - scorer.halo_ticks)
        window = scorer(thumbs[begin : end + scorer.halo_ticks])[first - begin : end - begin]
        assert np.array_equal(window, whole[first:end])


def test_halo_is_no_longer_than_needed() -> None:
    old, new = _scene(1, 60), _scene(2, 60)
    share = np.clip((np.arange(60) - 17) / 26, 0, 1)[:, None, None, None]
    thumbs = (old * (1 - share) + new * share).round().astype(np.uint8)
    scorer = ContentCuts()
    middle = int(np.argmax(scorer(thumbs)))
    short = scorer.halo_ticks - 1
    assert scorer(thumbs[middle - short : middle + short])[short] != scorer(thumbs)[middle]


@pytest.mark.parametrize("n_ticks", [0, 1, 2, 3, 9])
def test_a_short_video_has_a_score_per_tick_and_none_before_its_first(n_ticks: int) -> None:
    scores = ContentCuts()(_scene(1, n_ticks) if n_ticks else np.zeros((0, 27, 48, 3), np.uint8))
    assert scores.shape == (n_ticks,)
    assert np.isfinite(scores).all()
    assert scores[:1].tolist() in ([], [0.0])


def test_a_black_and_a_still_video_have_no_cut() -> None:
    assert _cuts(np.zeros((40, 27, 48, 3), np.uint8)) == []
    assert _cuts(np.repeat(_scene(1, 1), 40, axis=0)) == []


def test_thumbnails_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(5, 48, 27, 3\); give \(T, 27, 48, 3\)"):
        ContentCuts()(np.zeros((5, 48, 27, 3), np.uint8))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cuts"),
    [
        ("fr_hamilton", [17, 68, 176]),
        ("dj_video1", [150, 247]),
        ("WDA_KatieHill_000", []),
        ("lp_d12", []),
        ("lp_d6", []),
    ],
)
def test_cuts_of_real_clips_are_those_that_one_sees(name: str, cuts: list[int], shared_clips: Path) -> None:
    info = probe(shared_clips / f"{name}.mp4")
    thumbs = [frame.shown.thumbnail(48, 27) for frame in tick_frames(info, 0, info.n_ticks) if frame.shown is not None]
    found = _cuts(np.stack(thumbs))
    assert len(found) == len(cuts)
    assert np.abs(np.array(found) - np.array(cuts)).max(initial=0) <= 1
