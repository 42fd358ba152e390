"""Atomic, reproducible files; paths that are no valid text; tars that others can read."""

import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.storage.atomic import write_bytes_atomic, write_json_atomic
from foundation.storage.path_text import path_of_text, text_of_path
from manifests.errors import DatasetError
from manifests.files.tables import read_table, write_parquet
from manifests.files.tar import write_tar
from manifests.schema.arrow_arrays import array_column
from manifests.schema.columns import Column, Table
from manifests.schema.tables import TABLES
from manifests.schema.videos import SPANS

NUMBERS = Table(
    name="numbers",
    meaning="",
    row_group_rows=2,
    columns=(
        Column(name="name", type=pa.string(), unit="", shape="", meaning="", nullable=False),
        Column(name="points", type=pa.list_(pa.list_(pa.float32(), 2)), unit="", shape="", meaning="", nullable=True),
        Column(name="half", type=pa.list_(pa.float16()), unit="", shape="", meaning="", nullable=True),
    ),
)


def _numbers() -> pa.Table:
    walk = np.cumsum(np.random.default_rng(0).normal(0, 0.3, (5, 400, 2)), axis=1).astype(np.float32)
    half = array_column([None, *walk[1:, :, 0].astype(np.float16)], pa.list_(pa.float16()))
    return pa.table({"half": half, "name": list("abcde"), "points": array_column(walk, NUMBERS.columns[1].type)})


@given(st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name))
def test_every_file_name_survives_as_text(name: bytes) -> None:
    path = Path(os.fsdecode(name))
    text = text_of_path(path)
    assert text.encode("utf-8")
    assert path_of_text(text) == path


def test_parquet_files_have_columns_in_order_and_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    write_parquet(tmp_path / "1" / "a.parquet", _numbers(), NUMBERS)
    write_parquet(
        tmp_path / "2" / "b.parquet", pa.concat_tables([_numbers().slice(0, 3), _numbers().slice(3)]), NUMBERS
    )
    assert (tmp_path / "1" / "a.parquet").read_bytes() == (tmp_path / "2" / "b.parquet").read_bytes()
    read = pq.read_table(tmp_path / "1" / "a.parquet", partitioning=None)
    assert read.column_names == ["name", "points", "half"]
    assert read.equals(_numbers().select(read.column_names).cast(NUMBERS.arrow_schema()))
    assert pq.ParquetFile(tmp_path / "1" / "a.parquet").num_row_groups == 3


def test_float32_is_stored_as_split_streams_and_float16_is_not(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", _numbers(), NUMBERS)
    group = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0)
    encodings = {group.column(i).path_in_schema: group.column(i).encodings for i in range(group.num_columns)}
    assert "BYTE_STREAM_SPLIT" in encodings["points.list.element.list.element"]
    assert "BYTE_STREAM_SPLIT" not in encodings["half.list.element"]


def test_rows_that_do_not_fit_the_schema_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lack the columns \['half'\]"):
        write_parquet(tmp_path / "a.parquet", _numbers().drop_columns(["half"]), NUMBERS)
    nameless = _numbers().set_column(1, "name", pa.array([None] * 5, pa.string()))
    with pytest.raises(ValueError, match="are null in name"):
        write_parquet(tmp_path / "a.parquet", nameless, NUMBERS)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_bytes_atomic(path, b"old")
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json_atomic(path, {"a": float("nan")})
    with pytest.raises(TypeError):
        write_bytes_atomic(path, "text")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_keeps_order_and_unicode(tmp_path: Path) -> None:
    write_json_atomic(tmp_path / "a.json", {"b": "ä", "a": [1]})
    assert list(json.loads((tmp_path / "a.json").read_text())) == ["b", "a"]
    assert "ä" in (tmp_path / "a.json").read_text()


def test_a_missing_table_reads_as_no_rows_with_all_columns(tmp_path: Path) -> None:
    table = read_table(tmp_path, "spans")
    assert len(table) == 0
    assert table.schema.equals(SPANS.arrow_schema())


def test_unfinished_files_are_not_read_and_damaged_ones_are_named(tmp_path: Path) -> None:
    (tmp_path / "spans").mkdir()
    (tmp_path / "spans" / ".a.parquet").write_bytes(b"half")
    assert len(read_table(tmp_path, "spans")) == 0
    (tmp_path / "spans" / "b.parquet").write_bytes(b"half")
    with pytest.raises(DatasetError, match=r"b\.parquet: no readable part of table spans"):
        read_table(tmp_path, "spans")


def test_tar_members_lie_where_the_ranges_say_and_tarfile_agrees(tmp_path: Path) -> None:
    members = [("x.mp4", b"a" * 513), ("x.flac", b""), ("y.mp4", b"b" * 512)]
    for name in ("1.tar", "2.tar"):
        ranges = write_tar(tmp_path / name, members)
    content = (tmp_path / "1.tar").read_bytes()
    assert content == (tmp_path / "2.tar").read_bytes()
    assert [content[r.offset : r.offset + r.size] for r in ranges] == [inside for _, inside in members]
    with tarfile.open(tmp_path / "1.tar") as tar:
        assert [(m.name, m.mtime, m.uid, m.offset_data) for m in tar] == [
            (name, 0, 0, where.offset) for (name, _), where in zip(members, ranges, strict=True)
        ]
    with pytest.raises(ValueError, match="share a name"):
        write_tar(tmp_path / "3.tar", [members[0], members[0]])


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_without_rows_that_was_written_is_read(tmp_path: Path, table: Table) -> None:
    path = tmp_path / table.name / "part.parquet"
    write_parquet(path, table.arrow_schema().empty_table(), table)
    assert len(read_table(tmp_path, table.name)) == 0
