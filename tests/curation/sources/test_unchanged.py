"""A local file that is not any more what was listed is told as `changed`, whatever is read of it."""

import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from helpers.made_videos import counted_picture, frame_times, write_video

from curation.engine.events import UnitEvent
from curation.engine.execution import Executor
from curation.media.errors import MediaError
from curation.operations.run import RunReport, run
from curation.output.ledger import VideoRecord
from curation.settings import CurationSettings, load_settings
from curation.sources.discover import discover
from curation.sources.entries import SourceVideo
from curation.sources.scratch import ScratchSettings, readable
from manifests.reports.validate import validate

QUIET = load_settings(CurationSettings(), None, ["speech.encoder=none", "speech.denoiser=none"])

SCRATCH = ScratchSettings()


def put(path: Path, first: int, n_pictures: int = 25) -> Path:
    """Write a video whose pictures count from `first`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = frame_times(Fraction(25), n_pictures)
    return write_video(path, times, [counted_picture(first + number) for number in range(n_pictures)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return put(tmp_path / "raw" / "talk.mp4", 0)


def listed(path: Path) -> SourceVideo:
    (video,) = discover(str(path)).videos
    return video


def replace_by_other_bytes(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes()[::-1])
    other.replace(path)


def replace_with_the_same_size_and_time(path: Path) -> None:
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


CHANGES = pytest.mark.parametrize("change", [replace_by_other_bytes, replace_with_the_same_size_and_time, grow])


@CHANGES
def test_a_file_that_was_replaced_or_grew_since_it_was_listed_is_not_opened(
    file: Path, change: Callable[[Path], None]
) -> None:
    video = listed(file)
    change(file)
    with pytest.raises(MediaError, match="since it was listed") as caught, readable(video, SCRATCH):
        pytest.fail("it was opened")
    assert caught.value.code == "changed"


@CHANGES
@pytest.mark.parametrize("whole", [True, False])
def test_a_file_that_is_replaced_or_grows_while_it_is_read_is_changed(
    file: Path, change: Callable[[Path], None], *, whole: bool
) -> None:
    with pytest.raises(MediaError) as caught, readable(listed(file), SCRATCH, whole=whole) as path:
        change(path)
    assert caught.value.code == "changed"


def test_damage_in_a_file_that_was_replaced_meanwhile_is_not_told_as_damage(file: Path) -> None:
    def read(path: Path) -> None:
        replace_by_other_bytes(path)
        raise MediaError("unreadable", "no picture decodes")

    with pytest.raises(MediaError) as caught, readable(listed(file), SCRATCH) as path:
        read(path)
    assert caught.value.code == "changed"


@pytest.mark.parametrize("whole", [True, False])
def test_a_file_that_became_a_pipe_is_not_given_to_a_decoder(file: Path, *, whole: bool) -> None:
    video = listed(file)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(MediaError, match="a named pipe") as caught, readable(video, SCRATCH, whole=whole):
        pytest.fail("it would be waited for")
    assert caught.value.code == "unreadable"


def test_damage_in_a_file_that_is_as_it_was_stays_damage(file: Path) -> None:
    with pytest.raises(MediaError) as caught, readable(listed(file), SCRATCH):
        raise MediaError("unreadable", "no picture decodes")
    assert caught.value.code == "unreadable"


def test_the_same_bytes_in_a_new_file_of_another_time_are_the_same_video(file: Path) -> None:
    video = listed(file)
    copy = shutil.copy(file, file.with_name("copy"))
    Path(copy).replace(file)
    os.utime(file, (1, 1))
    with readable(video, SCRATCH) as path:
        assert path == file


class Acting:
    """Watcher of a run that does something to the sources when a worker begins a unit."""

    def __init__(self, act: Callable[[UnitEvent], None]) -> None:
        self._act = act

    def reading(self, n_files: int, n_bytes: int) -> None:
        pass

    def start(self, todo: object, already_done: int) -> None:
        pass

    def tell(self, event: UnitEvent) -> None:
        if event.kind == "begin":
            self._act(event)

    def advance(self, record: VideoRecord) -> None:
        pass


def go(
    source: Path, dataset: Path, act: Callable[[UnitEvent], None] = lambda _: None, settings: CurationSettings = QUIET
) -> RunReport:
    return run(str(source), dataset, settings, Executor(), watcher=Acting(act))


def outcomes(report: RunReport) -> dict[str, tuple[str, str | None]]:
    return {Path(record.path).name: (record.status, record.error_code) for record in report.records}


def test_a_video_replaced_during_a_run_has_a_row_changed_and_is_a_new_video_of_the_next_run(tmp_path: Path) -> None:
    first, second = put(tmp_path / "raw" / "a.mp4", 0), put(tmp_path / "raw" / "b.mp4", 100)
    old_id = listed(second).video_id

    def act(event: UnitEvent) -> None:
        if event.unit.video.path.name == "a.mp4":
            put(second, 200)

    dataset = tmp_path / "dataset"
    assert outcomes(go(first.parent, dataset, act)) == {"a.mp4": ("ok", None), "b.mp4": ("failed", "changed")}
    assert validate(dataset) == []
    again = go(first.parent, dataset)
    assert outcomes(again) == {"a.mp4": ("ok", None), "b.mp4": ("ok", None)}
    assert old_id not in {record.video_id for record in again.records}
    assert validate(dataset) == []


def test_a_file_that_becomes_a_pipe_during_a_run_is_unreadable_and_nobody_waits(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "a.mp4", 0)
    second = put(tmp_path / "raw" / "b.mp4", 100)

    def act(event: UnitEvent) -> None:
        if event.unit.video.path.name == "a.mp4":
            second.unlink()
            os.mkfifo(second)

    report = go(tmp_path / "raw", tmp_path / "dataset", act)
    assert outcomes(report) == {"a.mp4": ("ok", None), "b.mp4": ("failed", "unreadable")}
    assert "named pipe" in str(report.records[1].error_detail)


def test_a_long_video_replaced_between_two_windows_is_changed_and_leaves_nothing(tmp_path: Path) -> None:
    long = put(tmp_path / "raw" / "long.mp4", 0, 450)
    begun = []

    def act(event: UnitEvent) -> None:
        begun.append(event.unit.name.partition(" ")[2])
        if begun[-1] == "ticks 200 to 400":
            put(long, 1, 450)

    report = go(long.parent, tmp_path / "dataset", act, load_settings(QUIET, None, ["windows.length_s=8"]))
    assert begun[:2] == ["video", "ticks 0 to 200"]
    assert outcomes(report) == {"long.mp4": ("failed", "changed")}
    assert list((tmp_path / "dataset").glob("windows/*")) == []


def test_copies_of_a_video_that_cannot_be_curated_say_so_too(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "raw" / name).write_bytes(b"no video at all")
    report = go(tmp_path / "raw", tmp_path / "dataset")
    assert outcomes(report) == {"a.mp4": ("failed", "unreadable"), "b.mp4": ("failed", "unreadable")}
    assert [record.duplicate_of for record in report.records] == [None, str(tmp_path / "raw" / "a.mp4")]
    assert len(report.failed) == 2
    assert validate(tmp_path / "dataset") == []
    assert [row.status for row in report.dataset.statistics().videos] == ["unreadable", "unreadable"]
