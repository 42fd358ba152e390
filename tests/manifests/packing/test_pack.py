"""Packing, on parts made by hand: which files there are, what is in them, and what a stop at any moment leaves."""

import errno
import gc
import json
import os
import shutil
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.made_parts import MADE_VIDEOS as VIDEOS
from helpers.made_parts import clip_bytes, put_video, put_videos

from manifests.errors import DatasetError
from manifests.files.tables import read_table, table_files
from manifests.packing import pack
from manifests.packing.pack import StorageSettings, compact
from manifests.packing.packed_files import sources_of, table_inventory
from manifests.packing.prefix_tree import bits_of, leaves
from manifests.packing.rows import VideoRows
from manifests.schema.clips import CLIPS
from manifests.schema.columns import Table
from manifests.schema.frames import FRAMES
from manifests.schema.tables import TABLES

SMALL = StorageSettings(part_mb=0.05, shard_gib=6.5e-5)
"""50 kB of rows, 70 kB of media: here a video has about 16 kB of clips, 12 kB of frames and 22 kB of media."""


def contents(dataset: Path) -> dict[str, bytes]:
    return {str(path.relative_to(dataset)): path.read_bytes() for path in dataset.rglob("*") if path.is_file()}


def arrays_of(dataset: Path, name: str) -> list[dict[str, Any]]:
    """All rows of a table but for where the media lie."""
    places = {"media", "mp4_offset", "flac_offset"}
    columns = [column.name for column in TABLES[name].columns if column.name not in places]
    return read_table(dataset, name, columns).to_pylist()


def test_videos_are_divided_by_the_leading_bits_of_their_ids_until_they_fit() -> None:
    sizes = {"00": 4, "3f": 4, "40": 4, "80": 1, "ff": 30}
    assert [(leaf.prefix, leaf.videos) for leaf in leaves(sizes, 10)] == [
        ("00", ("00", "3f")),
        ("01", ("40",)),
        ("10", ("80",)),
        ("11", ("ff",)),  # larger than allowed, and alone
    ]
    assert [leaf.prefix for leaf in leaves(sizes, 43)] == [""]
    assert leaves({}, 10) == []


def test_stretches_of_one_file_are_divided_by_where_they_lie() -> None:
    file = "0123456789abcdef"
    sizes = {f"{file}_{first:07d}_{first + 100:07d}": 6 for first in (0, 4_000_000, 9_000_000)}
    found = leaves(sizes, 12)
    assert [video for leaf in found for video in leaf.videos] == sorted(sizes)
    assert [len(leaf.videos) for leaf in found] == [2, 1]
    assert all(bits_of(video).startswith(leaf.prefix) for leaf in found for video in leaf.videos)


def members_by_sample(tar: Path) -> dict[str, list[str]]:
    """Return the files of each sample of a tar, by the part of their names before the first dot."""
    samples: dict[str, list[str]] = {}
    with tarfile.open(tar) as archive:
        for name in archive.getnames():
            sample, kind = name.split(".", 1)
            samples.setdefault(sample, []).append(kind)
    return samples


def test_packed_tables_hold_the_rows_of_the_parts_in_the_order_of_the_ids(tmp_path: Path) -> None:
    dataset = put_videos(tmp_path, VIDEOS)
    rows = {name: arrays_of(dataset, name) for name in ("frames", "spans", "clips")}
    media = clip_bytes(dataset)
    compact(dataset, VIDEOS, SMALL)
    assert {name: arrays_of(dataset, name) for name in rows} == rows
    assert clip_bytes(dataset) == media
    assert not [path for path in dataset.rglob("*") if path.name[:16] in VIDEOS]


def test_files_are_as_large_as_allowed_and_named_after_bits_and_content(tmp_path: Path) -> None:
    dataset = put_videos(tmp_path, VIDEOS)
    compact(dataset, VIDEOS, SMALL)
    for table in ("frames", "clips"):
        files = table_files(dataset, table)
        assert 1 < len(files) < len(VIDEOS)
        for path in files:
            _, bits, digest = path.stem.split("-")
            assert path.stat().st_size < 2 * 50_000  # footers are not counted
            assert digest == sha256(path.read_bytes()).hexdigest()[:12]
            assert all(
                bits_of(v).startswith(bits) for v in pq.read_table(path, partitioning=None)["video_id"].to_pylist()
            )
    tars = sorted((dataset / "media").iterdir())
    assert [path.name.split("-")[1] for path in tars] == ["0", "1"]
    assert all(path.stat().st_size <= 6.5e-5 * 2**30 + 10_240 for path in tars)
    compact(dataset, VIDEOS, StorageSettings())
    assert [len(table_files(dataset, name)) for name in ("frames", "spans", "clips")] == [1, 1, 1]
    (tar,) = (dataset / "media").iterdir()
    with tarfile.open(tar) as archive:
        names = archive.getnames()
    clips = [row["clip_id"] for row in arrays_of(dataset, "clips")]
    assert names == [f"{clip_id}.{kind}" for clip_id in clips for kind in ("mp4", "flac", "json")]


