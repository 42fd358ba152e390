"""A dataset's files on an S3 server: what is written, what is read, and how much of it."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from helpers.store_server import StoreServer

from foundation.storage import locations as storage
from foundation.storage.atomic import replacing, write_bytes_atomic
from foundation.storage.locations import StorageError, files_in, location, read_all, remote_of, store_errors
from foundation.storage.path_text import path_of_text, text_of_path
from foundation.storage.staged import StagedFiles
from manifests.files.media import MediaError
from manifests.files.tables import read_table, table_files, write_parquet
from manifests.files.tar import MemberRange, member_name_at, read_member, write_tar
from manifests.reports.queries import QueryError, query
from manifests.schema.tables import TABLES


def test_local_paths_stay_pathlib_and_import_nothing_of_object_stores() -> None:
    program = (
        "import sys, manifests.files.tables, manifests.files.media, manifests.reports.queries;"
        "import curation.sources.discover;"
        "from foundation.storage.locations import location; from pathlib import PosixPath;"
        "assert type(location('a/b')) is PosixPath and location('file:///a') == PosixPath('/a');"
        "assert not {'fsspec', 'upath', 's3fs', 'aiohttp', 'botocore'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("text", ["s3://bucket/a b/100%25 ü.mp4", "memory://x/y.mp4", "https://host/a%25b.mp4"])
def test_an_address_is_written_as_text_and_read_back(text: str) -> None:
    assert text_of_path(path_of_text(text)) == text


def test_an_object_is_there_whole_or_not_at_all(bucket: Path) -> None:
    path = bucket / "folder" / "file.bin"
    write_bytes_atomic(path, b"before")

    def write_half() -> None:
        with replacing(path) as stream:
            stream.write(b"new")
            raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        write_half()
    assert path.read_bytes() == b"before"


def test_objects_are_put_stage_after_stage_and_none_after_an_error(bucket: Path, s3: StoreServer) -> None:
    def write(*, fails: bool) -> None:
        with StagedFiles() as files:
            for name in ("first", "second"):
                with files.replacing(bucket / f"{name}.bin") as stream:
                    stream.write(name.encode())
                files.next_stage()
            if fails:
                raise OSError("no more")

    s3.forget()
    with pytest.raises(OSError, match="no more"):
        write(fails=True)
    assert [method for method, _ in s3.requests if method == "PUT"] == []
    write(fails=False)
    put = [path for method, path in s3.requests if method == "PUT"]
    assert [path.rpartition("/")[2].partition("?")[0] for path in put] == ["first.bin", "second.bin"]
    assert (bucket / "second.bin").read_bytes() == b"second"


def test_an_object_beyond_what_is_held_in_memory_is_put_in_parts(
    bucket: Path, s3: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "IN_MEMORY_BYTES", 5 << 20)
    content = bytes(range(256)) * (48 << 10)  # 12 MiB
    s3.forget()
    write_bytes_atomic(bucket / "large.bin", content)
    assert (bucket / "large.bin").read_bytes() == content
    assert sum(method == "PUT" for method, _ in s3.requests) == 3


def test_small_files_are_read_in_order_and_hidden_or_other_ones_are_not_listed(bucket: Path) -> None:
    for name in ("b.json", "a.json", ".hidden.json", "c.txt", "deeper/d.json"):
        write_bytes_atomic(bucket / "ledger" / name, name.encode())
    paths = files_in(bucket / "ledger", ".json")
    assert [path.name for path in paths] == ["a.json", "b.json"]
    assert list(read_all(paths, 6)) == [b"a.json", b"b.json"]
    assert list(read_all(paths[:1], 6)) == [b"a.json"]
    assert files_in(bucket / "nothing", ".json") == []


def test_what_another_process_writes_is_seen_at_once(bucket: Path, s3: StoreServer) -> None:
    import botocore.session

    assert files_in(bucket / "ledger", ".json") == []
    client = botocore.session.get_session().create_client("s3", endpoint_url=s3.url)
    client.put_object(Bucket=remote_of(bucket).path.strip("/"), Key="ledger/new.json", Body=b"{}")
    assert [path.name for path in files_in(bucket / "ledger", ".json")] == ["new.json"]


def test_tables_are_those_of_the_local_dataset(copied: Path, curated_sample: Path) -> None:
    for name in TABLES:
        assert [path.name for path in table_files(copied, name)] == [
            path.name for path in table_files(curated_sample, name)
        ]
        assert _content(read_table(copied, name)) == _content(read_table(curated_sample, name))


def _content(table: pa.Table) -> bytes:
    """Return the bytes of a table, for a score that is NaN equals no other."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def test_parquet_and_tar_have_the_bytes_of_local_ones(copied: Path, tmp_path: Path) -> None:
    rows = read_table(copied, "clips")
    ranges = []
    for folder in (copied / "again", tmp_path):
        write_parquet(folder / "clips.parquet", rows, TABLES["clips"])
        ranges.append(write_tar(folder / "media.tar", [("a.mp4", b"x" * 700), ("a.flac", b"y")]))
    assert ranges[0] == ranges[1]
    for name in ("clips.parquet", "media.tar"):
        assert (copied / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_only_the_bytes_of_a_clip_are_fetched(copied: Path, curated_sample: Path, s3: StoreServer) -> None:
    (row,) = read_table(copied, "clips", ["clip_id", "media", "mp4_offset", "mp4_size"]).slice(0, 1).to_pylist()
    where = MemberRange(offset=row["mp4_offset"], size=row["mp4_size"])
    s3.forget()
    content = read_member(copied, row["media"], where)
    assert s3.sent_bytes == where.size
    assert content == read_member(curated_sample, row["media"], where)
    assert member_name_at(copied, row["media"], where) == f"{row['clip_id']}.mp4"


@pytest.mark.parametrize("media", ["../other/x.tar", "/copied/x.tar", "s3://copied/x.tar", "media/../../x.tar"])
def test_no_media_outside_the_dataset_is_read(copied: Path, media: str, s3: StoreServer) -> None:
    s3.forget()
    with pytest.raises(MediaError, match="outside the dataset"):
        read_member(copied, media, MemberRange(offset=0, size=1))
    assert s3.requests == []


def test_a_missing_tar_and_a_range_past_its_end_are_told(copied: Path) -> None:
    with pytest.raises(MediaError, match=r"gone\.tar"):
        read_member(copied, "media/gone.tar", MemberRange(offset=0, size=1))
    (media,) = files_in(copied / "media", ".tar")
    size = media.stat().st_size
    with pytest.raises(MediaError, match=r"past the end|range"):
        read_member(copied, f"media/{media.name}", MemberRange(offset=size - 1, size=2))


def test_one_column_of_a_table_is_fetched_and_not_the_file(copied: Path, s3: StoreServer) -> None:
    whole = sum(path.stat().st_size for path in table_files(copied, "frames"))
    s3.forget()
    read_table(copied, "frames", ["tick"])
    assert s3.sent_bytes < whole / 4


def test_a_query_sees_the_rows_of_the_dataset(copied: Path, curated_sample: Path) -> None:
    sql = "SELECT v.path, count(*), sum(s.end_s - s.start_s) FROM spans s JOIN videos v USING (video_id) GROUP BY 1"
    assert query(copied, sql).rows == query(curated_sample, sql).rows


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_parquet('s3://copied/talks/clips/*.parquet')",
        "SELECT * FROM 's3://copied/talks/dataset.json'",
        "COPY videos TO 's3://copied/talks/videos/videos.parquet'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
    ],
)
def test_a_query_reaches_nothing_else_and_writes_nothing(copied: Path, sql: str, s3: StoreServer) -> None:
    s3.forget()
    with pytest.raises(QueryError):
        query(copied, sql)
    assert {method for method, _ in s3.requests} <= {"GET", "HEAD"}


def test_a_package_that_is_missing_is_named_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(StorageError, match=r"pip install 'gaia-avatar\[gs\]'"):
        location("gs://bucket/dataset")


def test_an_unknown_protocol_is_told_with_the_known_ones() -> None:
    with pytest.raises(StorageError, match=r"foo:// is no protocol.*s3"):
        location("foo://bucket/dataset")


def test_whatever_a_package_raises_becomes_an_error_of_storage_that_names_the_address() -> None:
    path = location("memory://x/y")
    with pytest.raises(StorageError, match="memory://x/y: RuntimeError: no route"), store_errors(path):
        raise RuntimeError("no route")
    with pytest.raises(FileNotFoundError), store_errors(path):
        raise FileNotFoundError("y")
