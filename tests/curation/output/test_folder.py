"""The folder of a dataset: its record is read and written once a command, and a stopped command can go on."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePath

import pytest
from helpers.made_videos import counted_picture, frame_times, write_video

from curation.engine.execution import Executor
from curation.operations.decide import redecide
from curation.operations.forget import forget
from curation.operations.retry import RetryReport, retry
from curation.operations.run import RunReport, run
from curation.output.folder import DatasetFolder, DatasetFolderError
from curation.output.ledger import VideoRecord
from curation.settings import load_settings
from curation.sources.entries import SourceVideo
from curation.sources.exclusions import read_exclusions
from manifests.dataset import Dataset
from manifests.errors import DatasetError
from manifests.reports.validate import validate
from manifests.schema.videos import VIDEOS

QUIET = load_settings("embedded", overrides={"speech.encoder": "none", "speech.denoiser": "none"})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two videos of three pictures each, and a file that is no video."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for number, name in enumerate(("a", "b")):
        write_video(folder / f"{name}.mp4", frame_times(Fraction(25), 3), [counted_picture(number)] * 3)
    (folder / "broken.mp4").write_text("no video")
    return folder


class RecordUse:
    """Counts the opens of a dataset's record for reading, and the renames that put another one in its place."""

    def __init__(self) -> None:
        self._record: str | None = None
        self.reads = self.writes = 0
        sys.addaudithook(self._audit)

    @contextmanager
    def of(self, dataset: Path) -> Iterator["RecordUse"]:
        self._record, self.reads, self.writes = str(dataset / "dataset.json"), 0, 0
        try:
            yield self
        finally:
            self._record = None

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if self._record is None or event not in ("open", "os.rename"):
            return
        path = arguments[event == "os.rename"]
        if not isinstance(path, str | bytes | PurePath) or os.fsdecode(path) != self._record:
            return
        flags = arguments[2] if event == "open" and isinstance(arguments[2], int) else 0
        if event == "os.rename" or flags & (os.O_WRONLY | os.O_RDWR):
            self.writes += 1
        else:
            self.reads += 1


@pytest.fixture(scope="module")
def record_use() -> RecordUse:
    return RecordUse()


def test_a_command_reads_the_record_once_and_writes_it_once(source: Path, record_use: RecordUse) -> None:
    dataset, decided = source.parent / "dataset", source.parent / "decided"
    names = source.parent / "names.txt"
    names.write_text("b.mp4\n")
    commands: dict[str, Callable[[], RunReport | RetryReport]] = {
        "run": partial(run, source, dataset, QUIET),
        "the same run again": partial(run, source, dataset, QUIET),
        "retry": partial(retry, dataset),
        "run with a list": partial(run, source, dataset, QUIET, exclusions=read_exclusions(None, names)),
    }
    for name, command in commands.items():
        with record_use.of(dataset) as use:
            command().dataset.statistics()
        assert (use.reads, use.writes) == (int(name != "run"), 1), name  # what is not there is not opened
    with record_use.of(dataset) as use:
        forget(dataset, videos=["a.mp4"])
    assert (use.reads, use.writes) == (1, 1)
    with record_use.of(decided) as use:
        redecide(dataset, decided, overrides=["rules.frontal.strict_deg=9"]).statistics()
    assert (use.reads, use.writes) == (0, 1)
    with record_use.of(dataset) as use:
        redecide(dataset, source.parent / "again")
    assert (use.reads, use.writes) == (1, 0)


class Stopped(Exception):  # noqa: N818 - no error, but the end of the process
    """The process ends."""


class Stopping:
    """Ends a run before its first video."""

    def reading(self, _n_files: int, _n_bytes: int) -> None:
        """Never called."""

    def start(self, _todo: Sequence[SourceVideo], _already_done: int) -> None:
        raise Stopped

    def tell(self, _event: object) -> None:
        """Never called."""

    def advance(self, _record: VideoRecord) -> None:
        """Never called."""


def test_a_dataset_whose_first_run_was_stopped_is_one_of_its_settings(source: Path) -> None:
    dataset = source.parent / "dataset"
    with pytest.raises(Stopped):
        run(source, dataset, QUIET, watcher=Stopping())
    assert not (dataset / "dataset.json").exists()
    begun = Dataset(dataset)
    assert begun.record.config == QUIET.model_dump(mode="json")
    assert begun.statistics().total.videos == 0
    with pytest.raises(DatasetFolderError, match=r"rules\.frontal\.strict_deg: 7\.0, was"):
        run(source, dataset, load_settings(QUIET, overrides=["rules.frontal.strict_deg=7"]))
    run(source, dataset, QUIET)
    assert validate(dataset) == []
    assert list((dataset / "ledger").glob("*.draft")) == []
    run(source, source.parent / "undisturbed", QUIET)
    assert (dataset / "dataset.json").read_bytes() == (source.parent / "undisturbed" / "dataset.json").read_bytes()


def test_a_list_stays_on_record_where_the_run_that_applied_it_was_stopped(source: Path) -> None:
    dataset, names = source.parent / "dataset", source.parent / "names.txt"
    run(source / "a.mp4", dataset, QUIET)
    names.write_text("b.mp4\n")
    with pytest.raises(Stopped):
        run(source, dataset, QUIET, exclusions=read_exclusions(None, names), watcher=Stopping())
    report = run(source, dataset, QUIET)
    assert report.excluded == 1
    assert [known.entries for known in report.dataset.record.exclusions] == [1]


def test_a_run_that_was_stopped_before_its_first_write_ended_can_begin_again(source: Path) -> None:
    dataset = source.parent / "dataset"
    (dataset / "ledger").mkdir(parents=True)
    (dataset / "ledger" / ".dataset.json.draft.1234.part").write_text("{")
    with pytest.raises(DatasetError, match="is no dataset"):
        DatasetFolder.existing(dataset)
    run(source, dataset, QUIET)
    assert validate(dataset) == []
    assert not list(dataset.rglob(".*"))


def test_a_run_describes_the_tables_of_a_dataset_of_an_earlier_version_anew(source: Path) -> None:
    dataset = source.parent / "dataset"
    run(source, dataset, QUIET)
    path = dataset / "dataset.json"
    first = path.read_bytes()
    record = json.loads(first)
    record["tables"]["spans"]["columns"][0].update(type="int64", meaning="as an earlier version worded it")
    path.write_text(json.dumps(record))
    assert [problem.row for problem in validate(dataset)] == ["tables"]
    run(source, dataset, QUIET)
    assert validate(dataset) == []
    assert path.read_bytes() == first


def test_a_dry_run_writes_nothing(source: Path) -> None:
    dataset = source.parent / "dataset"
    folder = DatasetFolder.begin(dataset, QUIET, weights=[], dry_run=True)
    assert folder.is_new
    assert folder.ledger() == {}
    assert not dataset.exists()


def test_one_worker_is_this_process_and_more_are_on_ray() -> None:
    assert (Executor.of_workers(1).kind, Executor.of_workers(4).kind) == ("inline", "ray")
    assert Executor.of_workers(4).workers == 4


def test_records_of_the_ledger_are_rows_of_the_table_videos() -> None:
    assert set(VideoRecord.model_fields) == {column.name for column in VIDEOS.columns}
    for column in VIDEOS.columns:
        allows_none = type(None) in getattr(VideoRecord.model_fields[column.name].annotation, "__args__", ())
        assert column.nullable or not allows_none, column.name
