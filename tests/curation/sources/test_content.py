"""Ids of videos: of the content alone, all of it where it is local."""

import hashlib
import os
from pathlib import Path
from threading import Event

import pytest

from curation.sources import identify
from curation.sources.content import ReadingStoppedError, content_of, fingerprint
from curation.sources.discover import discover

MIB = 1 << 20


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def edges(content: bytes) -> str:
    """The id of older datasets: a hash of the size, the first MiB and the last."""
    size = len(content).to_bytes(8, "little")
    return hashlib.sha256(size + content[:MIB] + content[max(0, len(content) - MIB) :]).hexdigest()[:16]


@pytest.mark.parametrize("size", [0, 1, 1000, MIB, 2 * MIB])
def test_the_id_of_a_small_file_is_that_of_older_datasets(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    assert fingerprint(put(tmp_path / "a.mp4", content)) == edges(content)


@pytest.mark.parametrize("size", [2 * MIB + 1, 5 * MIB, 6 * MIB, 6 * MIB + 1, 9 * MIB])
def test_every_single_byte_tells_two_files_of_one_size_apart(tmp_path: Path, size: int) -> None:
    content = bytearray(size)
    ids = [fingerprint(put(tmp_path / "a.mp4", bytes(content)))]
    for position in sorted({0, MIB, MIB + 1, size // 2, size - MIB - 1, size - 1}):
        content[position] ^= 255
        ids.append(fingerprint(put(tmp_path / "a.mp4", bytes(content))))
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("size", [3 * MIB, 9 * MIB + 12345])
def test_older_ids_of_a_large_file_are_among_its_other_ids(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    read = content_of(put(tmp_path / "a.mp4", content), whole=True)
    assert edges(content) in read.other_ids
    assert read.is_of(edges(content), size)
    assert not read.is_of(edges(content), size + 1)


def test_the_samples_alone_are_those_of_the_file_that_is_read_whole(tmp_path: Path) -> None:
    path = put(tmp_path / "a.mp4", os.urandom(9 * MIB + 7))
    whole, sampled = content_of(path, whole=True), content_of(path, whole=False)
    assert (sampled.edges, sampled.samples, sampled.whole) == (whole.edges, whole.samples, None)
    assert sampled.video_id[:8] == whole.video_id[:8]
    assert sampled.is_of(whole.video_id, whole.size_bytes)
    assert whole.is_of(sampled.video_id, whole.size_bytes)


def test_no_two_samples_are_more_than_a_thirty_second_of_the_file_apart(tmp_path: Path) -> None:
    size = 64 * MIB
    path = tmp_path / "a.mp4"
    content = bytearray(size)
    before = content_of(put(path, bytes(content)), whole=False).samples
    for first in range(0, size - size // 32, size // 7):
        changed = bytearray(content)
        changed[first : first + size // 32] = b"x" * (size // 32)
        assert content_of(put(path, bytes(changed)), whole=False).samples != before


def test_two_takes_with_the_same_first_and_last_mebibyte_are_two_videos(tmp_path: Path) -> None:
    black = bytes(MIB)
    for name, middle in (("take_1.avi", b"1"), ("take_2.avi", b"2"), ("copy of take_1.avi", b"1")):
        put(tmp_path / name, black + middle * (3 * MIB) + black)
    found = {video.path.name: video for video in discover(str(tmp_path)).videos}
    assert found["take_1.avi"].duplicate_of == tmp_path / "copy of take_1.avi"
    assert found["take_2.avi"].duplicate_of is None
    assert found["take_2.avi"].video_id != found["take_1.avi"].video_id
    assert found["take_2.avi"].other_ids[-1] == found["take_1.avi"].other_ids[-1]


def test_an_id_is_the_same_whatever_else_is_listed(tmp_path: Path) -> None:
    black = bytes(MIB)
    paths = [put(tmp_path / f"{k}.avi", black + bytes([k]) * (3 * MIB) + black) for k in range(3)]
    together = {video.path: video.video_id for video in discover(str(tmp_path)).videos}
    assert together == {path: discover(str(path)).videos[0].video_id for path in paths}


def test_the_size_of_what_is_read_is_told_where_it_takes_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "a.mp4", b"four")
    put(tmp_path / "b.mp4", b"longer")
    told: list[tuple[int, int]] = []
    discover(str(tmp_path), told=lambda n_files, n_bytes: told.append((n_files, n_bytes)))
    assert told == []
    monkeypatch.setattr(identify, "_TOLD_BYTES", 10)
    discover(str(tmp_path), told=lambda n_files, n_bytes: told.append((n_files, n_bytes)))
    assert told == [(2, 10)]


def test_a_pipe_with_the_name_of_a_video_cannot_be_read_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mp4")
    (video,) = discover(str(tmp_path)).videos
    assert video.read_error == f"{tmp_path / 'a.mp4'} is a named pipe, not a regular file"


def test_reading_ends_where_the_user_ends_it(tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(ReadingStoppedError):
        content_of(put(tmp_path / "a.mp4", bytes(7 * MIB)), whole=True, stop=stop)
