"""Arrays read from their own bytes: those that Arrow reads, and of whatever else there is, none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foundation.storage.array_columns import ArrayKind, array_kind, array_ranges
from foundation.storage.parquet_arrays import array_in
from manifests.files.tables import parquet_options
from manifests.schema.arrow_arrays import array_column, numpy_of
from manifests.schema.clips import CLIPS
from training.latents.files import LATENTS

POINTS = CLIPS.column("landmarks").field
POSE = CLIPS.column("pose_deg").field
SPEECH = CLIPS.column("speech_features").field
LATENT = LATENTS.column("latents").field


def _written(path: Path, field: pa.Field, column: pa.Array, **options: object) -> tuple[bytes, int, int]:
    """Write rows in a row group each, and return the file, and where the last row's array lies in it."""
    rows = pa.table([column], schema=pa.schema([field]))
    pq.write_table(rows, path, row_group_size=1, **{**parquet_options(rows.schema), **options})
    start, size = array_ranges(pq.read_metadata(path), [array_kind(field)])[-1, 0].tolist()
    return path.read_bytes(), start, size


def _stored(path: Path, field: pa.Field, array: np.ndarray, **options: object) -> bytes:
    content, start, size = _written(path, field, array_column([array], field.type), **options)
    return content[start : start + size]


def _numbers(*shape: int, seed: int = 0, kind: type = np.float32) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(kind)


@pytest.mark.parametrize(
    ("field", "shape", "inner"),
    [
        (POINTS, (7, 68, 2), (68, 2)),
        (POINTS, (1, 1, 2), (1, 2)),
        (POINTS, (1, 478, 2), (478, 2)),
        (POINTS, (253, 68, 2), (68, 2)),
        (POINTS, (600, 478, 2), (478, 2)),  # in three pages, whose limits lie within frames
        (POSE, (5, 3), (3,)),
        (POSE, (1, 3), (3,)),
        (POSE, (700, 3), (3,)),
        (SPEECH, (90, 384), (None,)),  # levels in runs and groups in turn
        (SPEECH, (3, 5), (5,)),
        (SPEECH, (81, 52), (None,)),  # whose runs begin within groups of eight
        (SPEECH, (4, 1), (None,)),
        (LATENT, (100, 768), (768,)),
    ],
    ids=str,
)
def test_an_array_is_the_one_that_arrow_reads(
    tmp_path: Path, field: pa.Field, shape: tuple[int, ...], inner: tuple[int | None, ...]
) -> None:
    kind, numbers = array_kind(field), _numbers(*shape).astype(array_kind(field).number)
    content = _stored(tmp_path / "a", field, numbers)
    (expected,) = numpy_of(pq.read_table(tmp_path / "a")[field.name])
    for _ in range(2):  # the second time its levels are known
        found = array_in(content, kind, inner, shape[0])
        assert found is not None
        assert found.dtype == numbers.dtype
        assert np.array_equal(found, numbers)
        assert np.array_equal(found, expected)
    rows = [shape[0] - 1, 0]
    some = array_in(content, kind, inner, shape[0], rows)
    assert some is not None
    assert np.array_equal(some, numbers[rows])


def test_each_row_has_its_own_range(tmp_path: Path) -> None:
    arrays = [_numbers(count, 3, seed=count) for count in (3, 9, 4)]
    content, _, _ = _written(tmp_path / "a", POSE, array_column(arrays, POSE.type))
    ranges = array_ranges(pq.read_metadata(tmp_path / "a"), [array_kind(POSE)])[:, 0].tolist()
    for (start, size), array in zip(ranges, arrays, strict=True):
        found = array_in(content[start : start + size], array_kind(POSE), (3,), len(array))
        assert np.array_equal(found, array)


@pytest.mark.parametrize(
    ("inner", "n_rows"), [((68, 2), 8), ((68, 2), 6), ((34, 4), 7), ((2,), 476), ((68, 2, 1), 7), ((67, 2), 7)]
)
def test_an_array_of_another_shape_is_left_to_arrow(tmp_path: Path, inner: tuple[int, ...], n_rows: int) -> None:
    content = _stored(tmp_path / "a", POINTS, _numbers(7, 68, 2))
    assert array_in(content, array_kind(POINTS), inner, n_rows) is None


def test_lists_of_different_lengths_are_no_array_though_there_are_as_many_numbers(tmp_path: Path) -> None:
    uneven = pa.array([[[[1, 2], [3, 4], [5, 6]], [[7, 8]]]], POINTS.type)
    content, start, size = _written(tmp_path / "a", POINTS, uneven)
    assert array_in(content[start : start + size], array_kind(POINTS), (2, 2), 2) is None
    uneven = pa.array([[[1.0, 2.0, 3.0], [4.0]]], SPEECH.type)
    content, start, size = _written(tmp_path / "a", SPEECH, uneven)
    assert array_in(content[start : start + size], array_kind(SPEECH), (None,), 2) is None