def test_clips_without_sound_are_in_tars_of_their_own_so_that_all_samples_of_a_tar_have_the_same_files(
    tmp_path: Path,
) -> None:
    put_videos(tmp_path, VIDEOS[:3])
    for video in VIDEOS[3:]:
        put_video(tmp_path, video, with_sound=False)
    for _ in range(2):  # once more changes nothing
        compact(tmp_path, VIDEOS, StorageSettings())
        tars = {path.name: members_by_sample(path) for path in (tmp_path / "media").iterdir()}
        assert sorted(name.rsplit("-", 1)[0] for name in tars) == ["part-all", "part-mute-all"]
        for name, samples in tars.items():
            files = {"mp4", "json"} if "mute" in name else {"mp4", "flac", "json"}
            assert set(map(frozenset, samples.values())) == {frozenset(files)}
            mute = {video for video in VIDEOS if ("mute" in name) == (video in VIDEOS[3:])}
            assert {sample[:16] for sample in samples} == mute
    rows = arrays_of(tmp_path, "clips")
    assert len(rows) == 2 * len(VIDEOS)
    assert {row["flac_size"] is None for row in rows if row["video_id"] in VIDEOS[3:]} == {True}


def test_the_json_of_a_clip_has_the_numbers_and_words_of_its_row(tmp_path: Path) -> None:
    put_videos(tmp_path, VIDEOS)
    compact(tmp_path, VIDEOS, StorageSettings())
    (tar,) = (tmp_path / "media").iterdir()
    with tarfile.open(tar) as archive:
        files = [archive.extractfile(name) for name in archive.getnames() if name.endswith(".json")]
        found = {facts["clip_id"]: facts for facts in (json.loads(file.read()) for file in files if file)}
    rows = {row["clip_id"]: row for row in pq.read_table(table_files(tmp_path, "clips")[0]).to_pylist()}
    assert found.keys() == rows.keys()
    for clip_id, facts in found.items():
        assert facts == {name: rows[clip_id][name] for name in facts}
        assert {"video_id", "tier", "n_frames", "mp4_sha256"} <= facts.keys()
        assert not {"split", "person_id"} & facts.keys()  # later commands change them, and write no tar
        assert not {"landmarks", "media", "mp4_offset"} & facts.keys()


def test_a_clip_is_a_row_group_of_its_own(tmp_path: Path) -> None:
    dataset = put_videos(tmp_path, VIDEOS)
    compact(dataset, VIDEOS, StorageSettings())
    (path,) = table_files(dataset, "clips")
    footer = pq.read_metadata(path)
    assert [footer.row_group(k).num_rows for k in range(footer.num_row_groups)] == [1] * 2 * len(VIDEOS)


def test_a_video_larger_than_a_file_may_be_is_alone_in_one(tmp_path: Path) -> None:
    dataset = put_videos(tmp_path, VIDEOS)
    put_video(dataset, VIDEOS[1], n_clips=9, clip_bytes=9000)
    compact(dataset, VIDEOS, SMALL)
    (media,) = {row["media"] for row in read_table(dataset, "clips").to_pylist() if row["video_id"] == VIDEOS[1]}
    others = {row["media"] for row in read_table(dataset, "clips").to_pylist() if row["video_id"] != VIDEOS[1]}
    assert media not in others
    assert (dataset / media).stat().st_size > 80_000


def test_a_video_that_is_alone_keeps_or_gets_back_the_files_of_its_worker(tmp_path: Path) -> None:
    dataset = put_videos(tmp_path, VIDEOS[:1])
    before = contents(dataset)
    compact(dataset, VIDEOS[:1], StorageSettings())
    assert contents(dataset) == before
    put_videos(dataset, VIDEOS[1:])
    compact(dataset, VIDEOS, StorageSettings())
    assert not [name for name in contents(dataset) if VIDEOS[0] in name]
    compact(dataset, VIDEOS[:1], StorageSettings())
    assert contents(dataset) == before


def _at_once(dataset: Path) -> None:
    put_videos(dataset, VIDEOS)


def _in_two_halves(dataset: Path) -> None:
    put_videos(dataset, VIDEOS[:2])
    compact(dataset, VIDEOS[:2], SMALL)
    put_videos(dataset, VIDEOS[2:])


def _one_by_one_backwards(dataset: Path) -> None:
    for number, video_id in reversed(list(enumerate(VIDEOS))):
        put_video(dataset, video_id)
        compact(dataset, VIDEOS[number:], SMALL)


