"""How much is read of files for their ids."""

from pathlib import Path

import numpy as np
import pytest

from curation.sources import identify
from curation.sources.content import Content, content_of
from curation.sources.entries import Entry
from curation.sources.identify import identified

SIZE = 12 << 20


@pytest.fixture
def read_whole(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read whole."""
    names: list[str] = []

    def noting(path: Path, *, whole: bool, **_options: object) -> Content:
        if whole:
            names.append(path.name)
        return content_of(path, whole=whole)

    monkeypatch.setattr(identify, "content_of", noting)
    return names


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    path.write_bytes(np.random.default_rng(1).bytes(SIZE))
    return path


def id_of(path: Path, known: dict[str, tuple[str, int]]) -> tuple[str, ...]:
    ((video,), _) = identified([Entry(path=path, source="s")], known=known)
    return (video.video_id, *video.other_ids)


def test_a_known_file_is_read_in_its_samples(file: Path, read_whole: list[str]) -> None:
    video_id = id_of(file, {})[0]
    assert read_whole == ["a.mp4"]
    read_whole.clear()
    again = id_of(file, {str(file): (video_id, SIZE)})
    assert read_whole == []
    assert again[0][:8] == video_id[:8]  # by which the dataset finds it


@pytest.mark.parametrize("change", ["content", "size", "path"])
def test_a_file_that_is_not_the_known_one_is_read_whole(file: Path, read_whole: list[str], change: str) -> None:
    known = {str(file): id_of(file, {})[0]}
    read_whole.clear()
    if change == "content":
        with file.open("r+b") as stream:
            stream.write(b"others")
    elif change == "size":
        with file.open("ab") as stream:
            stream.write(b"more")
    else:
        file = file.rename(file.with_name("b.mp4"))
    id_of(file, {path: (video_id, SIZE) for path, video_id in known.items()})
    assert read_whole == [file.name]


def test_a_copy_of_a_known_file_is_found(file: Path) -> None:
    video_id = id_of(file, {})[0]
    copy = file.with_name("b.mp4")
    copy.write_bytes(file.read_bytes())
    entries = [Entry(path=path, source="s") for path in (file, copy)]
    videos, _ = identified(entries, known={str(file): (video_id, SIZE)})
    assert [video.duplicate_of for video in videos] == [None, file]
    assert videos[0].video_id == video_id
