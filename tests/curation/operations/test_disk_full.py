"""A disk that fills up in the middle of a run: on a small tmpfs, and at many places of what is written.

Where mounting is not allowed the tmpfs is a folder whose files refuse to grow, as in the other tests here.
"""

import dataclasses
import errno
import io
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import pytest
from click.testing import Result
from helpers.made_videos import TalkingFace, frame_times, talking_video
from typer.testing import CliRunner

from curation.cli.app import app
from curation.engine.event_log import events_path
from curation.engine.units import AnalyzeVideo
from curation.engine.units import Result as UnitResult
from curation.engine.worker import VideoWorker, WorkerPlan
from curation.media.probe import VideoInfo
from curation.output.complete_videos import complete_videos
from curation.output.folder import DatasetFolder
from curation.output.ledger import read_ledger
from manifests.record import find_dataset
from manifests.reports.validate import validate

_PLACES = 16
"""At how many bytes, evenly spread over all that a run writes, the disk is full."""


class CountedDisk:
    """Counts the bytes that this process writes below a folder, and refuses those beyond a limit, as a disk does."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.written = 0
        self.limit: int | None = None
        self._open = io.open
        monkeypatch.setattr(io, "open", self._opened)

    def take(self, size: int) -> None:
        """Write `size` bytes, or find the disk full."""
        if self.limit is not None and self.written + size > self.limit:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.written += size

    def _opened(self, file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **more: Any) -> Any:  # noqa: ANN401
        opened = self._open(file, mode, buffering, *rest, **more)
        if not set(mode) & set("wax+") or not Path(os.fsdecode(file)).is_relative_to(self.folder):
            return opened
        return _Counted(opened, self)


class _Counted:
    """A file on a `CountedDisk`."""

    def __init__(self, file: Any, disk: CountedDisk) -> None:  # noqa: ANN401
        self._file, self._disk = file, disk

    def write(self, content: Any) -> int:  # noqa: ANN401
        self._disk.take(len(memoryview(content)) if not isinstance(content, str) else len(content.encode()))
        return int(self._file.write(content))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._file, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@dataclass
class Work:
    """Videos, and a run over them that measures each only once, however often it is started."""

    source: Path
    whole: Path
    """The dataset of an undisturbed run."""

    def run(self, dataset: Path) -> Result:
        return CliRunner().invoke(
            app, ["run", "--source", str(self.source), "--out", str(dataset), "--preset", "embedded"]
        )


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, talking_face: TalkingFace) -> Iterator[Work]:
    source = tmp_path_factory.mktemp("work") / "raw"
    source.mkdir()
    times_s = frame_times(Fraction(25), 80)
    talking_video(source / "a.mp4", talking_face, times_s, sound=talking_face.sound(0.0, 3.2))
    (source / "b.mp4").write_text("no video")
    talking_video(source / "c.mp4", talking_face, times_s)
    talking_video(source / "d.mp4", talking_face, times_s[:40], sound=talking_face.sound(1.0, 2.6))
    with pytest.MonkeyPatch.context() as patched:
        measured: dict[Path, Any] = {}
        workers: list[VideoWorker] = []
        make, curate = WorkerPlan.make_worker, VideoWorker.curated

        def make_once(plan: WorkerPlan) -> VideoWorker:
            workers[:] = workers or [make(plan)]
            return dataclasses.replace(workers[0], plan=plan)

        def curated_once(self: VideoWorker, info: VideoInfo, *arguments: Any) -> Any:  # noqa: ANN401
            if info.path not in measured:
                measured[info.path] = curate(self, info, *arguments)
            return measured[info.path]

        patched.setattr(WorkerPlan, "make_worker", make_once)
        patched.setattr(VideoWorker, "curated", curated_once)
        made = Work(source=source, whole=source.parent / "whole")
        assert made.run(made.whole).exit_code == 1  # b.mp4 is no video
        yield made


def _content(dataset: Path) -> dict[str, bytes]:
    files = [path for path in dataset.rglob("*") if path.is_file() and path != events_path(dataset)]
    return {path.relative_to(dataset).as_posix(): path.read_bytes() for path in files}


def _assert_committed_is_whole(dataset: Path, aside: Path) -> None:
    """What the ledger vouches for, and nothing else, makes a valid dataset."""
    shutil.copytree(dataset, aside)
    if find_dataset(aside) is None:
        assert _content(aside) == {}
        return
    folder = DatasetFolder.existing(aside)
    records = complete_videos(folder.path, folder.ledger(), folder.settings.storage)
    folder.finish(sorted(records.values(), key=lambda record: record.path))
    assert validate(aside) == []


def _assert_stopped_clearly(stopped: Result) -> None:
    assert stopped.exit_code == 3, stopped.output
    assert "the disk is full: [Errno 28]" in stopped.output
    assert "give the command again: nothing committed is lost" in stopped.output


@pytest.mark.slow
@pytest.mark.parametrize("place", range(_PLACES))
def test_wherever_the_disk_is_full_nothing_is_damaged_and_the_next_run_ends_as_an_undisturbed_one(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    dataset = tmp_path / "dataset"
    with monkeypatch.context() as patched:
        disk = CountedDisk(dataset, patched)
        assert work.run(dataset).exit_code == 1
    shutil.rmtree(dataset)
    with monkeypatch.context() as patched:
        limited = CountedDisk(dataset, patched)
        limited.limit = disk.written * (2 * place + 1) // (2 * _PLACES)
        _assert_stopped_clearly(work.run(dataset))
    assert [path.name for path in dataset.rglob("*.part")] == []
    _assert_committed_is_whole(dataset, tmp_path / "aside")
    assert work.run(dataset).exit_code == 1
    assert validate(dataset) == []
    assert _content(dataset) == _content(work.whole)


@dataclass
class SmallDisk:
    """A disk that can be filled up."""

    folder: Path
    fill: Callable[[], None]
    empty: Callable[[], None]


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        disk = CountedDisk(folder, monkeypatch)

        def fill() -> None:
            disk.limit = disk.written

        def empty() -> None:
            disk.limit = None

        yield SmallDisk(folder, fill, empty)
        return
    ballast = folder / "ballast"

    def fill_up() -> None:
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        assert shutil.disk_usage(folder).free == 0

    try:
        yield SmallDisk(folder, fill_up, ballast.unlink)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
def test_a_small_disk_that_fills_up_stops_the_run_and_with_room_it_ends_well(
    work: Work, small_disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = small_disk.folder / "dataset"
    with monkeypatch.context() as patched:
        run, n_units = AnalyzeVideo.run, iter(range(9))

        def filling(self: AnalyzeVideo, worker: VideoWorker) -> UnitResult:
            if next(n_units) == 2:  # two are done
                small_disk.fill()
            return run(self, worker)

        patched.setattr(AnalyzeVideo, "run", filling)
        _assert_stopped_clearly(work.run(dataset))
    assert len(read_ledger(dataset)) == 2
    _assert_committed_is_whole(dataset, tmp_path / "aside")
    assert work.run(dataset).exit_code == 3  # still full
    small_disk.empty()
    assert work.run(dataset).exit_code == 1
    assert validate(dataset) == []
    assert _content(dataset) == _content(work.whole)


def test_a_run_that_cannot_fit_is_refused_before_a_video_is_decoded(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nearly_full = shutil.disk_usage(tmp_path)._replace(free=2**20)

    def refuse(*_: object) -> None:
        raise AssertionError("a video was decoded")

    monkeypatch.setattr(shutil, "disk_usage", lambda _: nearly_full)
    monkeypatch.setattr(AnalyzeVideo, "run", refuse)
    stopped = work.run(tmp_path / "dataset")
    assert stopped.exit_code == 3
    assert "1 MiB are free there, and 4 videos take at least 8 MiB; make room" in stopped.output
