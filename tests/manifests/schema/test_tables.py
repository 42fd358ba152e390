"""The declared tables against the contract, the docs page, and other readers of the files."""

from pathlib import Path

import datasets
import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from manifests.files.tables import read_table
from manifests.schema.arrow_arrays import array_column, block_column, numpy_of, rows_column
from manifests.schema.clips import CLIPS
from manifests.schema.frames import FRAMES
from manifests.schema.videos import SPANS, VIDEOS


def test_columns_are_those_of_the_contract_in_its_order() -> None:
    contract = {
        VIDEOS: "video_id source path speaker_id licence consent language age gender skin_type trims size_bytes "
        "duration_s width height fps codec has_audio audio_track audio_tracks rotation "
        "generated_tags status error_code error_detail kept_diffusion_s kept_vae_s n_clips "
        "duplicate_of sync_z sync_offset_ticks sync_ticks sync_model speaking_model duplicate_group analyze_s decide_s "
        "render_s",
        SPANS: "video_id start_s end_s tier outcome value limit failed clip_id sync sync_reason on_grid",
        CLIPS: "clip_id video_id source path speaker_id licence consent language age gender skin_type tier split "
        "start_s end_s n_frames fps crop_x0 crop_y0 "
        "crop_size landmarks landmark_scheme blendshapes pose_deg pose_method speech_features speech_encoder denoiser "
        "loudness_lufs_before loudness_lufs_after snr_db speech_ratio transcript words language_detected "
        "language_confidence transcript_confidence transcript_model instruction sync sync_reason sync_z "
        "sync_offset_ticks sync_ticks sync_curve sync_model sound_moved_s frontal_angle_mean frontal_angle_std "
        "max_step mask_prob_max sharpness_mean identity person_id person_confidence media mp4_offset mp4_size "
        "flac_offset flac_size mp4_sha256 flac_sha256",
        FRAMES: "video_id tick time_s decoded n_faces measured grid track_id interpolated box score key_points "
        "landmarks landmark_scheme frontal_angle_deg pose_deg blendshapes lip_aperture mask_prob mask_measured "
        "sharpness luma descriptor jitter_points sync_scores speaking_prob cut_score speech_prob "
        "loudness_dbfs other_faces",
    }
    for table, names in contract.items():
        assert table.arrow_schema().names == names.split()


def test_arrays_of_differing_length_come_back_as_they_were() -> None:
    rng = np.random.default_rng(0)
    arrays = [
        rng.random((3, 68, 2), dtype=np.float32),
        None,
        rng.random((1, 68, 2), dtype=np.float32),
        np.zeros((0, 68, 2), dtype=np.float32),
    ]
    column = array_column(arrays, CLIPS.column("landmarks").type)
    column.validate(full=True)
    assert column[0].as_py() == arrays[0].tolist()
    for read in (numpy_of(column), numpy_of(pa.chunked_array([column.slice(0, 1), column.slice(1)]))):
        assert read[1] is None
        assert np.array_equal(read[0], arrays[0])
        assert np.array_equal(read[2], arrays[2])
        assert read[0].dtype == np.float32
        assert len(read[3]) == 0


def test_a_slice_of_a_column_gives_its_own_rows() -> None:
    column = array_column(np.arange(12, dtype=np.float32).reshape(3, 4), FRAMES.column("box").type)
    assert numpy_of(column.slice(1, 1))[0].tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize("shape", [(3, 68), (3, 68, 3)])
def test_an_array_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"row 0 has the shape .* does not fit"):
        array_column([np.zeros(shape, dtype=np.float32)], CLIPS.column("landmarks").type)


@pytest.mark.parametrize(
    "data_type",
    [pa.list_(pa.list_(pa.float32(), 2)), pa.list_(pa.list_(pa.float32(), 2), 3), pa.list_(pa.list_(pa.float16()))],
)
def test_a_block_gives_its_rows_and_null_where_one_is_not_known(data_type: pa.DataType) -> None:
    block = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    block[2] = np.nan
    column = block_column(block, np.array([True, True, False, True]), data_type)
    assert column.type == data_type
    assert column.to_pylist() == [block[0].tolist(), block[1].tolist(), None, block[3].tolist()]
    assert block_column(block, np.zeros(4, np.bool_), data_type).to_pylist() == [None] * 4
    assert block_column(block[:0], np.zeros(0, np.bool_), data_type).to_pylist() == []


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3), (2, 3, 2, 1)])
def test_a_block_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        block_column(np.zeros(shape, np.float32), np.ones(2, np.bool_), pa.list_(pa.list_(pa.float32(), 2)))


def test_ragged_lists_are_no_array() -> None:
    column = pa.array([[[1.0], [1.0, 2.0]]], pa.list_(pa.list_(pa.float32())))
    with pytest.raises(ValueError, match="differ in length"):
        numpy_of(column)


def test_rows_become_lists_of_structs_by_their_counts() -> None:
    column = rows_column(pa.table({"score": [0.1, 0.2, 0.3]}), np.array([2, 0, 1]))
    assert column.to_pylist() == [[{"score": 0.1}, {"score": 0.2}], [], [{"score": 0.3}]]
    with pytest.raises(ValueError, match="add up to 2, the table has 3 rows"):
        rows_column(pa.table({"score": [0.1, 0.2, 0.3]}), np.array([2, 0]))


def test_duckdb_pandas_and_hugging_face_read_the_arrays_without_this_package(dataset: Path) -> None:
    file = str(dataset / "clips" / "a.parquet")
    ours = numpy_of(read_table(dataset, "clips", ["landmarks"])["landmarks"])[0]

    sql = f"SELECT landmarks, speech_features[1][1] FROM '{file}' LIMIT 1"  # noqa: S608
    landmarks, feature = duckdb.sql(sql).fetchall()[0]
    assert np.array_equal(np.array(landmarks, dtype=np.float32), ours)
    assert feature == 0.5

    frame = pd.read_parquet(file)
    assert np.array_equal(np.stack([np.stack(points) for points in frame.landmarks[0]]), ours)
    assert frame.speech_features[0][0].dtype == np.float16

    rows = datasets.Dataset.from_parquet(file, cache_dir=str(dataset / "cache")).with_format("numpy")
    assert np.array_equal(rows[0]["landmarks"], ours)
