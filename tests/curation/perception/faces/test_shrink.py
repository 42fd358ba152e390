import numpy as np

from curation.perception.faces.search import halved


def test_a_pixel_of_the_answer_is_the_mean_of_its_block() -> None:
    frame = np.zeros((9, 12, 3), np.uint8)
    frame[4:8, 8:12] = np.arange(16, dtype=np.uint8).reshape(4, 4, 1) * 10  # mean 75
    small, factor = halved(frame, 2)
    assert factor == 4
    assert small.shape == (2, 3, 3)
    assert abs(int(small[1, 2, 0]) - 75) <= 1
    assert small[0].max() == 0


def test_the_shorter_side_keeps_what_was_asked() -> None:
    assert halved(np.zeros((1080, 1920, 3), np.uint8), 160)[0].shape == (270, 480, 3)
    small, factor = halved(np.zeros((300, 900, 3), np.uint8), 160)
    assert factor == 1
    assert small.shape == (300, 900, 3)


def test_an_odd_edge_is_left_out_so_that_pixels_keep_their_place() -> None:
    frame = np.zeros((401, 403, 3), np.uint8)
    frame[200:202, 100:102] = 255
    small, factor = halved(frame, 200)
    assert factor == 2
    assert np.argwhere(small[:, :, 0]).tolist() == [[100, 50]]
