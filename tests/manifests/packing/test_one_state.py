"""Readers beside a command at work: the state before it, or none; never a mixture."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from helpers.made_parts import put_video
from helpers.other_command import held_elsewhere

from foundation.errors import EXIT_CANNOT_START
from foundation.storage.lease_record import LEASE, own_record
from manifests.dataset import Dataset
from manifests.errors import DatasetError
from manifests.files.tables import read_table, write_parquet
from manifests.packing import one_state
from manifests.packing.one_state import ChangingDatasetError, Counted, counted_rows, in_one_state
from manifests.packing.pack import StorageSettings, compact
from manifests.reports.explain import explain
from manifests.reports.queries import query
from manifests.reports.statistics import statistics
from manifests.reports.validate import validate
from manifests.schema.videos import SPANS, VIDEOS

ADDED = "4c00000000000003"
A, D = "00000000000000aa", "00000000000000dd"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of two videos as a run leaves it."""
    dataset = tmp_path_factory.mktemp("packed") / "dataset"
    for video_id in (A, D):
        put_video(dataset, video_id)
    compact(dataset, [A, D], StorageSettings())
    made = {"source": "s", "trims": [], "status": "ok", "duration_s": 0.8, "kept_diffusion_s": 0.0, "kept_vae_s": 0.0}
    rows = [{"video_id": video, "path": f"/{video}", "n_clips": 2} | made for video in (A, D)]
    videos = pa.Table.from_pylist(rows, schema=VIDEOS.arrow_schema())
    write_parquet(dataset / "videos" / "videos.parquet", videos, VIDEOS)
    return dataset


@pytest.fixture
def dataset(packed: Path, made_dataset: Path, tmp_path: Path) -> Path:
    copy = Path(shutil.copytree(packed, tmp_path / "dataset"))
    shutil.copy(made_dataset / "dataset.json", copy / "dataset.json")
    return copy


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_state, "_PAUSE_S", 0.01)
    monkeypatch.setattr(one_state, "_LOOK_S", 0.01)


@pytest.fixture
def at_work(dataset: Path) -> Iterator[None]:
    with held_elsewhere(dataset, "gaia-curate run"):
        yield


def _answers(dataset: Path) -> list[object]:
    data = Dataset(dataset)
    return [
        statistics(dataset),
        query(dataset, "SELECT video_id, count(*) FROM spans GROUP BY 1 ORDER BY 1"),
        query(dataset, "SELECT clip_id FROM clips ORDER BY 1"),
        data.clips(columns=["clip_id", "n_frames", "mp4_sha256", "landmarks"]).sort_by("clip_id").to_pylist(),
        data.spans().to_pylist(),
        [data.clip(number).clip_id for number in range(len(data.clips()))],
        explain(dataset, A),
    ]


@pytest.mark.usefixtures("at_work")
def test_what_a_run_has_added_so_far_does_not_count(dataset: Path) -> None:
    before = _answers(dataset)
    put_video(dataset, ADDED)
    assert [type(answer) for answer in before] == [type(answer) for answer in _answers(dataset)]
    assert _answers(dataset) == before
    with pytest.raises(DatasetError, match="has no clip"):
        Dataset(dataset).clip(f"{ADDED}-0000000-0000009")
    compact(dataset, [A, D, ADDED], StorageSettings())  # at its end the run packs, and the table follows
    assert _answers(dataset) == before


@pytest.mark.usefixtures("at_work")
def test_what_a_run_adds_while_the_tables_are_read_does_not_count(dataset: Path) -> None:
    reads = []

    def read(counted: Counted) -> list[str]:
        reads.append(1)
        if len(reads) == 1:  # after the look at the files, before they are read
            put_video(dataset, ADDED)
        return sorted(set(counted_rows(read_table(dataset, "spans"), counted)["video_id"].to_pylist()))

    assert in_one_state(dataset, read) == [A, D]


def test_what_a_run_adds_that_begins_while_the_tables_are_read_does_not_count(dataset: Path) -> None:
    with ExitStack() as run:

        def read(counted: Counted) -> list[str]:
            if counted is None:
                run.enter_context(held_elsewhere(dataset, "gaia-curate run"))
                put_video(dataset, ADDED)
            return sorted(set(counted_rows(read_table(dataset, "spans"), counted)["video_id"].to_pylist()))

        assert in_one_state(dataset, read) == [A, D]


