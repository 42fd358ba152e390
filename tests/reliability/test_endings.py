"""Every command ends within seconds of its error or signal, says why in a sentence, and leaves no process behind."""

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from helpers.made_videos import counted_picture, frame_times, write_video
from helpers.raise_points import PROMISED_S, ROOM_S, Ending, Walk, wrong

Walks = Callable[[Walk], list[Ending]]

TOY = "from helpers.toy_task import command; command()"


def environment(repository: Path, **more: str) -> dict[str, str]:
    paths = [str(repository), str(repository / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "NO_COLOR": "1", **more}


class Program:
    """A command in a session of its own, whose processes all carry a mark in their environment."""

    def __init__(self, repository: Path, program: str, arguments: Sequence[str], **more: str) -> None:
        self._mark = f"ENDINGS_TEST={uuid.uuid4().hex}"
        name, _, value = self._mark.partition("=")
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env=environment(repository, **{name: value}, **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

        self._last_resort = threading.Timer(8 * ROOM_S, self.process.kill)
        self._last_resort.start()

    def read_until(self, words: str) -> str:
        """Read what it says up to the line that has these words."""
        assert self.process.stderr is not None
        said = ""
        for line in self.process.stderr:
            said += line
            if words in line:
                return said
        pytest.fail(f"it ended without saying {words!r}: {said}")

    def processes(self) -> list[int]:
        return sorted(_marked(self._mark.encode()))

    def ended(self, code: int, within_s: float = ROOM_S) -> str:
        """Wait for the end; return what it said since the last reading."""
        self._last_resort.cancel()
        try:
            out, told = self.process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"still there after {within_s:.0f} s")
        assert self.process.returncode == code, told
        return out + told

    def gone(self) -> bool:
        """Whether no process of it is left, within a second or so: the system takes a moment to remove them."""
        give_up = time.monotonic() + PROMISED_S
        while self.processes() and time.monotonic() < give_up:
            time.sleep(0.1)
        return not self.processes()

    def kill(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self.process.communicate()


def _marked(mark: bytes) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)
            except OSError:
                continue


@pytest.mark.parametrize("every", [25, pytest.param(1, marks=pytest.mark.slow)])
def test_training_with_loaders_ends_wherever_it_fails(every: int, walk_once: Walks) -> None:
    arguments = ("FRESH/run", "train.workers=1", "train.steps=2")
    endings = walk_once(Walk(program="helpers.toy_task:command", every=every, arguments=arguments))
    assert len(endings) > 150 / every - 1
    for ending in endings:
        assert ending.took_s < ROOM_S, ending
        assert ending.left == (), ending
        if ending.code == 0:  # raised where Python collects garbage, or in what the run can do without
            continue
        assert ending.code == 3, ending
        assert ending.last_line() == "gaia-train: /made/up cannot be read or written: Input/output error"


SETTINGS = ("train.steps=100000", "train.checkpoint_every=100000", "train.pictures_every=100000")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("raise", "cannot be read or written: "),
        ("SIGKILL", "loader processes ended (process"),
        pytest.param("SIGSTOP", "T (stopped)", marks=pytest.mark.slow),
        pytest.param("hang", "S (sleeping)", marks=pytest.mark.slow),
    ],
)
def test_a_loader_that_fails_or_stalls_ends_the_training(
    fault: str, says: str, repository: Path, tmp_path: Path
) -> None:
    stalls = ["train.loader_patience_s=25"] if fault in ("SIGSTOP", "hang") else []
    arguments = [str(tmp_path / "run"), "train.workers=1", *SETTINGS, *stalls]
    program = Program(repository, TOY, arguments, LOADER_FAULT=fault)
    said = program.ended(3, within_s=8 * ROOM_S)  # from its start on
    assert says in said.splitlines()[-1]
    assert "Traceback" not in said
    assert program.gone()


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_sigterm_to_all_processes_of_a_training_ends_it_with_a_checkpoint(
    workers: int, repository: Path, tmp_path: Path
) -> None:
    program = Program(repository, TOY, [str(tmp_path / "run"), f"train.workers={workers}", *SETTINGS])
    program.read_until("loss")
    os.killpg(program.process.pid, signal.SIGTERM)
    assert "the same command resumes the run" in program.ended(0)
    assert (tmp_path / "run" / "latest").exists()
    assert program.gone()


