"""Who is who in a dataset: what the command writes, keeps, and leaves alone."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.made_videos import SmallRun
from typer.testing import CliRunner

import manifests.packing.rewrite
from curation.cli.app import app
from curation.engine.execution import Executor
from curation.model_registry import VOICES, UnknownModelError, register_model
from curation.operations.forget import forget
from curation.operations.identities import find_identities
from curation.operations.run import run
from curation.settings import CurationSettings
from curation.speech.cards import VoiceCard
from manifests import Dataset
from manifests.errors import DatasetError
from manifests.files.tables import read_table, write_parquet
from manifests.packing.clip_json import PERSON_COLUMNS
from manifests.reports.validate import validate
from manifests.schema.identities import IDENTITIES
from manifests.schema.tables import TABLES

TALKING, MUTE = "a_talking.mp4", "b_mute.mp4"


@pytest.fixture
def dataset(small_run: SmallRun, tmp_path: Path) -> Path:
    """A copy of the small run: one face in two videos, each with a clip."""
    return Path(shutil.copytree(small_run.dataset, tmp_path / "dataset"))


def persons(dataset: Path) -> dict[str, tuple[str | None, float | None]]:
    """By file name, person and confidence of the only clip."""
    rows = read_table(dataset, "clips", ["path", *PERSON_COLUMNS]).to_pylist()
    return {Path(row["path"]).name: (row["person_id"], row["person_confidence"]) for row in rows}


def files(dataset: Path) -> dict[str, bytes]:
    return {str(path.relative_to(dataset)): path.read_bytes() for path in dataset.rglob("*") if path.is_file()}


def ids_of(dataset: Path) -> dict[str, str]:
    rows = read_table(dataset, "videos", ["path", "video_id"]).to_pylist()
    return {Path(row["path"]).name: row["video_id"] for row in rows}


def test_one_face_in_two_videos_is_one_person(dataset: Path, small_run: SmallRun) -> None:
    assert set(persons(dataset).values()) == {(None, None)}
    sources = files(small_run.source)
    report = find_identities(dataset)
    assert (report.persons, report.tracks, report.videos, report.clips) == (1, 2, 2, 2)
    assert report.text().startswith("1 person, in 2 face tracks of 2 videos; 2 clips name theirs.")
    ((talking, sure), (mute, also_sure)) = persons(dataset)[TALKING], persons(dataset)[MUTE]
    assert talking == mute is not None
    assert min(sure or 0, also_sure or 0) > 0.5
    assert validate(dataset) == []
    assert files(small_run.source) == sources
    rows = Dataset(dataset).query("SELECT count(*), min(len(clip_ids)) FROM identities").rows
    assert rows == [(2, 1)]


def test_the_same_faces_give_the_same_bytes_and_a_later_call_keeps_the_ids(dataset: Path) -> None:
    find_identities(dataset)
    before = files(dataset)
    report = find_identities(dataset)
    assert report.new_persons == 0
    assert files(dataset) == before


def test_a_link_of_the_user_divides_a_person_and_the_id_stays_with_one(dataset: Path, tmp_path: Path) -> None:
    find_identities(dataset)
    before = persons(dataset)[TALKING][0]
    clips = sorted(read_table(dataset, "clips", ["clip_id"])["clip_id"].to_pylist())
    links = tmp_path / "links.csv"
    links.write_text(f"link,first,second\ncannot,{clips[0]},{clips[1]}\n")
    report = find_identities(dataset, links=links)
    after = [person for person, _ in persons(dataset).values()]
    assert report.persons == len(set(after)) == 2
    assert before in after
    assert len(report.conflicts) == 2  # the faces are alike, and the file keeps them apart
    assert validate(dataset) == []


@pytest.mark.parametrize("name", ["write_packed", "swap_files"])
def test_a_call_that_is_stopped_is_completed_by_the_same_one_or_by_a_run(
    dataset: Path, small_run: SmallRun, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(manifests.packing.rewrite, name, stopped)
        with pytest.raises(KeyboardInterrupt):
            find_identities(dataset)
    other = Path(shutil.copytree(dataset, dataset.parent / "other"))
    find_identities(dataset)
    run(str(small_run.source), other, CurationSettings(), Executor())
    for one in (dataset, other):
        assert len({person for person, _ in persons(one).values()} - {None}) == 1
        assert validate(one) == []
        assert [path for path in one.rglob(".*") if path.suffix in (".new", ".part")] == []


def test_rows_of_a_forgotten_video_go_and_the_person_of_the_other_stays(dataset: Path) -> None:
    find_identities(dataset)
    kept = persons(dataset)[MUTE]
    gone = ids_of(dataset)[TALKING]
    forget(dataset, videos=[gone])
    assert read_table(dataset, "identities", ["video_id"])["video_id"].to_pylist() == [ids_of(dataset)[MUTE]]
    assert persons(dataset) == {MUTE: kept}
    assert validate(dataset) == []
    assert not [path for path in dataset.rglob("*") if path.is_file() and gone.encode() in path.read_bytes()]


def test_clips_of_an_older_dataset_without_the_columns_get_their_persons(dataset: Path) -> None:
    for path in (dataset / "clips").glob("*.parquet"):
        rows = pq.ParquetFile(path).read().drop_columns(list(PERSON_COLUMNS))
        pq.write_table(rows, path, row_group_size=1)
    assert set(persons(dataset).values()) == {(None, None)}
    find_identities(dataset)
    assert len({person for person, _ in persons(dataset).values()} - {None}) == 1


def test_a_dataset_without_descriptors_is_refused_and_stays_as_it_is(dataset: Path) -> None:
    for path in (dataset / "frames").glob("*.parquet"):
        rows = pq.ParquetFile(path).read()
        number = rows.schema.get_field_index("descriptor")
        empty = pa.nulls(len(rows), rows.schema.field(number).type)
        write_parquet(path, rows.set_column(number, rows.schema.field(number), empty), TABLES["frames"])
    before = files(dataset)
    with pytest.raises(DatasetError, match="holds no identity descriptors"):
        find_identities(dataset)
    assert files(dataset) == before


def test_a_person_that_is_not_the_one_of_its_track_is_a_problem(dataset: Path) -> None:
    find_identities(dataset)
    path = dataset / "identities" / "identities.parquet"
    rows = pq.ParquetFile(path).read()
    number = rows.schema.get_field_index("person_id")
    renamed = pa.array(["p-0", "p-0"], rows.schema.field(number).type)
    write_parquet(path, rows.set_column(number, rows.schema.field(number), renamed), IDENTITIES)
    assert "`identities` says p-0" in "\n".join(str(problem) for problem in validate(dataset))
    write_parquet(path, pa.concat_tables([rows, rows]), IDENTITIES)
    assert "has 2 rows" in "\n".join(str(problem) for problem in validate(dataset))


def test_the_command_prints_the_report_and_says_what_is_wrong(dataset: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["identities", str(dataset)])
    assert done.exit_code == 0
    assert "1 person" in done.output
    done = CliRunner().invoke(app, ["identities", str(dataset), "--links", str(tmp_path / "none.csv")])
    assert done.exit_code == 2
    assert "none.csv cannot be read" in done.output
    assert CliRunner().invoke(app, ["identities", str(tmp_path)]).exit_code == 2


def test_voices_are_compared_once_and_are_named_beside_faces(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []

    def describe(audio_16k: np.ndarray) -> np.ndarray:
        heard.append(len(audio_16k))
        return np.array([1.0, 0.0], np.float32)

    monkeypatch.setattr(VOICES, "_own", {})
    register_model(VoiceCard(name="made", dim=2, same_voice_cosine=0.5, load=lambda: describe))
    report = find_identities(dataset, voices="made")
    assert (report.voices, report.conflicts) == (1, ())
    assert heard == [int(3.4 * 16_000)]  # the clip of tier diffusion; that of tier vae holds no speech
    rows = read_table(dataset, "identities", ["voice_id", "voice_model", "clip_ids"]).to_pylist()
    assert sorted((row["voice_id"] or "")[:2] for row in rows) == ["", "v-"]
    assert {row["voice_model"] for row in rows} == {None, "made"}
    before = files(dataset)
    find_identities(dataset, voices="made")
    assert len(heard) == 1
    assert files(dataset) == before
    assert validate(dataset) == []
    with pytest.raises(UnknownModelError, match="--voices"):
        find_identities(dataset, voices="none such")


def test_descriptors_are_the_means_of_those_in_frames(dataset: Path) -> None:
    from curation.identities.face_tracks import read_face_tracks

    tracks = read_face_tracks(dataset)
    rows = read_table(dataset, "frames", ["video_id", "tick", "descriptor"]).to_pylist()
    own = [row for row in rows if row["video_id"] == tracks.video_id[0] and row["descriptor"] is not None]
    vectors = np.array([row["descriptor"] for row in own])
    mean = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(axis=0)
    assert np.allclose(tracks.descriptor[0], mean / np.linalg.norm(mean), atol=1e-6)
    assert (tracks.first_tick[0], tracks.last_tick[0]) == (own[0]["tick"], own[-1]["tick"])
    assert tracks.n_descriptors[0] == len(own)
