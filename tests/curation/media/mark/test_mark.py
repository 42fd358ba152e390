"""A mark put into moving pictures, and sought in copies of them."""

import hashlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from helpers.nodding_disc import nodding_disc

from curation.media.encode import encode_mp4
from curation.media.mark.carriers import SYMBOLS, carriers, rise_and_fall
from curation.media.mark.detection import find_mark, mark_of_pictures
from curation.media.mark.embedding import marked
from curation.media.mark.mark_code import CODED_BITS
from foundation.array_types import RgbImage

MARK_ID = 0x3F0C2A7E91B4
N_FRAMES = 128


@pytest.fixture(scope="module")
def film() -> list[RgbImage]:
    return nodding_disc(N_FRAMES)


@pytest.fixture(scope="module")
def marked_film(film: list[RgbImage]) -> list[RgbImage]:
    return list(marked(film, MARK_ID))


def _file(folder: Path, frames: list[RgbImage], **options: str) -> Path:
    path = folder / "copy.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        output.mux(stream.encode(None))
    return path


def test_the_mark_is_42_db_or_more_below_white(film: list[RgbImage], marked_film: list[RgbImage]) -> None:
    squares = [np.mean((one.astype(float) - other) ** 2) for one, other in zip(film, marked_film, strict=True)]
    assert 10 * np.log10(255**2 / np.mean(squares)) > 42.0
    assert 10 * np.log10(255**2 / np.max(squares)) > 40.0


def test_the_mark_is_grey_and_moves_the_brightness_of_no_frame(
    film: list[RgbImage], marked_film: list[RgbImage]
) -> None:
    added = np.stack(marked_film).astype(int) - np.stack(film)
    inside = ((np.stack(film) > 20) & (np.stack(film) < 235)).all(axis=-1)
    assert (added.max(axis=-1) - added.min(axis=-1))[inside].max() <= 1  # of rounding
    assert np.abs(added.mean(axis=(1, 2, 3))).max() < 0.5


def test_the_mark_is_found_in_a_copy_at_crf_28(marked_film: list[RgbImage], tmp_path: Path) -> None:
    found = find_mark(_file(tmp_path, marked_film, crf="28"))
    assert found.mark_id == MARK_ID
    assert str(found).startswith(f"{tmp_path / 'copy.mp4'}: mark 3f0c2a7e91b4, score ")


def test_the_mark_is_found_in_a_cropped_copy_that_begins_later(marked_film: list[RgbImage], tmp_path: Path) -> None:
    cropped = [frame[8:122, 4:118] for frame in marked_film[7:]]
    assert find_mark(_file(tmp_path, cropped, crf="23")).mark_id == MARK_ID


def test_the_mark_is_found_in_a_copy_of_half_the_size(marked_film: list[RgbImage], tmp_path: Path) -> None:
    half = [cv2.resize(frame, (64, 64), interpolation=cv2.INTER_AREA) for frame in marked_film]
    assert find_mark(_file(tmp_path, half, crf="23")).mark_id == MARK_ID


def test_no_mark_is_found_in_unmarked_pictures(film: list[RgbImage], tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(encode_mp4(film, 128))
    found = find_mark(path)
    assert found.mark_id is None
    assert found.score is not None
    assert found.score < 6.0
    assert "no mark in 5.12 s" in str(found)


def test_a_video_of_few_frames_is_too_short(film: list[RgbImage], tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(encode_mp4(film[:10], 128))
    assert find_mark(path).score is None
    assert "too short" in str(find_mark(path))


def test_a_picture_that_stands_still_and_black_has_no_mark() -> None:
    mark_id, score = mark_of_pictures(np.zeros((100, 48, 48), np.float32))
    assert mark_id is None
    assert score < 6.0


def test_every_symbol_carries_every_coded_bit_and_other_signs() -> None:
    key = carriers()
    for symbol in range(SYMBOLS):
        assert set(key.bits[symbol].tolist()) == {-1, *range(CODED_BITS)}
    assert len({row.tobytes() for row in key.signs}) == SYMBOLS


def test_the_signs_are_those_of_the_published_key() -> None:
    # a later version must find the marks of this one
    digest = hashlib.sha256(b"gaia-avatar mark 1, symbol 0, block 0").digest()
    expected = [1 if digest[4 * word + 3] & 1 else -1 for word in range(8)]
    assert carriers().signs[0, :8].tolist() == expected


def test_a_symbol_takes_as_much_as_it_adds() -> None:
    wave = rise_and_fall()
    assert wave.sum() == pytest.approx(0.0, abs=1e-12)
    assert np.mean(wave**2) == pytest.approx(1.0)