def _with_others_that_went(dataset: Path) -> None:
    others = ("0b00000000000000", "4c00000000000004", "f000000000000000")
    put_videos(dataset, (*VIDEOS, *others))
    compact(dataset, (*VIDEOS, *others), SMALL)


def _in_files_of_other_sizes(dataset: Path) -> None:
    put_videos(dataset, VIDEOS)
    compact(dataset, VIDEOS, StorageSettings())


def _curated_again(dataset: Path) -> None:
    put_video(dataset, VIDEOS[2], n_clips=5)
    put_videos(dataset, (v for v in VIDEOS if v != VIDEOS[2]))
    compact(dataset, VIDEOS, SMALL)
    put_video(dataset, VIDEOS[2])


@pytest.mark.parametrize(
    "history",
    [_in_two_halves, _one_by_one_backwards, _with_others_that_went, _in_files_of_other_sizes, _curated_again],
)
def test_the_bytes_do_not_tell_how_the_videos_came(history: Callable[[Path], None], tmp_path: Path) -> None:
    for name, way in (("plain", _at_once), ("other", history)):
        way(tmp_path / name)
        compact(tmp_path / name, VIDEOS, SMALL)
    assert contents(tmp_path / "other") == contents(tmp_path / "plain")


def test_another_video_leaves_the_files_of_others_alone(tmp_path: Path) -> None:
    dataset = put_videos(tmp_path, VIDEOS)
    compact(dataset, VIDEOS, SMALL)
    before = {path: path.stat().st_ino for path in dataset.rglob("*") if path.is_file()}
    compact(dataset, VIDEOS, SMALL)
    assert {path: path.stat().st_ino for path in dataset.rglob("*") if path.is_file()} == before
    put_video(dataset, "c000000000000009", n_clips=0)  # without clips: of `frames` and `spans` only
    compact(dataset, (*VIDEOS, "c000000000000009"), SMALL)
    after = {path: path.stat().st_ino for path in dataset.rglob("*") if path.is_file()}
    gone = [path for path in before if after.get(path) != before[path]]
    assert sorted(path.parent.name for path in gone) == ["frames", "spans"]
    assert next(path for path in gone if path.parent.name == "frames").name.startswith("part-1")


def test_what_no_record_vouches_for_goes_with_its_media(tmp_path: Path) -> None:
    dataset = put_videos(tmp_path, VIDEOS)
    compact(dataset, VIDEOS, SMALL)
    kept = [video_id for video_id in VIDEOS if video_id != VIDEOS[3]]
    lost = clip_bytes(dataset)
    (dataset / "media" / "left_behind.tar").write_bytes(b"by a stopped run")
    compact(dataset, kept, SMALL)
    for name in ("frames", "spans", "clips"):
        assert set(read_table(dataset, name, ["video_id"])["video_id"].to_pylist()) == set(kept)
    everything = b"".join(contents(dataset).values())
    assert VIDEOS[3].encode() not in everything
    for clip_id, (mp4, flac) in lost.items():
        assert (mp4 in everything, flac in everything) == (VIDEOS[3] not in clip_id,) * 2
    compact(dataset, (), SMALL)
    assert contents(dataset) == {}


class Killed(BaseException):
    """The process is gone."""