@pytest.mark.slow
def test_sigterm_ends_a_training_whose_loaders_hang_and_keeps_its_steps(repository: Path, tmp_path: Path) -> None:
    arguments = [str(tmp_path / "run"), "train.workers=1", *SETTINGS]
    program = Program(repository, TOY, arguments, LOADER_FAULT="SIGSTOP")
    program.read_until("loss")
    time.sleep(1.0)
    program.process.send_signal(signal.SIGTERM)
    assert "the same command resumes the run" in program.ended(0)
    assert (tmp_path / "run" / "latest").exists()
    assert program.gone()


@pytest.mark.parametrize("fault", ["", pytest.param("SIGSTOP", marks=pytest.mark.slow)])
def test_loaders_end_with_a_training_that_is_killed(fault: str, repository: Path, tmp_path: Path) -> None:
    arguments = [str(tmp_path / "run"), "train.workers=2", *SETTINGS]
    program = Program(repository, TOY, arguments, **({"LOADER_FAULT": fault} if fault else {}))
    program.read_until("loss")
    assert len(program.processes()) >= 4  # the trainer, the server, two loaders
    program.process.kill()
    program.ended(-signal.SIGKILL)
    assert program.gone()


TORCHRUN = """
import runpy, sys
sys.argv[0] = "torchrun"
runpy.run_module("torch.distributed.run", run_name="__main__")
"""

FAILING_RANK = """
import os, signal
from training.loop.session import Session
from helpers.toy_task import command

take = Session.step

def step(self, batches):
    if self.progress.step == 7 and os.environ["RANK"] == "1":
        {failure}
    return take(self, batches)

Session.step = step
command()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ("raise OSError(5, 'Input/output error')", "gaia-train: files cannot be read or written: [Errno 5]"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    ],
    ids=["error", "SIGKILL"],
)
def test_all_ranks_end_when_one_does(failure: str, told: str, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "rank.py").write_text(FAILING_RANK.format(failure=failure))
    torchrun = ["--nproc-per-node=2", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", str(tmp_path / "rank.py")]
    settings = [str(tmp_path / "run"), "train.workers=0", "train.micro_batch=2", *SETTINGS]
    program = Program(repository, TORCHRUN, [*torchrun, *settings])
    program.read_until("[7/")
    said = program.ended(1)
    assert told in said
    assert "gaia-train: step 8: rank 0 of 2 has lost another rank" in said
    assert program.gone()


CURATE = """
import dataclasses, time
import curation.engine.worker, curation.operations.work
from curation.cli.app import main

class SlowWorker(curation.engine.worker.VideoWorker):
    __slots__ = ()

    def curated(self, *arguments):
        (self.plan.dataset.parent / "begun").touch()
        time.sleep(1000.0)

class SlowPlan(curation.engine.worker.WorkerPlan):
    __slots__ = ()

    def make_worker(self, *on_length):
        worker = super().make_worker(*on_length)
        return SlowWorker(**{field.name: getattr(worker, field.name) for field in dataclasses.fields(worker)})

curation.operations.work.WorkerPlan = SlowPlan
main()
"""
"""The command itself, but that no video is ever done."""


def curation(repository: Path, folder: Path, *options: str, program: str = CURATE) -> Program:
    (folder / "raw").mkdir(exist_ok=True)
    for number in range(2):
        write_video(folder / "raw" / f"{number}.mp4", frame_times(Fraction(25), 3), [counted_picture(number)] * 3)
    arguments = ["run", "--source", str(folder / "raw"), "--out", str(folder / "dataset"), "--preset", "embedded"]
    arguments += ["--set", "speech.encoder=none", "--set", "speech.denoiser=none", *options]
    return Program(repository, program, arguments)


def wait_until_begun(program: Program, folder: Path) -> None:
    while not (folder / "begun").exists():
        assert program.process.poll() is None, program.process.communicate()
        time.sleep(0.05)


ON_RAY = ("--executor", "ray", "--workers", "2")


@pytest.mark.parametrize(
    "options", [pytest.param((), id="inline"), pytest.param(ON_RAY, id="ray", marks=pytest.mark.slow)]
)
def test_sigterm_ends_a_curation_at_once_with_a_sentence_and_all_its_processes(
    options: tuple[str, ...], repository: Path, tmp_path: Path
) -> None:
    program = curation(repository, tmp_path, *options)
    wait_until_begun(program, tmp_path)
    program.process.send_signal(signal.SIGTERM)
    said = program.ended(143)
    assert said.splitlines()[-1] == (
        "gaia-curate: SIGTERM: ended at once; nothing committed is lost, the same command goes on"
    )
    assert "Traceback" not in said
    assert program.gone()


@pytest.mark.slow
def test_a_wait_that_no_signal_interrupts_is_ended_all_the_same(repository: Path) -> None:
    program = Program(repository, HELD_UP, [])
    program.read_until("begun")
    time.sleep(3.0)  # until it is held up
    program.process.send_signal(signal.SIGTERM)
    assert "gaia: something did not end within 7 s; left it" in program.ended(143)
    assert program.gone()


@pytest.mark.slow
def test_a_thread_that_does_not_end_does_not_hold_up_an_error(repository: Path) -> None:
    program = Program(repository, STUCK_THREAD, [])
    said = program.ended(3)
    assert said.splitlines() == ["gaia: no weights", "gaia: something did not end within 7 s; left it"]


HELD_UP = """
import ctypes, sys
from foundation.program_end import run_program

