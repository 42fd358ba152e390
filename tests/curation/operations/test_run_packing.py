"""How a run packs a dataset, and what it makes of one whose records or files somebody removed."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from helpers.made_videos import counted_picture, frame_times, write_video
from helpers.noting_executor import NotingExecutor
from typer.testing import CliRunner

from curation.cli.app import app
from curation.engine.worker import WorkerPlan
from curation.operations.decide import redecide
from curation.operations.run import run
from curation.output.folder import DatasetFolderError
from curation.output.ledger import VideoRecord
from curation.settings import CurationSettings, load_settings
from curation.sources.content import fingerprint
from curation.sources.entries import SourceVideo
from manifests.files.tables import read_table, table_files
from manifests.record import read_dataset
from manifests.reports.validate import validate

QUIET = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])
DIVIDED = load_settings(QUIET, None, ["storage.part_mb=0.004"])
TABLES = ("frames", "spans", "clips", "media")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three videos of three pictures each."""
    (tmp_path / "raw").mkdir()
    for number, name in enumerate("abc"):
        write_video(tmp_path / "raw" / f"{name}.mp4", frame_times(Fraction(25), 3), [counted_picture(number)] * 3)
    return tmp_path / "raw"


class RowsOnceExecutor(NotingExecutor):
    """After each video, no row may be there twice."""

    def curate(self, plan: WorkerPlan, todo: Sequence[SourceVideo], **options: Any) -> Iterator[VideoRecord]:  # noqa: ANN401 - as `Executor.curate`
        for record in super().curate(plan, todo, **options):
            rows = read_table(plan.dataset, "frames", ["video_id", "tick"]).to_pylist()
            assert max(Counter(tuple(row.values()) for row in rows).values(), default=1) == 1
            yield record


EXECUTOR = RowsOnceExecutor()


@pytest.fixture
def decoded() -> list[str]:
    """Names of the files that were given to a worker."""
    EXECUTOR.names.clear()
    return EXECUTOR.names


def go(source: Path, dataset: Path, settings: CurationSettings = QUIET) -> Path:
    run(str(source), dataset, settings, EXECUTOR)
    return dataset


def tables(dataset: Path) -> dict[str, bytes]:
    files = [path for name in TABLES for path in (dataset / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(dataset)): path.read_bytes() for path in files}


def test_a_run_leaves_one_file_per_table(source: Path, tmp_path: Path) -> None:
    dataset = go(source, tmp_path / "dataset")
    assert [len(table_files(dataset, name)) for name in ("frames", "spans")] == [1, 1]
    assert all(path.name.startswith("part-all-") for name in ("frames", "spans") for path in table_files(dataset, name))
    assert read_table(dataset, "frames", ["tick"])["tick"].to_pylist() == [0, 1, 2] * 3


def test_other_sizes_pack_the_dataset_anew_and_decode_nothing(source: Path, tmp_path: Path, decoded: list[str]) -> None:
    dataset = go(source, tmp_path / "dataset")
    decoded.clear()
    go(source, dataset, DIVIDED)
    assert decoded == []
    assert len(table_files(dataset, "frames")) > 1
    assert read_dataset(dataset).config["storage"] == {"part_mb": 0.004, "shard_gib": 1.0}
    go(source, dataset, load_settings(DIVIDED, None, ["media.encode_preset=medium"]))  # time against size, too
    assert decoded == []
    assert tables(dataset) == tables(go(source, tmp_path / "at_once", DIVIDED))
    assert validate(dataset) == []
    with pytest.raises(DatasetFolderError, match=r"other settings: windows\.length_s"):
        go(source, dataset, load_settings(DIVIDED, None, ["windows.length_s=60", "storage.part_mb=1"]))


def test_a_size_out_of_range_is_refused(source: Path, tmp_path: Path) -> None:
    arguments = ["run", "--source", str(source), "--out", str(tmp_path / "dataset"), "--set", "storage.part_mb=0"]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 2
    assert "storage.part_mb" in told.output


def test_a_video_whose_record_was_removed_is_curated_again(source: Path, tmp_path: Path, decoded: list[str]) -> None:
    dataset = go(source, tmp_path / "dataset")
    before = tables(dataset)
    decoded.clear()
    (dataset / "ledger" / f"{fingerprint(source / 'b.mp4')}.json").unlink()
    go(source, dataset)
    assert decoded == ["b.mp4"]
    assert tables(dataset) == before


@pytest.mark.parametrize("table", ["frames", "spans"])
def test_what_was_in_a_removed_file_is_curated_again(
    table: str, source: Path, tmp_path: Path, decoded: list[str]
) -> None:
    dataset = go(source, tmp_path / "dataset", DIVIDED)
    before = tables(dataset)
    decoded.clear()
    lost = table_files(dataset, table)[0]
    ids = set(read_table(dataset, table, ["video_id"])["video_id"].to_pylist()) if table == "spans" else None
    lost.unlink()
    go(source, dataset, DIVIDED)
    assert 1 <= len(decoded) <= 3
    assert ids is None or len(decoded) == len(ids)
    assert tables(dataset) == before
    assert validate(dataset) == []


class Killed(BaseException):
    """The process is gone."""


def test_a_run_that_was_stopped_while_it_packed_goes_on(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[str]
) -> None:
    wanted = tables(go(source, tmp_path / "undisturbed"))
    dataset = tmp_path / "dataset"
    real = Path.replace

    def replace(path: Path, target: Path) -> Path:
        if target.name.startswith("part-") and target.parent.name == "spans":
            raise Killed  # between the journal of the swap and the new name
        return real(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        with pytest.raises(Killed):
            go(source, dataset)
    assert json.loads((dataset / ".swap.json").read_text())["gone"]
    assert len(read_table(dataset, "spans")) == 6  # three videos, two tiers
    decoded.clear()
    go(source, dataset)
    assert decoded == []
    assert tables(dataset) == wanted
    assert not (dataset / ".swap.json").exists()
    assert not [path for path in dataset.iterdir() if path.name.startswith(".")]


def test_decide_reads_a_packed_dataset_and_packs_what_it_writes(source: Path, tmp_path: Path) -> None:
    dataset = go(source, tmp_path / "dataset", DIVIDED)
    for _ in range(2):  # the second call writes the same again
        redecide(dataset, tmp_path / "decided", None, [], render=False)
        assert tables(tmp_path / "decided") == tables(dataset)
    shutil.copytree(dataset, tmp_path / "same")
    with pytest.raises(DatasetFolderError, match="is the dataset itself"):
        redecide(tmp_path / "same", tmp_path / "same", None, [], render=False)
    assert tables(tmp_path / "same") == tables(dataset)
