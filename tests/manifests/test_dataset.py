"""A dataset opened for reading, against what the small dataset of conftest.py is written to hold."""

from pathlib import Path

import pyarrow.compute as pc
import pytest

from manifests import TABLES, Dataset, DatasetError, QueryError
from manifests.files.tables import table_files

A = "00000000000000aa"
CLIP_1 = f"{A}-0000000-0000099"
CLIP_2 = f"{A}-0000120-0000199"


@pytest.fixture
def data(made_dataset: Path) -> Dataset:
    return Dataset(made_dataset)


def test_a_folder_may_be_named_by_text_or_path(made_dataset: Path) -> None:
    assert Dataset(str(made_dataset)).path == Dataset(made_dataset).path == made_dataset


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no dataset"):
        Dataset(tmp_path)


def test_repr_shows_preset_videos_clips_and_time(data: Dataset) -> None:
    assert repr(data).splitlines()[1:] == [
        "  videos  4, 1 failed; 10.0 s raw",
        "  clips   2; 4.0 s in tier diffusion, 7.2 s in tier vae",
    ]
    assert repr(data).endswith("preset embedded, schema version 3", 0, repr(data).index("\n"))


def test_settings_and_length_come_from_the_record(data: Dataset) -> None:
    assert data.settings == {"rules": {"frontal": {"strict_deg": 15.0}}}
    assert len(data) == 2


def test_tables_have_the_columns_without_arrays_unless_they_are_named(data: Dataset) -> None:
    assert data.clips()["clip_id"].to_pylist() == [CLIP_1, CLIP_2]
    assert not {"landmarks", "pose_deg", "speech_features", "identity"} & set(data.clips().column_names)
    assert {"snr_db", "split", "mp4_sha256"} <= set(data.clips().column_names)
    assert data.clips(columns=["pose_deg", "n_frames"]).column_names == ["pose_deg", "n_frames"]
    assert data.clips(columns="all").schema.equals(TABLES["clips"].arrow_schema())


def test_clips_can_be_chosen(data: Dataset) -> None:
    assert data.clips(tier="vae")["clip_id"].to_pylist() == [CLIP_2]
    assert data.clips(tier="diffusion", split="train")["clip_id"].to_pylist() == [CLIP_1]
    assert len(data.clips(split="test")) == 0
    assert data.clips(where=pc.field("n_frames") < 90, columns=["tier"])["tier"].to_pylist() == ["vae"]


def test_the_other_tables_are_whole(data: Dataset) -> None:
    assert data.videos()["path"].to_pylist() == [
        "/videos/a.mp4",
        "/videos/b.mp4",
        "/videos/broken.mp4",
        "/videos/x/d.mp4",
    ]
    assert len(data.videos(where=pc.field("status") == "failed")) == 1
    assert len(data.spans()) == 8
    assert data.spans().column_names == TABLES["spans"].arrow_schema().names


@pytest.mark.parametrize("video", [A, "/videos/a.mp4", "a.mp4", "b.mp4"])
def test_frames_are_the_evidence_of_one_video(data: Dataset, video: str) -> None:
    rows = data.frames(video, columns=["tick", "frontal_angle_deg"])
    assert rows["tick"].to_pylist() == list(range(200))
    assert rows["frontal_angle_deg"].to_pylist() == [180.0 - k for k in range(200)]


def test_an_unknown_video_or_column_is_named(data: Dataset) -> None:
    with pytest.raises(DatasetError, match=r"no video 'c\.mp4'"):
        data.frames("c.mp4")
    with pytest.raises(DatasetError, match="table clips has no column snr; it has clip_id, "):
        data.clips(columns=["snr"])


def test_a_damaged_table_is_named(dataset: Path) -> None:
    (path,) = table_files(dataset, "clips")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DatasetError, match="table clips cannot be read"):
        Dataset(dataset).clips()


def test_a_query_answers_with_rows_that_make_a_table(data: Dataset) -> None:
    answer = data.query("SELECT tier, count(*) AS n FROM clips GROUP BY tier ORDER BY tier")
    assert answer.table().to_pydict() == {"tier": ["diffusion", "vae"], "n": [1, 1]}
    assert "diffusion" in str(answer)
    assert data.query("SELECT tier FROM clips WHERE false").table().column_names == ["tier"]
    with pytest.raises(QueryError):
        data.query("SELECT nothing FROM clips")


def test_reports_are_those_of_the_dataset(data: Dataset) -> None:
    assert data.statistics().total.kept_s == {"diffusion": 4.0, "vae": pytest.approx(7.2)}
    assert "Every video" in str(data.statistics())
    explained = data.explain("a.mp4", second=4.5)
    assert "dropped as frontal" in str(explained)
    assert data.explain("a.mp4").time_s is None
    assert data.validate() == []


def test_clips_open_by_place_and_by_name(data: Dataset) -> None:
    assert [data.clip(number).clip_id for number in (0, 1, -1)] == [CLIP_1, CLIP_2, CLIP_2]
    assert data.clip(CLIP_2).n_frames == 80
    with pytest.raises(IndexError, match="2 clips and no clip 2"):
        data.clip(2)
    with pytest.raises(DatasetError, match="no clip 'another'"):
        data.clip("another")
