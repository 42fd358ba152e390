"""What a list becomes when commands end early or inputs change; a stand-in writes the seed as the video."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

import generation
from generation import GenerationResult
from generation.batch import job_maker
from generation.measuring_models import MeasuringModels
from generation.outcome import GeneratedVideo
from generation.request import GenerationJob

Stop = Callable[[], None]


@pytest.fixture
def make(
    diffusion_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[list[str], generation.BatchResult]]:
    """Make a list of 1.mp4, 2.mp4, 3.mp4: `make(at_2=...)` calls that for the second; returns what was made."""
    for name in ("face.png", "hello.wav"):
        (tmp_path / name).write_bytes(name.encode())
    rows = [f"face.png,hello.wav,{number}.mp4,{number}\n" for number in (1, 2, 3)]
    (tmp_path / "jobs.csv").write_text("portrait,speech,out,seed\n" + "".join(rows))
    monkeypatch.setattr(MeasuringModels, "load", lambda _models, **_used: None)

    def made(steps: int = 1, at_2: Stop = lambda: None) -> tuple[list[str], generation.BatchResult]:
        names = []

        def stand_in(job: GenerationJob, *_run: object, **_options: object) -> GenerationResult:
            names.append(job.out.name)
            if job.out.name == "2.mp4":
                at_2()
            job.out.write_text(str(job.seed))
            made = GeneratedVideo(path=job.out, n_frames=32, seed=job.seed, mark_id=None)
            return GenerationResult(out=job.out, videos=(made,))

        monkeypatch.setattr(job_maker, "made_videos", stand_in)
        result = generation.talking_videos(diffusion_run, tmp_path / "jobs.csv", steps=steps)
        return names, result

    return made


def _interrupt() -> None:
    raise KeyboardInterrupt


def _fill_disk() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _divide() -> None:
    raise ZeroDivisionError("division by zero")


@pytest.mark.parametrize("stop", [_interrupt, _fill_disk])
def test_what_was_made_before_an_interrupt_or_a_full_disk_is_kept(
    stop: Stop, make: Callable[..., tuple[list[str], generation.BatchResult]]
) -> None:
    with pytest.raises((KeyboardInterrupt, OSError)):
        make(at_2=stop)
    names, result = make()
    assert (names, result.n_kept) == (["2.mp4", "3.mp4"], 1)


def test_a_fault_of_one_job_is_on_record_and_does_not_end_the_others(
    make: Callable[..., tuple[list[str], generation.BatchResult]],
) -> None:
    names, result = make(at_2=_divide)
    assert names == ["1.mp4", "2.mp4", "3.mp4"]
    assert [line.partition("2.mp4: ")[2] for line in result.failed] == [
        "internal_error: ZeroDivisionError: division by zero"
    ]
    assert make()[0] == ["2.mp4"]


def test_jobs_are_made_again_where_result_inputs_or_settings_changed(
    make: Callable[..., tuple[list[str], generation.BatchResult]], tmp_path: Path
) -> None:
    make()
    assert make()[0] == []
    (tmp_path / "1.mp4").write_text("9")  # as long as before
    (tmp_path / "3.mp4").unlink()
    assert make()[0] == ["1.mp4", "3.mp4"]
    (tmp_path / "hello.wav").write_bytes(b"another")
    assert make()[0] == ["1.mp4", "2.mp4", "3.mp4"]
    assert make(steps=2)[0] == ["1.mp4", "2.mp4", "3.mp4"]
    assert make(steps=2)[0] == []
