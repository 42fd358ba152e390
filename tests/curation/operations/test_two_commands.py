"""Two commands, one dataset: the second is refused or waits, and what was removed never comes back."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from helpers.made_videos import counted_picture, frame_times, write_video
from helpers.other_command import held_elsewhere
from typer.testing import CliRunner

from curation.cli.app import app
from curation.operations.decide import redecide
from curation.operations.forget import forget
from curation.operations.retry import retry
from curation.operations.run import run
from curation.output import sole_writer
from curation.output.curated_video import write_decision
from curation.output.folder import DatasetFolder
from curation.output.ledger import read_ledger, write_record
from curation.output.window_files import remove_windows
from curation.settings import load_settings
from curation.sources.content import fingerprint
from foundation.errors import EXIT_CANNOT_START
from foundation.storage import leases
from foundation.storage.lease_record import LEASE, STALE_S
from foundation.storage.leases import LeaseHeldError, LeaseLostError, LeaseToken, adopt
from manifests.dataset import Dataset
from manifests.errors import DatasetError
from manifests.files.journal import swap_files
from manifests.packing.one_state import ChangingDatasetError
from manifests.packing.pack import compact
from manifests.record import read_dataset
from manifests.reports.validate import validate

QUIET = load_settings("embedded", overrides={"speech.encoder": "none", "speech.denoiser": "none"})

_RUN = """
import sys, time
from pathlib import Path
from curation.operations.run import run
from curation.settings import load_settings

class Pausing:
    def reading(self, n_files, n_bytes): pass
    def tell(self, event): pass
    def start(self, todo, already_done):
        print("begun", flush=True)
        sys.stdin.readline()
    def advance(self, record): pass

settings = load_settings("embedded", overrides={"speech.encoder": "none", "speech.denoiser": "none"})
run(sys.argv[1], sys.argv[2], settings, watcher=Pausing())
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a list of videos of Anna and Bert, of three pictures each, and the dataset of them."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "raw").mkdir()
    for number, name in enumerate(("anna", "bert")):
        write_video(folder / "raw" / f"{name}.mp4", frame_times(Fraction(25), 3), [counted_picture(number)] * 3)
    (folder / "raw" / "broken.mp4").write_text("no video")
    rows = ["path,speaker_id", "raw/anna.mp4,anna", "raw/bert.mp4,bert", "raw/broken.mp4,"]
    (folder / "talks.csv").write_text("\n".join(rows) + "\n")
    run(str(folder / "talks.csv"), folder / "dataset", QUIET)
    return folder


@pytest.fixture
def people(made: Path, tmp_path: Path) -> Path:
    """A copy of that dataset; a test may spoil it."""
    return Path(shutil.copytree(made / "dataset", tmp_path / "dataset"))


def _content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(LEASE.split(".json", maxsplit=1)[0])
    }


def _commands(made: Path, dataset: Path) -> dict[str, list[str]]:
    quiet = ["--preset", "embedded", "--set", "speech.encoder=none", "--set", "speech.denoiser=none"]
    return {
        "run": ["run", "--source", str(made / "talks.csv"), "--out", str(dataset), *quiet],
        "retry": ["retry", str(dataset), "--failed"],
        "decide into it": ["decide", str(made / "dataset"), "--out", str(dataset)],
        "decide from it": ["decide", str(dataset), "--out", str(dataset.parent / "decided")],
        "forget": ["forget", str(dataset), "--speaker", "anna"],
        "validate": ["validate", str(dataset)],
    }


@pytest.mark.parametrize("name", ["run", "retry", "decide into it", "decide from it", "forget", "validate"])
def test_a_second_command_ends_at_once_and_says_who_is_at_work(name: str, made: Path, people: Path) -> None:
    before = _content(people)
    with held_elsewhere(people, "gaia-curate run"):
        told = CliRunner().invoke(app, _commands(made, people)[name])
    assert told.exit_code == EXIT_CANNOT_START, told.output
    assert f"`gaia-curate run` on host {os.uname().nodename}, process {os.getpid()}, since 20" in told.stderr
    assert "Traceback" not in told.output
    assert _content(people) == before
    assert not (people.parent / "decided").exists()


