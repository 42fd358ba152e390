"""Training on a dataset from a stranger: what leads out of its folder is neither opened nor waited for."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.received_datasets import make_fifo, make_socket, rewrite_row

from manifests.errors import DatasetError
from training.data.clips import ClipError, ClipReader
from training.data.selection import DataConfig, select_clips

MakeClips = Callable[..., Path]


@pytest.fixture(scope="module")
def clips_once(make_clips: MakeClips, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clips(tmp_path_factory.mktemp("clips") / "dataset", {"video": "a", "n_frames": 6})


@pytest.fixture
def dataset(clips_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clips_once, tmp_path / "dataset"))


@pytest.mark.parametrize(
    "values",
    [
        {"media": "../outside.tar"},
        {"media": "/etc/passwd"},
        {"media": "media/../../outside.tar"},
        {"clip_id": "../../a-0000000-0000005"},
        {"video_id": "../a"},
        {"mp4_offset": -1},
        {"mp4_size": 0},
        {"mp4_size": -(2**62)},
        {"n_frames": -4},
        {"n_frames": 0},
    ],
    ids=str,
)
def test_a_row_that_cannot_be_is_named_before_anything_it_names_is_opened(
    dataset: Path, values: dict[str, object]
) -> None:
    rewrite_row(dataset / "clips" / "a.parquet", 0, values)
    with pytest.raises(DatasetError, match=rf"a\.parquet: {next(iter(values))}"):
        select_clips(dataset, DataConfig())


@pytest.mark.parametrize("make", [make_fifo, make_socket])
def test_a_manifest_that_is_no_file_is_refused_without_waiting(dataset: Path, make: Callable[[Path], None]) -> None:
    make(dataset / "clips" / "part-0.parquet")
    with pytest.raises(DatasetError, match=r"part-0\.parquet is a (named pipe|socket)"):
        select_clips(dataset, DataConfig())


@pytest.mark.parametrize("kind", ["pipe", "socket", "link", "folder"])
def test_a_tar_that_is_no_file_of_the_dataset_is_a_damaged_clip(dataset: Path, tmp_path: Path, kind: str) -> None:
    reader = ClipReader(select_clips(dataset, DataConfig()))
    assert len(reader.frames(0, [0], 64)) == 1
    tar = dataset / "media" / "a.tar"
    tar.rename(tmp_path / "outside.tar")
    {"pipe": make_fifo, "socket": make_socket, "folder": Path.mkdir}.get(
        kind, lambda path: path.symlink_to(tmp_path / "outside.tar")
    )(tar)
    with pytest.raises(ClipError, match=rf"a-0000000-0000005: media/a\.tar: .*a\.tar is a .*{kind}"):
        reader.frames(0, [0], 64)


def test_a_folder_of_media_that_is_a_link_is_not_followed(dataset: Path, tmp_path: Path) -> None:
    reader = ClipReader(select_clips(dataset, DataConfig()))
    (dataset / "media").rename(tmp_path / "outside")
    (dataset / "media").symlink_to(tmp_path / "outside")
    with pytest.raises(ClipError, match="media is a link"):
        reader.frames(0, [0], 64)


def test_a_dataset_that_is_reached_through_a_link_is_read(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(dataset)
    reader = ClipReader(select_clips(tmp_path / "link", DataConfig()))
    assert len(reader.frames(0, [0, 5], 64)) == 2
