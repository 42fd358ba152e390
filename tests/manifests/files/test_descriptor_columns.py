"""Descriptors in tables: told by the footers alone, and taken out of rows of which all else stays."""

from pathlib import Path

import pyarrow as pa
import pytest
from helpers.made_parts import table_of

from manifests.errors import DatasetError
from manifests.files.descriptor_columns import holds_descriptors, without_descriptors
from manifests.files.tables import read_table, write_parquet
from manifests.schema.clips import CLIPS
from manifests.schema.frames import FRAMES

MADE = {"video_id": "0a00000000000001", "time_s": 0.0, "decoded": True, "n_faces": 1, "interpolated": False}


def frames(main: list[list[float] | None], others: list[list[list[float] | None] | None]) -> pa.Table:
    """One row per tick: the main face's descriptor, and those of the other faces."""
    rows = [
        {
            **MADE,
            "tick": tick,
            "track_id": 0,
            "descriptor": own,
            "other_faces": None
            if faces is None
            else [{"track_id": number, "luma": 7.0, "descriptor": one} for number, one in enumerate(faces)],
        }
        for tick, (own, faces) in enumerate(zip(main, others, strict=True))
    ]
    return table_of("frames", rows)


@pytest.mark.parametrize(
    ("main", "others", "expected"),
    [
        ([None, None], [[], None], False),
        ([None, [0.5, 0.25]], [[], []], True),
        ([None, None], [[], [None, [0.5, 0.25]]], True),
        ([None, None], [[None], [None, None]], False),
    ],
)
def test_a_dataset_holds_descriptors_where_any_face_has_one(
    tmp_path: Path, main: list[list[float] | None], others: list[list[list[float] | None] | None], expected: bool
) -> None:
    write_parquet(tmp_path / "frames" / "a.parquet", frames(main, others), FRAMES)
    assert holds_descriptors(tmp_path) is expected


def test_rows_without_descriptors_are_otherwise_the_same(tmp_path: Path) -> None:
    own: list[list[float] | None] = [[1.0, 2.0], None, [3.0, 4.0], None]
    rows = frames(own, [[[5.0, 6.0], None], [], None, [[7.0, 8.0]]])
    emptied = without_descriptors(pa.concat_tables([rows.slice(0, 1), rows.slice(1)]))
    expected = frames([None] * 4, [[None, None], [], None, [None]])
    assert emptied.to_pylist() == expected.to_pylist()
    assert emptied.schema == rows.schema
    write_parquet(tmp_path / "frames" / "a.parquet", emptied, FRAMES)
    assert read_table(tmp_path, "frames").to_pylist() == expected.to_pylist()
    assert not holds_descriptors(tmp_path)


def test_the_mean_of_a_clip_is_a_descriptor_too() -> None:
    columns = {name: pa.nulls(1, CLIPS.column(name).type) for name in CLIPS.arrow_schema().names}
    clip = pa.table({**columns, "identity": pa.array([[0.5, 0.25]], CLIPS.column("identity").type)})
    assert without_descriptors(clip)["identity"].to_pylist() == [None]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "a.parquet").write_bytes(b"PAR1 no table PAR1")
    with pytest.raises(DatasetError, match=r"a\.parquet: cannot be read"):
        holds_descriptors(tmp_path)
