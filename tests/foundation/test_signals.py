"""Ctrl-C on a real run: once it ends after the units in flight, twice at once; the same command goes on either way.

The signal goes to the whole process group, as a terminal sends it.
"""

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
from helpers.made_videos import counted_picture, frame_times, write_video

from curation.engine.event_log import events_path
from curation.output.ledger import read_ledger
from foundation.signals import CtrlC, StopRequest, WaitOverError, forgiven, limited_wait
from manifests.files.tables import read_table
from manifests.record import read_dataset
from manifests.reports.validate import validate

PROGRAM = """
import dataclasses, signal, time
import curation.engine.worker, curation.operations.work
from curation.cli.app import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the shell of the tests has set

class SlowWorker(curation.engine.worker.VideoWorker):
    __slots__ = ()

    def curated(self, *arguments):
        notes = self.plan.dataset.parent
        with (notes / "begun").open("a") as file:
            file.write("x")
        end = time.monotonic() + float((notes / "nap_s").read_text())
        while time.monotonic() < end:
            time.sleep(0.05)
        return super().curated(*arguments)

class SlowPlan(curation.engine.worker.WorkerPlan):
    __slots__ = ()

    def make_worker(self, *on_length):
        worker = super().make_worker(*on_length)
        return SlowWorker(**{field.name: getattr(worker, field.name) for field in dataclasses.fields(worker)})

curation.operations.work.WorkerPlan = SlowPlan
main()
"""
"""The command itself, but that every unit tells when it is begun and takes its time."""

N_VIDEOS = 5
PATIENCE_S = 240


class Command:
    """`gaia-curate run` on five tiny videos."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.dataset = folder, folder / "dataset"
        self._arguments = [sys.executable, "-c", PROGRAM, "run", "--source", str(folder / "raw")]
        self._arguments += ["--out", str(self.dataset), "--preset", "embedded", *options]
        self._arguments += ["--set", "speech.encoder=none", "--set", "speech.denoiser=none"]

    def start(self, nap_s: float) -> subprocess.Popen[str]:
        (self.folder / "nap_s").write_text(str(nap_s))
        (self.folder / "begun").write_text("")
        return subprocess.Popen(
            self._arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def wait_until_begun(self, process: subprocess.Popen[str], n_units: int) -> None:
        give_up = time.monotonic() + PATIENCE_S
        while self.n_begun < n_units:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < give_up, "no unit was begun"
            time.sleep(0.05)

    @property
    def n_begun(self) -> int:
        return (self.folder / "begun").stat().st_size


def end(process: subprocess.Popen[str]) -> str:
    """Wait for a command that has to say that it was ended early; return what it said."""
    out, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, told
    assert "the same command goes on" in told
    return out + told


def made_source(folder: Path) -> Path:
    (folder / "raw").mkdir()
    for number in range(N_VIDEOS):
        write_video(folder / "raw" / f"{number}.mp4", frame_times(Fraction(25), 3), [counted_picture(number)] * 3)
    return folder


def parts(dataset: Path) -> dict[str, bytes]:
    """The files of a dataset that hold no times, and its record without where its sources lay."""
    files = [*dataset.glob("frames/*"), *dataset.glob("spans/*"), *dataset.glob("clips/*")]
    record = read_dataset(dataset).model_copy(update={"layouts": ()}).model_dump_json()
    return {str(path.relative_to(dataset)): path.read_bytes() for path in files} | {"dataset.json": record.encode()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    command = Command(made_source(tmp_path_factory.mktemp("undisturbed")))
    process = command.start(nap_s=0.0)
    out, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, told
    assert len([line for line in out.splitlines() if line.startswith("slow: ")]) == N_VIDEOS
    return command.dataset


def assert_the_same_command_goes_on(command: Command, n_done: int, undisturbed: Path) -> None:
    process = command.start(nap_s=0.0)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, told
    assert command.n_begun == N_VIDEOS - n_done
    assert parts(command.dataset) == parts(undisturbed)
    assert read_table(command.dataset, "videos").num_rows == N_VIDEOS
    assert not list((command.dataset / "windows").glob("*"))


EXECUTORS = [
    pytest.param(("--executor", "inline"), 1, id="inline"),
    pytest.param(("--executor", "ray", "--workers", "2"), 2, id="ray"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("options", "n_workers"), EXECUTORS)
def test_the_first_ends_after_the_units_in_flight_with_whole_tables(
    tmp_path: Path, undisturbed: Path, options: tuple[str, ...], n_workers: int
) -> None:
    command = Command(made_source(tmp_path), *options)
    process = command.start(nap_s=3.0)
    command.wait_until_begun(process, n_workers)
    os.killpg(process.pid, signal.SIGINT)
    said = end(process)
    assert f"{N_VIDEOS - n_workers} videos are left" in said
    assert command.n_begun == n_workers
    assert len(read_ledger(command.dataset)) == n_workers
    assert read_table(command.dataset, "videos").column("status").to_pylist() == ["ok"] * n_workers
    assert validate(command.dataset) == []
    done = "1 video" if n_workers == 1 else f"{n_workers} videos"
    assert f"{done} done, {N_VIDEOS - n_workers} left" in events_path(command.dataset).read_text()
    assert_the_same_command_goes_on(command, n_workers, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize(("options", "n_workers"), EXECUTORS)
def test_the_second_ends_at_once(tmp_path: Path, undisturbed: Path, options: tuple[str, ...], n_workers: int) -> None:
    command = Command(made_source(tmp_path), *options)
    process = command.start(nap_s=10.0 * PATIENCE_S)
    command.wait_until_begun(process, n_workers)
    os.killpg(process.pid, signal.SIGINT)
    assert process.stderr is not None
    while "Ctrl-C again ends at once" not in process.stderr.readline():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    end(process)
    assert read_ledger(command.dataset) == {}
    assert_the_same_command_goes_on(command, 0, undisturbed)


def test_ctrl_c_is_as_before_once_the_work_is_done() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        said: list[str] = []
        with CtrlC(said.append) as ctrl_c:
            signal.raise_signal(signal.SIGINT)
            assert ctrl_c.requested()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert len(said) == 1
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_that_the_shell_has_turned_off_stays_off() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with CtrlC(print) as ctrl_c:
            signal.raise_signal(signal.SIGINT)
        assert not ctrl_c.requested()
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_first_signal_of_a_context_is_forgiven_and_no_other() -> None:
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert not forgiven(signal.SIGINT)
        with CtrlC(print):
            assert not forgiven(signal.SIGTERM)
            assert forgiven(signal.SIGINT)
            assert not forgiven(signal.SIGINT)
        with StopRequest():
            assert forgiven(signal.SIGTERM)
            assert not forgiven(signal.SIGINT)
        with CtrlC(print), StopRequest():
            pass
        assert not forgiven(signal.SIGINT)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _sleep_after_sigterm() -> None:
    signal.raise_signal(signal.SIGTERM)
    time.sleep(60.0)


def test_a_wait_is_ended_by_its_limit_and_sooner_after_a_signal() -> None:
    begun_s = time.monotonic()
    with pytest.raises(WaitOverError, match="not done after"), limited_wait(0.2):
        time.sleep(60.0)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with StopRequest() as stop, pytest.raises(WaitOverError), stop.limited_wait(600.0):
            _sleep_after_sigterm()
        assert stop.signal == signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before)
    assert time.monotonic() - begun_s < 30.0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