def command():
    mutex = ctypes.create_string_buffer(64)
    sys.stderr.write("begun\\n")
    for _ in range(2):  # the second time waits for ever, and no signal wakes it
        ctypes.CDLL(None).pthread_mutex_lock(mutex)

run_program("gaia", command)
"""

STUCK_THREAD = """
import threading, time
from foundation.program_end import run_program

def command():
    threading.Thread(target=time.sleep, args=(1000.0,)).start()
    raise SystemExit(3)

import sys
sys.stderr.write("gaia: no weights\\n")
run_program("gaia", command)
"""

GAIA_CURATE = "from curation.cli.app import main; main()"


def in_shell(repository: Path, dataset: Path, command: str) -> tuple[list[int], str]:
    """Run a command line in which PROGRAM stands for `gaia-curate`; return the codes of its parts, and stderr."""
    program = f"{shlex.quote(sys.executable)} -c {shlex.quote(GAIA_CURATE)}"
    line = command.replace("PROGRAM", program).replace("DATASET", shlex.quote(str(dataset)))
    done = subprocess.run(
        ["bash", "-c", f'{line}; echo "${{PIPESTATUS[@]}}" >&2'],
        env=environment(repository),
        capture_output=True,
        text=True,
        check=False,
    )
    *told, codes = done.stderr.splitlines()
    return [int(code) for code in codes.split()], "\n".join(told)


@pytest.fixture(scope="module")
def tiny(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset without clips."""
    folder = tmp_path_factory.mktemp("tiny")
    program = curation(repository, folder, program=GAIA_CURATE)
    program.ended(0, within_s=8 * ROOM_S)
    return folder / "dataset"


@pytest.mark.parametrize("every", [40, pytest.param(7, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "command",
    [
        "validate DATASET",
        "stats DATASET",
        "decide DATASET --out FRESH/decided --set rules.frontal.strict_deg=30",
        "forget DATASET --video 0.mp4 --dry-run",
    ],
)
def test_commands_on_a_dataset_end_wherever_they_fail(command: str, every: int, walk_once: Walks, tiny: Path) -> None:
    words = tuple(word.replace("DATASET", str(tiny)) for word in command.split())
    again = command.startswith("decide")
    endings = walk_once(Walk(program="curation.cli.app:main", every=every, arguments=words, again=again))
    assert len(endings) > 40 / every - 1
    # 1: `validate` lists the error among the problems
    others = [one for one in endings if one.code != 1]
    assert wrong(others, "gaia-curate", again=(0,) if again else None) == []
    assert [one for one in endings if "Traceback" in one.said or one.took_s > ROOM_S or one.left] == []


@pytest.mark.parametrize(
    "command",
    ["PROGRAM stats DATASET --sql 'SELECT range FROM range(200000)'", "PROGRAM settings", "PROGRAM validate DATASET"],
)
def test_a_reader_that_has_seen_enough_ends_a_command_without_a_word(
    command: str, repository: Path, tiny: Path
) -> None:
    codes, told = in_shell(repository, tiny, f"{command} | true")
    assert (codes, told) == ([141, 0], "")


@pytest.mark.parametrize("command", ["stats DATASET", "settings", "validate DATASET", "doctor", "models list"])
def test_output_that_cannot_be_written_is_told_in_a_sentence(command: str, repository: Path, tiny: Path) -> None:
    codes, told = in_shell(repository, tiny, f"PROGRAM {command} > /dev/full")
    assert codes == [3]
    assert len(told.splitlines()) == 1
    assert told.startswith("gaia-curate: ")
    assert "No space left on device" in told