@pytest.mark.parametrize("name", ["retry", "decide from it", "forget", "validate"])
def test_with_wait_it_begins_when_the_first_has_ended(
    name: str, made: Path, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_LOOK_S", 0.05)
    monkeypatch.setattr("manifests.packing.one_state._LOOK_S", 0.05)
    holds, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with held_elsewhere(people, "gaia-curate run"):
            holds.set()
            may_end.wait(60)

    first = threading.Thread(target=hold)
    first.start()
    holds.wait(60)
    threading.Timer(0.5, may_end.set).start()
    told = CliRunner().invoke(app, [*_commands(made, people)[name], "--wait"])
    assert may_end.is_set()
    first.join()
    assert told.exit_code in (0, 1), told.output  # retry: the broken file stays so
    assert CliRunner().invoke(app, ["validate", str(people)]).exit_code == 0


def test_the_file_of_a_lease_belongs_to_no_dataset(made: Path, people: Path) -> None:
    with held_elsewhere(people, "gaia-curate run"):
        assert DatasetFolder.existing(people).foreign_entries() == []
        left = (people / LEASE).read_text(encoding="utf-8").replace('"started":', '"started":1')
    (people / LEASE).write_text(left, encoding="utf-8")  # of a process that is gone
    assert validate(people) == []
    empty = people.parent / "new"
    empty.mkdir()
    (empty / LEASE).write_text(left, encoding="utf-8")
    run(str(made / "talks.csv"), empty, QUIET)
    assert not (empty / LEASE).exists()


def test_what_is_no_dataset_gets_no_lease(tmp_path: Path, made: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").touch()
    for arguments in _commands(made, tmp_path / "photos").values():
        assert CliRunner().invoke(app, arguments).exit_code == 2, arguments
    for arguments in (
        ["forget", str(tmp_path / "no" / "where"), "--speaker", "anna"],
        ["retry", "no/where", "--failed"],
    ):
        assert CliRunner().invoke(app, arguments).exit_code == 2
    assert [path.name for path in tmp_path.rglob("*")] == ["photos", "one.jpg"]


@pytest.fixture
def running(made: Path, people: Path) -> Iterator[subprocess.Popen[str]]:
    """A run over all videos in another process, which has read what there is and waits for a line before it works."""
    for record in read_ledger(people).values():
        (people / "ledger" / f"{record.video_id}.json").unlink()
    command = [sys.executable, "-c", _RUN, str(made / "talks.csv"), str(people)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        yield process
        process.kill()


def _persons(dataset: Path) -> set[object]:
    return set(Dataset(dataset).videos(["speaker_id"])["speaker_id"].to_pylist())


def _all_bytes(dataset: Path) -> bytes:
    return b"".join(name.encode() + content for name, content in _content(dataset).items())


def test_forget_during_a_run_removes_nothing_and_says_so_and_afterwards_everything(
    people: Path, running: subprocess.Popen[str]
) -> None:
    told = CliRunner().invoke(app, ["forget", str(people), "--speaker", "anna"])
    assert told.exit_code == EXIT_CANNOT_START
    assert "Removed" not in told.output
    _, errors = running.communicate("\n", timeout=120)
    assert running.returncode == 0, errors
    assert _persons(people) == {"anna", "bert", None}
    forget(people, speaker="anna")
    assert _persons(people) == {"bert", None}
    assert validate(people) == []


def test_a_run_that_was_stopped_while_someone_was_forgotten_does_not_bring_them_back(
    made: Path, people: Path, running: subprocess.Popen[str]
) -> None:
    then = time.time() - STALE_S - 1
    os.utime(people / LEASE, (then, then))  # as if the process had been stopped for a minute
    forget(people, speaker="anna")
    before = _content(people)
    _, errors = running.communicate("\n", timeout=120)
    assert "LeaseLostError" in errors
    assert _content(people) == before
    assert _persons(people) == {"bert", None}
    assert fingerprint(made / "raw" / "anna.mp4").encode() not in _all_bytes(people)
    run(str(made / "talks.csv"), people, QUIET)
    assert _persons(people) == {"bert", None}


def test_a_killed_run_is_taken_over_at_once(made: Path, people: Path, running: subprocess.Popen[str]) -> None:
    running.kill()
    running.wait()
    run(str(made / "talks.csv"), people, QUIET)
    assert _persons(people) == {"anna", "bert", None}
    assert validate(people) == []


def test_to_forget_twice_is_no_error_by_person_id_or_file(made: Path, people: Path) -> None:
    anna = made / "raw" / "anna.mp4"
    for _ in range(2):
        forget(people, speaker="anna")
    for name in (fingerprint(anna), str(anna)):
        assert "had been forgotten before" in forget(people, videos=[name]).text()
    with pytest.raises(DatasetError, match="has no video"):
        forget(people, videos=["carla.mp4"])


def test_a_worker_of_a_lost_run_commits_nothing(people: Path) -> None:
    folder = DatasetFolder.existing(people)
    record = next(iter(read_ledger(people).values()))
    video_id, before = record.video_id, _content(people)
    (people / "windows").mkdir(exist_ok=True)
    (people / "windows" / f"{video_id}-0000000-0000010.npz").touch()
    before = _content(people)
    commits: Sequence[Callable[[], object]] = (
        lambda: write_record(people, record),
        lambda: remove_windows(people, {video_id}),
        lambda: swap_files(people, [], ["clips/part-all.parquet"]),
        lambda: folder.forget_video(video_id),
        lambda: folder.finish([record]),
        lambda: compact(people, [video_id], QUIET.storage),
    )
    try:
        adopt(LeaseToken(people, "0" * 32))
        for commit in commits:
            with pytest.raises(LeaseLostError):
                commit()
            assert _content(people) == before
    finally:
        leases._HELD.clear()


def test_a_dataset_that_is_changed_while_it_is_decided_anew_is_not_mixed(
    people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = write_decision

    def disturbed(*arguments: object) -> None:
        real(*arguments)
        with held_elsewhere(people, "gaia-curate forget"):
            (people / "videos" / "videos.parquet").touch()

    monkeypatch.setattr("curation.operations.decide.write_decision", disturbed)
    with pytest.raises(ChangingDatasetError):
        redecide(people, people.parent / "decided")
    monkeypatch.undo()
    redecide(people, people.parent / "decided")
    assert validate(people.parent / "decided") == []


def test_library_calls_are_refused_like_commands(made: Path, people: Path) -> None:
    with held_elsewhere(people, "gaia-curate run"):
        for call in (
            lambda: run(str(made / "talks.csv"), people, QUIET),
            lambda: retry(people),
            lambda: forget(people, speaker="anna"),
            lambda: redecide(made / "dataset", people),
        ):
            with pytest.raises(LeaseHeldError):
                call()
        assert forget(people, speaker="anna", dry_run=True).files == 1
        assert read_dataset(people).removals is None


def test_a_folder_that_another_command_begins_meanwhile_is_no_foreign_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    look = sole_writer.require_free

    def begun_meanwhile(path: Path) -> None:
        (path / "ledger").mkdir(parents=True)
        (path / "ledger" / "dataset.json.draft").write_text("{}")
        look(path)

    monkeypatch.setattr(sole_writer, "require_free", begun_meanwhile)
    with sole_writer.sole_writer_of_new(folder, "gaia-curate decide", wait=False) as lease:
        assert lease.token.folder == folder