class FileOperations:
    """Counts what is done to files, and from one number on lets nothing more be done, as the kernel does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.n_done, self.last = 0, 10**9
        self.after_each: Callable[[], None] = lambda: None
        for owner, name in ((Path, "replace"), (Path, "unlink"), (os, "fsync"), (Path, "open"), (Path, "mkdir")):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name), name))

    def _counted(self, real: Callable[..., object], name: str) -> Callable[..., object]:
        def counted(*arguments: object, **named: object) -> object:
            if name == "open" and "w" not in str(arguments[1:2]):
                return real(*arguments, **named)
            if self.n_done >= self.last:
                raise Killed
            self.n_done += 1
            answer = real(*arguments, **named)
            self.after_each()
            return answer

        return counted


def _grown(dataset: Path) -> tuple[str, ...]:
    """Two packed videos, and three that came, which divide the files; and one that is to go."""
    put_videos(dataset, (*VIDEOS[:2], "4c00000000000004"))
    compact(dataset, (*VIDEOS[:2], "4c00000000000004"), StorageSettings(part_mb=0.1, shard_gib=1e-4))
    put_videos(dataset, VIDEOS[2:])
    return VIDEOS


@pytest.mark.slow
def test_a_stop_after_any_operation_loses_nothing_and_shows_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = _grown(tmp_path / "grown")
    shutil.copytree(tmp_path / "grown", tmp_path / "plain")
    media = {clip_id: both for clip_id, both in clip_bytes(tmp_path / "grown").items() if clip_id[:16] in live}
    compact(tmp_path / "plain", live, SMALL)
    wanted = contents(tmp_path / "plain")
    n_stops = 0
    for last in range(1, 10_000):
        dataset = tmp_path / f"stopped{last}"
        shutil.copytree(tmp_path / "grown", dataset)
        with monkeypatch.context() as patched:
            operations = FileOperations(patched)
            operations.last = last
            try:
                compact(dataset, live, SMALL)
                break
            except Killed:
                n_stops += 1
        seen = clip_bytes(dataset)
        assert {clip_id: both for clip_id, both in seen.items() if clip_id[:16] in live} == media
        for name in ("frames", "spans", "clips"):
            key = {"frames": "tick", "spans": "tier", "clips": "clip_id"}[name]
            rows = Counter(tuple(row.values()) for row in read_table(dataset, name, ["video_id", key]).to_pylist())
            per_video = Counter(video_id for video_id, _ in rows)
            assert set(rows.values()) == {1}
            assert [per_video[v] for v in live] == [{"frames": 20, "spans": 2, "clips": 2}[name]] * len(live)
            listed = Counter(
                row
                for path in (dataset / name).glob("*.parquet")
                if not path.name.startswith(".")
                for row in pq.read_table(path, columns=["video_id", key], partitioning=None)
                .to_pandas()
                .itertuples(index=False)
            )
            assert set(listed.values()) <= {1}  # for those who list the folder themselves
        compact(dataset, live, SMALL)
        assert contents(dataset) == wanted
        shutil.rmtree(dataset)
    assert n_stops > 100


@pytest.mark.parametrize("failing", [FRAMES, CLIPS], ids=lambda table: str(table.name))
def test_an_error_of_one_thread_ends_the_other_before_it_replaces_anything(
    failing: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = put_videos(tmp_path, VIDEOS)
    rows = {name: arrays_of(dataset, name) for name in ("frames", "clips")}
    files = {name: table_files(dataset, name) for name in rows}
    failed, write = threading.Event(), pack.write_packed

    def fail_or_wait(stream: BinaryIO, table: Table, pieces: Iterator[pa.Table], footer: dict[str, str]) -> str:
        if table is failing:
            failed.set()
            raise OSError(errno.EIO, "Input/output error")
        failed.wait()
        time.sleep(0.2)  # until the other thread has passed its error on
        return write(stream, table, pieces, footer)

    monkeypatch.setattr(pack, "write_packed", fail_or_wait)
    with pytest.raises(OSError, match="Input/output error"):
        compact(dataset, VIDEOS, SMALL)
    assert {name: table_files(dataset, name) for name in rows} == files
    monkeypatch.undo()
    compact(dataset, VIDEOS, SMALL)
    assert {name: arrays_of(dataset, name) for name in rows} == rows


def test_the_disk_has_to_hold_one_shard_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = _grown(tmp_path)
    before = sum(map(len, contents(tmp_path).values()))
    most = 0

    def weigh() -> None:
        nonlocal most
        most = max(most, sum(map(size, tmp_path.rglob("*"))))

    def size(path: Path) -> int:
        try:
            return path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # the other thread has removed it since it was listed
            return 0

    with monkeypatch.context() as patched:
        FileOperations(patched).after_each = weigh
        compact(tmp_path, live, SMALL)
    shard = max(path.stat().st_size for path in (tmp_path / "media").iterdir())
    tables = sum(path.stat().st_size for path in (tmp_path / "clips").iterdir())
    assert before < most <= before + 2 * shard + tables


def test_of_files_whose_rows_were_taken_nothing_is_kept(tmp_path: Path) -> None:
    put_videos(tmp_path, VIDEOS)
    gc.collect()
    before = {id(thing) for thing in gc.get_objects() if isinstance(thing, pq.ParquetFile)}  # of other tests
    with VideoRows(FRAMES, sources_of(table_inventory(tmp_path, FRAMES))) as rows:
        for video in VIDEOS:
            assert sum(len(piece) for piece in rows.of(video)) > 0
            files = [thing for thing in gc.get_objects() if isinstance(thing, pq.ParquetFile)]
            assert not [thing for thing in files if id(thing) not in before]


@pytest.mark.parametrize("column", ["video_id", "media", "mp4_size"])
def test_a_file_that_lacks_a_column_is_named(column: str, tmp_path: Path) -> None:
    put_videos(tmp_path, VIDEOS[:1])
    (path,) = (tmp_path / "clips").iterdir()
    rows = pq.ParquetFile(path).read()
    pq.write_table(rows.drop_columns([column]), path)
    with pytest.raises(DatasetError, match=rf"{path.name}: cannot be read: .*{column}"):
        table_inventory(tmp_path, CLIPS)