@pytest.mark.parametrize("column", [[None], [[]], [[[0.5, None], [1.0, 2.0]]], [[None, [1.0, 2.0]]], [[[], [1.0]]]])
def test_what_is_null_or_empty_is_left_to_arrow(tmp_path: Path, column: list[Any]) -> None:
    content, start, size = _written(tmp_path / "a", SPEECH, pa.array(column, SPEECH.type))
    assert array_in(content[start : start + size], array_kind(SPEECH), (None,), 2) is None


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "snappy", "compression_level": None},
        {"data_page_version": "2.0"},
        {"use_dictionary": True, "use_byte_stream_split": False},
    ],
    ids=str,
)
def test_what_another_writer_wrote_is_left_to_arrow(tmp_path: Path, options: dict[str, Any]) -> None:
    column = array_column([_numbers(9, 3)], POSE.type)
    content, start, size = _written(tmp_path / "a", POSE, column, **options)
    assert array_in(content[start : start + size], array_kind(POSE), (3,), 9) is None


def test_several_rows_in_a_row_group_and_another_type_have_no_range(tmp_path: Path) -> None:
    arrays = [_numbers(9, 3), _numbers(9, 3)]
    pq.write_table(pa.table([array_column(arrays, POSE.type)], schema=pa.schema([POSE])), tmp_path / "a")
    assert array_ranges(pq.read_metadata(tmp_path / "a"), [array_kind(POSE)]).tolist() == [[[0, 0]]]
    other = pa.list_(pa.list_(pa.float64(), 3))
    rows = pa.table({POSE.name: array_column(arrays[:1], other), "more": [1]})
    pq.write_table(rows, tmp_path / "a", compression="zstd")
    kinds = [array_kind(POSE), array_kind(SPEECH)]
    assert array_ranges(pq.read_metadata(tmp_path / "a"), kinds).tolist() == [[[0, 0], [0, 0]]]


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("field", "inner"), [(POSE, (3,)), (SPEECH, (3,))])
def test_a_number_that_is_not_finite_is_found_in_rows_that_are_not_asked_for(
    tmp_path: Path, field: pa.Field, inner: tuple[int, ...], number: float
) -> None:
    numbers = _numbers(9, 3).astype(array_kind(field).number)
    whole = _stored(tmp_path / "a", field, numbers)
    assert array_in(whole, array_kind(field), inner, 9, [2], finite=True) is not None
    numbers[4, 1] = number
    spoilt = _stored(tmp_path / "a", field, numbers)
    assert array_in(spoilt, array_kind(field), inner, 9, [2], finite=True) is None
    assert np.array_equal(array_in(spoilt, array_kind(field), inner, 9, [2]), numbers[[2]])


def _cut(content: bytearray, draw: np.random.Generator) -> None:
    del content[draw.integers(len(content)) :]


def _struck(content: bytearray, draw: np.random.Generator) -> None:
    content[draw.integers(min(64, len(content)))] = draw.integers(256)


def _doubled(content: bytearray, _: np.random.Generator) -> None:
    content.extend(bytes(content))


@pytest.mark.parametrize("spoil", [_cut, _struck, _doubled])
def test_spoilt_bytes_give_an_array_of_the_expected_shape_or_none(
    tmp_path: Path, spoil: Callable[[bytearray, np.random.Generator], None]
) -> None:
    stored, draw = _stored(tmp_path / "a", POINTS, _numbers(7, 68, 2)), np.random.default_rng(1)
    refused = 0
    for _ in range(300):
        content = bytearray(stored)
        spoil(content, draw)
        found = array_in(bytes(content), array_kind(POINTS), (68, 2), 7)
        assert found is None or found.shape == (7, 68, 2)
        refused += found is None
    assert refused > 100


def test_no_memory_is_reserved_for_what_a_page_only_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = np.zeros((4_000, 3), np.float32)
    content, kind = _stored(tmp_path / "a", POSE, zeros), array_kind(POSE)
    asked: list[int] = []
    decompress = pa.decompress

    def noted(stored: memoryview, n_bytes: int, **options: object) -> bytes:
        asked.append(n_bytes)
        return bytes(decompress(stored, n_bytes, **options))

    monkeypatch.setattr(pa, "decompress", noted)
    assert array_in(content, kind, (3,), 4_000) is not None
    assert array_in(content, kind, (3,), 3_999) is None  # there are more numbers than are expected
    assert len(asked) == 1


def test_only_arrays_of_numbers_have_a_kind() -> None:
    assert isinstance(array_kind(POINTS), ArrayKind)
    for data_type in (pa.string(), pa.list_(pa.float32()), pa.list_(pa.list_(pa.float64()))):
        with pytest.raises(ValueError, match="no column of arrays"):
            array_kind(pa.field("a", data_type))
