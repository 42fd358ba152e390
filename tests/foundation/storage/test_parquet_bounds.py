"""Parquet files of a few hundred bytes that would fill the memory are refused before they are decoded."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as pq
import pytest

from foundation.storage.arrow import open_parquet, read_parquet
from foundation.storage.parquet_pages import OversizedError, leaves_of
from manifests.files.scans import arrow_rows

_MIB = 1 << 20


def _texts(path: Path) -> pa.Schema:
    """A gigabyte: one text of a MiB, a thousand times, stored once."""
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000, np.int32)), pa.array(["x" * _MIB]))
    pq.write_table(pa.table({"a": texts, "b": pa.array(range(1_000))}), path, compression="zstd", store_schema=False)
    return pa.schema([("a", pa.string()), ("b", pa.int64())])


def _numbers(path: Path) -> pa.Schema:
    """560 MB: one list of 140 million nulls."""
    zeros = pa.ListArray.from_arrays(pa.array([0, 140_000_000], pa.int32()), pa.nulls(140_000_000, pa.float32()))
    pq.write_table(pa.table({"a": zeros, "b": pa.array([1])}), path, compression="zstd")
    return pa.schema([("a", pa.list_(pa.float32())), ("b", pa.int64())])


def _rows(path: Path) -> pa.Schema:
    """640 MB: 40 million equal rows."""
    zeros = pa.array(np.zeros(40_000_000, np.int64))
    table = pa.table({"a": zeros, "c": zeros})
    pq.write_table(table, path, compression="zstd", row_group_size=len(zeros))
    return table.schema


def _nulls(path: Path) -> pa.Schema:
    """800 MB: 200 nulls of a list whose fixed length is a million."""
    table = pa.table({"a": pa.nulls(200, pa.list_(pa.float32(), 1_000_000)), "b": pa.array(range(200))})
    pq.write_table(table, path)
    return table.schema


@pytest.mark.parametrize("make", [_texts, _numbers, _rows, _nulls])
def test_a_small_file_of_large_content_is_refused(tmp_path: Path, make: Callable[[Path], pa.Schema]) -> None:
    path = tmp_path / "a.parquet"
    schema = make(path)
    assert path.stat().st_size < 500_000
    held = pa.total_allocated_bytes()
    with pytest.raises(OversizedError, match=r"a\.parquet: .* would take [0-9,]{2,} "):
        read_parquet(path)
    with open_parquet(path) as file, pytest.raises(OversizedError):
        file.read_row_group(0)
    with open_parquet(path) as file, pytest.raises(OversizedError):
        list(file.iter_batches(batch_size=1))
    rows = arrow_rows([path], schema)
    with pytest.raises(OversizedError):
        rows.to_table()
    with pytest.raises(OversizedError):
        rows.to_table(columns=[], filter=arrow_dataset.field("a").is_valid())
    with pytest.raises(OversizedError):
        rows.filter(arrow_dataset.field("a").is_valid()).to_table(columns=[])
    assert pa.total_allocated_bytes() - held < _MIB


@pytest.mark.parametrize("make", [_texts, _nulls])
def test_the_other_columns_of_such_a_file_are_read(tmp_path: Path, make: Callable[[Path], pa.Schema]) -> None:
    path = tmp_path / "a.parquet"
    schema = make(path)
    n_rows = 1_000 if make is _texts else 200
    assert read_parquet(path, ["b"])["b"].to_pylist() == list(range(n_rows))
    assert arrow_rows([path], schema).to_table(columns=["b"]).num_rows == n_rows


def test_many_rows_of_short_and_of_different_texts_are_read(tmp_path: Path) -> None:
    """65,536 rows of 1,000 paths; a bound that took all of the dictionary for each row would be 4 GB."""
    table = pa.table(
        {"a": pa.array([f"/videos/of/a/speaker/with/a/long/name/{k % 1000:08d}.mp4" for k in range(65_536)])}
    )
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd")
    assert read_parquet(tmp_path / "a.parquet").equals(table)


def test_numbers_in_the_footer_do_not_excuse_those_in_the_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    _numbers(path)
    content = path.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    stated = _variable(2 * 140_000_000)
    one = bytes([0x82, *[0x80] * (len(stated) - 2), 0x00])  # 2 in as many bytes, as the protocol allows
    path.write_bytes(content[:footer] + content[footer:].replace(stated, one))
    assert pq.read_metadata(path).row_group(0).column(0).num_values == 1
    with open_parquet(path) as file, pytest.raises(OversizedError):
        file.read_row_group(0)


def test_an_encoding_that_shares_beginnings_of_texts_is_refused(tmp_path: Path) -> None:
    table = pa.table({"a": pa.array(["x" * _MIB] * 10)})
    pq.write_table(table, tmp_path / "a.parquet", use_dictionary=False, column_encoding={"a": "DELTA_BYTE_ARRAY"})
    with pytest.raises(OversizedError, match="the encoding 7, which no dataset has"):
        read_parquet(tmp_path / "a.parquet")


@pytest.mark.parametrize("spoil", [0x00, 0x19, 0xFF])
def test_a_damaged_header_of_a_page_is_an_error_of_arrow(tmp_path: Path, spoil: int) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": pa.array(range(1_000))}), path)
    content = bytearray(path.read_bytes())
    content[4:12] = struct.pack("8B", *[spoil] * 8)
    path.write_bytes(content)
    with pytest.raises(pa.ArrowInvalid):
        read_parquet(path)


def test_types_that_no_dataset_has_are_refused() -> None:
    with pytest.raises(OversizedError, match="map"):
        leaves_of(pa.map_(pa.string(), pa.int32()))
    assert leaves_of(pa.struct([("a", pa.list_(pa.float32(), 52)), ("b", pa.list_(pa.string()))])) == [
        (52, False),
        (1, True),
    ]


def _variable(number: int) -> bytes:
    """A number in groups of seven bits, the lowest first."""
    groups = []
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    return bytes([*groups, number])
