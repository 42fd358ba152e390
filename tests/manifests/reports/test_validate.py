"""What `validate` says of a whole dataset, and of one that was spoilt in one place."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.older_datasets import LATER_COLUMNS, make_older

from manifests.errors import DatasetError
from manifests.files.tables import read_table, write_parquet
from manifests.packing.packed_files import sources_of, table_inventory
from manifests.packing.rows import VideoRows
from manifests.reports.queries import query
from manifests.reports.validate import validate
from manifests.schema.arrow_arrays import array_column, numpy_of
from manifests.schema.clips import CLIPS
from manifests.schema.frames import FRAMES
from manifests.schema.tables import TABLES


def _rewrite(dataset: Path, name: str, part: str, change: Callable[[pa.Table], pa.Table]) -> None:
    path = dataset / name / part
    write_parquet(path, change(pq.read_table(path, partitioning=None)), TABLES[name])


def _set(column: str, row: int, value: object) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        values = table.column(column).to_pylist()
        values[row] = value
        number = table.column_names.index(column)
        return table.set_column(number, column, pa.array(values, table.schema.field(column).type))

    return change


def _texts(dataset: Path) -> str:
    return "\n".join(str(problem) for problem in validate(dataset))


def test_a_whole_dataset_has_no_problem(dataset: Path) -> None:
    assert validate(dataset) == []


@pytest.mark.parametrize(
    ("table", "part", "change", "expected"),
    [
        ("spans", "spans.parquet", _set("end_s", 1, 4.76), "tier diffusion has a gap from 4.76 to 4.8 s"),
        ("spans", "spans.parquet", _set("start_s", 1, 3.96), "tier diffusion has an overlap from 3.96 to 4.0 s"),
        ("spans", "spans.parquet", _set("end_s", 2, 7.0), "tier diffusion has a gap from 7.0 to 8.0 s"),
        ("spans", "spans.parquet", _set("outcome", 1, "boredom"), "outcome 'boredom' is unknown"),
        ("spans", "spans.parquet", _set("clip_id", 0, None), "is kept and has clip_id None"),
        ("spans", "spans.parquet", _set("outcome", 5, "mask"), "is mask and has clip_id"),
        ("spans", "spans.parquet", lambda t: t.slice(0, 6), "tier vae has a gap from 0.0 to 2.0 s"),
        ("clips", "a.parquet", lambda t: t.slice(0, 1), "tier vae keeps ticks 120 to 200 for this clip, which `clips`"),
        ("clips", "a.parquet", lambda t: pa.concat_tables([t, t]), "or the clip has two rows"),
        ("clips", "a.parquet", _set("n_frames", 0, 99), "mp4 has 100 frames, the row says 99"),
        ("clips", "a.parquet", _set("n_frames", 0, 99), "flac has 64,000 samples, 99 frames need 63,360"),
        ("clips", "a.parquet", _set("n_frames", 1, 79), "landmarks has 80 rows, the clip 79 frames"),
        ("clips", "a.parquet", _set("mp4_sha256", 0, "0" * 64), "do not have the sha256"),
        ("clips", "a.parquet", _set("mp4_offset", 0, 0), "is no member of the tar"),
        ("clips", "a.parquet", _set("mp4_offset", 0, 10**9), "goes past the end of the tar"),
        ("clips", "a.parquet", _set("media", 0, "media/gone.tar"), "No such file"),
        ("clips", "a.parquet", _set("media", 0, "../x.tar"), "'../x.tar' cannot be the name of a file"),
        ("clips", "a.parquet", _set("landmark_scheme", 0, "mediapipe478"), "68 points a frame, mediapipe478 has 478"),
        ("clips", "a.parquet", _set("flac_offset", 0, None), "a clip of tier diffusion has no sound"),
        ("clips", "a.parquet", _set("split", 1, "val"), "the speaker is in several splits: train ("),
        ("videos", "videos.parquet", _set("kept_vae_s", 0, 4.0), "kept_vae_s is 4.00, the spans say 7.20"),
        ("videos", "videos.parquet", _set("n_clips", 0, 3), "n_clips is 3, `clips` has 2"),
        ("videos", "videos.parquet", _set("duplicate_of", 1, None), "2 rows have this video_id"),
        ("videos", "videos.parquet", _set("duplicate_of", 1, "/gone"), "duplicate_of names /gone"),
        ("videos", "videos.parquet", _set("duration_s", 0, 9.0), "says 0.002777778, the tables hold 0.003055556"),
        ("frames", "d.parquet", lambda t: t.slice(1), "49 rows of evidence"),
    ],
)
def test_a_spoilt_row_is_named(
    dataset: Path, table: str, part: str, change: Callable[[pa.Table], pa.Table], expected: str
) -> None:
    _rewrite(dataset, table, part, change)
    assert expected in _texts(dataset)


def test_clips_of_another_size_than_the_settings_name_are_found(dataset: Path) -> None:
    path = dataset / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"config": {"crop": {"size_px": 128}}}))
    found = _texts(dataset)
    assert "mp4 has frames of [(256, 256)] px, not 128x128" in found
    # the points are spread evenly over 40 to 216 px, so half of them lie within 128
    assert "only 50% of the landmarks lie inside the crop of 128 px" in found


def test_swapped_members_are_found_by_their_names(dataset: Path) -> None:
    rows = read_table(dataset, "clips", ["mp4_offset", "mp4_size", "mp4_sha256"]).to_pylist()

    def other_clip(table: pa.Table) -> pa.Table:
        for name, value in rows[1].items():
            table = _set(name, 0, value)(table)
        return table

    _rewrite(dataset, "clips", "a.parquet", other_clip)
    assert "is the member 00000000000000aa-0000120-0000199.mp4" in _texts(dataset)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [(lambda a: a + 200, "of the landmarks lie inside the crop"), (lambda a: a * np.nan, "not finite")],
)
def test_landmarks_outside_the_crop_or_not_finite_are_named(
    dataset: Path, spoil: Callable[[np.ndarray], np.ndarray], expected: str
) -> None:
    def change(table: pa.Table) -> pa.Table:
        arrays = [spoil(array) for array in numpy_of(table.column("landmarks"))]
        column = array_column(arrays, CLIPS.column("landmarks").type)
        return table.set_column(table.column_names.index("landmarks"), "landmarks", column)

    _rewrite(dataset, "clips", "a.parquet", change)
    assert expected in _texts(dataset)


@pytest.mark.parametrize("column", ["pose_deg", "speech_features"])
def test_arrays_that_are_not_finite_are_named(dataset: Path, column: str) -> None:
    def change(table: pa.Table) -> pa.Table:
        arrays = [None if array is None else array * np.inf for array in numpy_of(table.column(column))]
        changed = array_column(arrays, CLIPS.column(column).type)
        return table.set_column(table.column_names.index(column), column, changed)

    _rewrite(dataset, "clips", "a.parquet", change)
    assert f"{column} holds numbers that are not finite" in _texts(dataset)


def test_a_flipped_byte_in_a_tar_is_found(dataset: Path) -> None:
    row = read_table(dataset, "clips", ["media", "flac_offset"]).to_pylist()[0]
    path = dataset / row["media"]
    content = bytearray(path.read_bytes())
    content[row["flac_offset"] + 100] ^= 1
    path.write_bytes(content)
    assert "flac: the bytes of 00000000000000aa-0000000-0000099.flac" in _texts(dataset)


def test_another_schema_is_named_with_its_columns(dataset: Path) -> None:
    path = dataset / "spans" / "spans.parquet"
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["limit"]), path)
    assert _texts(dataset).startswith("spans/spans.parquet: schema differs in limit")


def test_a_damaged_parquet_file_is_named(dataset: Path) -> None:
    (dataset / "clips" / "a.parquet").write_bytes(b"nothing")
    assert _texts(dataset).startswith("clips/a.parquet: cannot be read")


def test_a_run_that_has_not_ended_is_said_to_be_so(dataset: Path) -> None:
    (dataset / "videos" / "videos.parquet").unlink()
    assert _texts(dataset).startswith("videos: the run has not ended")


def test_totals_that_lie_are_named(dataset: Path) -> None:
    path = dataset / "dataset.json"
    record = json.loads(path.read_text())
    record["totals"]["clips"] = 5
    path.write_text(json.dumps(record))
    assert "totals.clips: says 5, the tables hold 2" in _texts(dataset)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("meaning", "as an earlier version worded it", ""),
        ("unit", "ms", "tables: the description of the tables is not that of this schema version"),
        (
            "nullable",
            True,
            "tables: the description of the tables is not that of this schema version; run the curation",
        ),
    ],
)
def test_columns_are_compared_with_those_of_the_version_and_their_wording_is_not(
    dataset: Path, key: str, value: object, expected: str
) -> None:
    path = dataset / "dataset.json"
    record = json.loads(path.read_text())
    column = next(one for one in record["tables"]["spans"]["columns"] if one["name"] == "start_s")
    assert column[key] != value
    column[key] = value
    record["tables"]["spans"]["meaning"] = "as an earlier version worded it"
    path.write_text(json.dumps(record))
    assert expected in _texts(dataset)
    assert bool(expected) == bool(_texts(dataset))


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no dataset\.json"):
        validate(tmp_path)


def test_columns_that_came_after_a_dataset_was_made_are_null_and_no_problem(dataset: Path) -> None:
    later = {"audio_track", "audio_tracks"}
    path = dataset / "videos" / "videos.parquet"
    pq.write_table(pq.read_table(path).drop_columns(sorted(later)), path)
    record = json.loads((dataset / "dataset.json").read_text())
    columns = record["tables"]["videos"]["columns"]
    record["tables"]["videos"]["columns"] = [column for column in columns if column["name"] not in later]
    (dataset / "dataset.json").write_text(json.dumps(record))
    assert validate(dataset) == []
    assert set(read_table(dataset, "videos")["audio_track"].to_pylist()) == {None}


@pytest.mark.parametrize("record", [True, False], ids=["record and files", "files alone"])
def test_files_that_an_earlier_version_wrote_are_valid_and_lack_nothing_else(dataset: Path, record: bool) -> None:
    make_older(dataset, record=record)
    found = pq.read_schema(dataset / "frames" / "a.parquet")
    faces = found.field("other_faces").type.value_type
    assert not LATER_COLUMNS & {*found.names, *(field.name for field in faces)}
    assert validate(dataset) == []
    path = dataset / "frames" / "a.parquet"
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["luma"]), path)
    assert _texts(dataset).startswith("frames/a.parquet: schema differs in luma")


def test_files_of_today_are_valid_in_a_dataset_that_an_earlier_version_began(dataset: Path) -> None:
    before = (dataset / "frames" / "a.parquet").read_bytes()
    make_older(dataset)
    (dataset / "frames" / "a.parquet").write_bytes(before)
    assert validate(dataset) == []


def test_files_of_an_earlier_version_are_read_as_those_of_today(dataset: Path) -> None:
    rows = read_table(dataset, "frames")
    make_older(dataset)
    assert read_table(dataset, "frames").equals(rows)
    with VideoRows(FRAMES, sources_of(table_inventory(dataset, FRAMES))) as videos:
        own = videos.table_of("00000000000000aa")
    assert own.schema.equals(FRAMES.arrow_schema(), check_metadata=True)
    assert own.equals(rows.slice(0, 200))
    asked = "SELECT count(*), count(sync_scores), count(other_faces[1].speaking_prob) FROM frames"
    assert query(dataset, asked).rows == [(250, 0, 0)]


@pytest.mark.parametrize(
    ("name", "part", "column"),
    [
        ("spans", "spans.parquet", "clip_id"),
        ("videos", "videos.parquet", "error_detail"),
        ("clips", "a.parquet", "denoiser"),
    ],
)
def test_a_table_that_would_fill_the_memory_is_a_problem(dataset: Path, name: str, part: str, column: str) -> None:
    table = pq.read_table(dataset / name / part, partitioning=None)
    rows = pa.concat_tables([table.slice(0, 1)] * 1_000).combine_chunks()
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000, np.int32)), pa.array(["x" * (1 << 20)]))
    number = rows.column_names.index(column)
    spoilt = rows.set_column(number, column, text)
    with pq.ParquetWriter(dataset / name / part, rows.schema, compression="zstd") as writer:
        writer.write_table(spoilt.cast(rows.schema))
    assert (dataset / name / part).stat().st_size < 1_000_000
    held = pa.total_allocated_bytes()
    assert "what is read of it would take" in _texts(dataset)
    assert pa.total_allocated_bytes() - held < 1 << 20


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (pa.table({"clip_id": ["s3://other/x"], "n_frames": [3]}), "clip_id: "),
        (pa.table({"clip_id": [None, "../x"]}), "it cannot be read: "),
        (pa.table({"n_frames": [3]}), "it cannot be read: "),
    ],
    ids=["an address", "null", "no ids"],
)
def test_latents_of_no_clip_are_told(dataset: Path, content: pa.Table, expected: str) -> None:
    folder = dataset / "latents" / "0123456789abcdef"
    folder.mkdir(parents=True)
    pq.write_table(content, folder / "part-1.parquet")
    (problem,) = validate(dataset)
    assert problem.file == "latents/0123456789abcdef/part-1.parquet"
    assert problem.what.startswith(expected)
    assert "gaia-train latents" in problem.remedy


def test_latents_of_clips_are_no_problem(dataset: Path) -> None:
    folder = dataset / "latents" / "0123456789abcdef"
    folder.mkdir(parents=True)
    ids = read_table(dataset, "clips", ["clip_id"])["clip_id"]
    pq.write_table(pa.table({"clip_id": ids}), folder / "part-1.parquet")
    assert validate(dataset) == []
