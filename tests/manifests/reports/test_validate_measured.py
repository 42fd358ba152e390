"""What `validate` says where `frames`, `spans` and `clips` contradict each other about what was measured."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from manifests.files.tables import write_parquet
from manifests.reports.statistics import statistics
from manifests.reports.validate import validate
from manifests.schema.tables import TABLES


def put(dataset: Path, name: str, part: str, **columns: list[object]) -> None:
    path = dataset / name / part
    table = pq.read_table(path, partitioning=None)
    for column, values in columns.items():
        number = table.column_names.index(column)
        table = table.set_column(number, column, pa.array(values, table.schema.field(column).type))
    write_parquet(path, table, TABLES[name])


@pytest.fixture
def coarse(dataset: Path) -> Path:
    """Of the 200 ticks of `a.mp4`, 100 to 119 lie in no core: every fifth has faces that nobody follows."""
    tick = np.arange(200)
    measured, grid = (tick < 100) | (tick >= 120), tick % 5 == 0
    put(
        dataset, "frames", "a.parquet",
        measured=measured.tolist(), grid=grid.tolist(), n_faces=(measured | grid).astype(int).tolist(),
        track_id=[0 if one else None for one in measured],
    )  # fmt: skip
    spans = pq.read_table(dataset / "spans" / "spans.parquet").to_pylist()
    put(dataset, "spans", "spans.parquet", on_grid=[one["outcome"] == "frontal" for one in spans])
    return dataset


def found(dataset: Path) -> str:
    return "\n".join(str(problem) for problem in validate(dataset))


def test_a_dataset_that_says_what_was_measured_is_valid_and_counts_it(coarse: Path) -> None:
    assert found(coarse) == ""
    told = statistics(coarse)
    assert (told.unmeasured_s, told.asked_s) == (0.8, 10.0)
    assert "Measured on every tick: 92% of what was asked for." in told.text()


@pytest.mark.parametrize(
    ("name", "part", "column", "row", "value", "expected"),
    [
        ("frames", "a.parquet", "grid", 7, None, "1 tick has only one of `measured` and `grid`"),
        ("frames", "a.parquet", "n_faces", 101, 1, "1 tick with faces that was not looked at"),
        ("frames", "a.parquet", "track_id", 105, 0, "1 tick that was not measured has a face that is followed"),
        (
            "frames",
            "a.parquet",
            "interpolated",
            106,
            True,
            "1 tick that was not measured has a face that is followed",
        ),
        ("frames", "a.parquet", "mask_prob", 110, 0.5, "1 tick that was not measured has a mask_prob"),
        ("frames", "a.parquet", "measured", 99, False, "1 of its ticks not measured"),
        ("spans", "spans.parquet", "on_grid", 0, True, "is kept, and on_grid says that its borders are not exact"),
    ],
)
def test_what_contradicts_it_is_named(
    coarse: Path, name: str, part: str, column: str, row: int, value: object, expected: str
) -> None:
    values = pq.read_table(coarse / name / part, partitioning=None)[column].to_pylist()
    values[row] = value
    put(coarse, name, part, **{column: values})
    assert expected in found(coarse)


def test_a_span_on_the_grid_of_a_video_without_one_is_named(coarse: Path) -> None:
    put(coarse, "frames", "a.parquet", measured=[None] * 200, grid=[None] * 200)
    assert "is on_grid, and `frames` names no grid of its video" in found(coarse)