@pytest.mark.usefixtures("at_work")
def test_what_a_command_has_removed_so_far_is_no_state_to_read(dataset: Path) -> None:
    compact(dataset, [A], StorageSettings())
    for ask in (
        lambda: statistics(dataset),
        lambda: query(dataset, "SELECT 1"),
        lambda: explain(dataset, A),
        lambda: Dataset(dataset).clips(),
        lambda: Dataset(dataset).clip(0),
    ):
        with pytest.raises(ChangingDatasetError, match="being changed by `gaia-curate run` on host") as refusal:
            ask()
        assert refusal.value.exit_code == EXIT_CANNOT_START


def test_a_reader_whose_files_are_replaced_reads_again(dataset: Path) -> None:
    reads = []

    def read(counted: Counted) -> int:
        assert counted is None
        spans = read_table(dataset, "spans")
        reads.append(len(spans))
        if len(reads) == 1:
            spans = spans.filter(pc.equal(spans["video_id"], A))
            write_parquet(dataset / "spans" / "other.parquet", spans, SPANS)
        if len(reads) == 2:
            (dataset / "spans" / "other.parquet").unlink()
            raise OSError("a file is gone")
        return len(spans)

    assert in_one_state(dataset, read) == 4
    assert reads == [4, 6, 4]


def test_an_error_of_files_that_nobody_changes_is_raised_at_once(dataset: Path) -> None:
    reads = []

    def read(_counted: Counted) -> None:
        reads.append(1)
        raise DatasetError("damaged")

    with pytest.raises(DatasetError, match="damaged"):
        in_one_state(dataset, read)
    assert len(reads) == 1


def test_a_dataset_that_changes_each_time_is_given_up(dataset: Path) -> None:
    reads = []

    def read(_counted: Counted) -> None:
        reads.append(1)
        write_parquet(dataset / "spans" / f"{len(reads)}.parquet", SPANS.arrow_schema().empty_table(), SPANS)

    with pytest.raises(ChangingDatasetError, match="changed each time that it was read"):
        in_one_state(dataset, read)
    assert len(reads) == 5


def test_the_lease_of_a_dead_process_hides_nothing_and_stops_nobody(dataset: Path) -> None:
    put_video(dataset, ADDED)
    before = _answers(dataset)
    dead = own_record("gaia-curate run")
    (dataset / LEASE).write_text(dead.model_copy(update={"started": 1}).model_dump_json(), encoding="utf-8")
    assert _answers(dataset) == before
    assert len(Dataset(dataset).clips()) == 6


def test_a_clip_that_is_put_into_other_files_goes_on_reading(dataset: Path) -> None:
    put_video(dataset, ADDED)
    data = Dataset(dataset)
    clips = [data.clip(number) for number in range(6)]
    before = [(clip.mp4(), clip.flac(), clip.landmarks().tolist()) for clip in clips]
    compact(dataset, [A, D, ADDED], StorageSettings())
    assert [(clip.mp4(), clip.flac(), clip.landmarks().tolist()) for clip in clips] == before
    assert [data.clip(clip.clip_id).mp4() for clip in clips] == [mp4 for mp4, _, _ in before]


def test_validation_begins_again_where_a_command_came_and_went(
    made_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = Path(shutil.copytree(made_dataset, tmp_path / "whole"))
    rounds = []
    real = one_state._listings

    def problems(*_: object) -> list[object]:
        rounds.append(1)
        if len(rounds) == 1:
            (dataset / "spans" / "spans.parquet").touch()
            return ["of a moment"]
        return []

    monkeypatch.setattr("manifests.reports.validate._problems", problems)
    assert validate(dataset) == []
    assert len(rounds) == 2
    assert real(dataset, frozenset()) == one_state._listings(dataset, frozenset())


def test_validation_ends_where_a_command_has_begun_meanwhile(
    made_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = Path(shutil.copytree(made_dataset, tmp_path / "whole"))

    def problems(*_: object) -> list[object]:
        (dataset / LEASE).write_text(own_record("gaia-curate run").model_dump_json(), encoding="utf-8")
        return ["of a moment"]

    monkeypatch.setattr("manifests.reports.validate._problems", problems)
    with pytest.raises(ChangingDatasetError, match="gaia-curate run"):
        validate(dataset)


def test_a_damaged_table_beside_a_command_at_work_is_told_as_such_when_that_has_ended(dataset: Path) -> None:
    (dataset / "videos" / "videos.parquet").write_bytes(b"no table")
    with held_elsewhere(dataset, "gaia-curate run"), pytest.raises(ChangingDatasetError, match="gaia-curate run"):
        statistics(dataset)
    with pytest.raises(DatasetError, match="no readable part of table videos"):
        statistics(dataset)
