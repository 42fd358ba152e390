from collections.abc import Sequence

import numpy as np

from curation.analysis.mask_stride import StridedMask


class Told:
    """A classifier that reads the probability off the picture, and remembers which it was asked about.

    The picture of tick t is one pixel high; the face at x has its probability in column x, in 1/250.
    """

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, frame: np.ndarray, key_points_px: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        assert key_points_px.shape == (len(boxes_px), 9, 2)
        self.asked.append(int(frame[0, -1, 0]))
        return np.array([frame[0, int(box[0]), 0] / 250 for box in boxes_px], np.float32)


def picture(tick: int, *probs: float) -> np.ndarray:
    columns = [int(prob * 250) for prob in probs] + [tick]
    return np.repeat(np.array(columns, np.uint8)[None, :, None], 3, axis=2)


def boxes(*columns: int) -> np.ndarray:
    """Boxes whose left edge is the column that holds the probability; a face 100 px lower is another."""
    return np.array([[x, 100 * x, x + 50, 100 * x + 50] for x in columns], np.float32).reshape(-1, 4)


def measured(probs: Sequence[float], stride: int = 5, first_tick: int = 0) -> tuple[np.ndarray, list[int], list[int]]:
    """Return the answers for one face that stays, the ticks said to be measured, and those really asked about."""
    told = Told()
    masks = StridedMask(told, stride)
    for tick, prob in enumerate(probs, start=first_tick):
        masks.add(tick, picture(tick, prob), np.zeros((1, 9, 2), np.float32), boxes(0))
    answers, flags = masks.finish()
    return answers, (np.flatnonzero(flags) + first_tick).tolist(), sorted(told.asked)


def test_a_steady_face_is_measured_on_multiples_of_the_stride_and_at_both_ends() -> None:
    answers, flagged, asked = measured([0.0] * 14)
    assert flagged == asked == [0, 5, 10, 13]
    assert answers.tolist() == [0.0] * 14


def test_multiples_are_of_the_absolute_tick() -> None:
    assert measured([0.0] * 14, first_tick=33)[1] == [33, 35, 40, 45, 46]


def test_where_the_answer_changes_every_tick_between_is_measured() -> None:
    worn = [0.0] * 7 + [1.0] * 9
    answers, flagged, asked = measured(worn)
    assert flagged == asked == [0, 5, 6, 7, 8, 9, 10, 15]
    assert answers.tolist() == worn


def test_between_answers_that_agree_lies_the_line_between_them() -> None:
    answers, flagged, _ = measured([0.1, 0.9, 0.9, 0.9, 0.9, 0.2])
    assert flagged == [0, 5]
    np.testing.assert_allclose(answers, [0.1, 0.12, 0.14, 0.16, 0.18, 0.2], atol=1e-6)


def test_a_stride_of_one_measures_every_tick() -> None:
    assert measured([0.0, 0.1, 0.0, 0.1], stride=1)[1] == [0, 1, 2, 3]


def test_a_face_that_comes_or_goes_is_measured_at_once_and_answers_stay_with_their_faces() -> None:
    told = Told()
    masks = StridedMask(told, 5)
    nothing = np.zeros((0, 9, 2), np.float32)
    # The second face is there on ticks 2 to 4, and on tick 3 it comes first in the list.
    seen = [(0,), (0,), (0, 1), (1, 0), (0, 1), (0,), (0,), ()]
    for tick, columns in enumerate(seen):
        points = np.zeros((len(columns), 9, 2), np.float32) if columns else nothing
        masks.add(tick, picture(tick, 0.0, 1.0), points, boxes(*columns))
    answers, flags = masks.finish()
    assert answers.tolist() == [0, 0, 0, 1, 1, 0, 0, 1, 0, 0]
    assert flags.tolist() == [True, False, False, True, False, False, False, True, True, True]


def test_a_face_after_a_tick_without_one_is_a_new_face() -> None:
    told = Told()
    masks = StridedMask(told, 5)
    for tick in (1, 2, 4):
        masks.add(tick, picture(tick, 0.0), np.zeros((1, 9, 2), np.float32), boxes(0))
    assert masks.finish()[1].tolist() == [True, True, True]


def test_a_picture_that_is_shown_twice_is_asked_about_once() -> None:
    told = Told()
    masks = StridedMask(told, 5)
    for tick in range(0, 12, 3):
        masks.add(tick, picture(tick, 0.0), np.zeros((1, 9, 2), np.float32), boxes(0))
        masks.repeat(tick + 1)
        masks.repeat(tick + 2)
    answers, flags = masks.finish()
    # Pictures of ticks 0 to 2, 3 to 5 (measured on 5), 6 to 8, 9 to 11 (measured on 10).
    assert told.asked == [0, 3, 9]
    assert flags.tolist() == [True] * 6 + [False] * 3 + [True] * 3
    assert answers.tolist() == [0.0] * 12


def test_a_stretch_without_faces_gives_empty_answers() -> None:
    answers, flags = StridedMask(Told(), 5).finish()
    assert answers.shape == flags.shape == (0,)
