"""Looks cover the picture, and several sightings of one face become one."""

import numpy as np
import pytest

from curation.perception.faces.search import (
    Candidate,
    Square,
    cut_square,
    full_image,
    is_cut_off,
    merge_candidates,
    shared_fraction,
    tiles,
)


def candidate(*edges: float, score: float = 0.9) -> Candidate:
    return Candidate(box_px=np.array(edges, np.float64), eyes_px=np.zeros((2, 2)), score=score)


def test_the_look_at_the_whole_picture_is_centred_and_a_quarter_larger() -> None:
    assert full_image(800, 400) == Square(x0=-100, y0=-300, side=1000)


@pytest.mark.parametrize(("width", "height"), [(1080, 1920), (640, 360), (512, 512), (480, 360)])
def test_every_small_face_is_whole_in_some_tile(width: int, height: int) -> None:
    side = tiles(width, height)[0].side
    face = side * 0.3
    for x in np.linspace(0, width - face, 40):
        for y in np.linspace(0, height - face, 40):
            one = candidate(x, y, x + face, y + face)
            assert any(
                tile.x0 <= x and tile.y0 <= y and x + face <= tile.x0 + side and y + face <= tile.y0 + side
                and not is_cut_off(one, tile, width, height)
                for tile in tiles(width, height)
            ), (x, y)  # fmt: skip


def test_a_cut_square_keeps_places_and_is_black_outside() -> None:
    frame = np.full((100, 200, 3), 255, np.uint8)
    picture = cut_square(frame, Square(x0=-100, y0=-50, side=200), 100)
    assert (picture[25:75, 50:] == 255).all()
    assert picture[:25].max() == picture[75:].max() == picture[:, :50].max() == 0


def test_a_square_outside_the_frame_is_black() -> None:
    assert cut_square(np.full((9, 9, 3), 9, np.uint8), Square(x0=20, y0=20, side=5), 16).max() == 0


def test_of_two_sightings_of_a_face_the_better_stays_and_its_neighbour_too() -> None:
    same, better, other = candidate(0, 0, 10, 10, score=0.6), candidate(1, 1, 11, 11), candidate(20, 0, 30, 10)
    assert merge_candidates([same, better, other]) == [better, other]


def test_a_box_inside_another_shares_all_of_itself() -> None:
    assert shared_fraction(np.array([0.0, 0, 10, 10]), np.array([2.0, 2, 4, 4])) == 1.0
    assert shared_fraction(np.array([0.0, 0, 10, 10]), np.array([10.0, 0, 20, 10])) == 0.0
