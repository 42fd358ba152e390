import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import duckdb
import pytest
from PIL import Image

import generation
from generation import JobListError
from generation.batch.made_table import MadeRow, MadeTable


@pytest.fixture
def folder(portrait: Path, speech: Path, tmp_path: Path) -> Path:
    shutil.copy(portrait, tmp_path / "face.png")
    shutil.copy(speech, tmp_path / "hello.flac")
    Image.new("RGB", (200, 200)).save(tmp_path / "nobody.png")
    return tmp_path


def _list(folder: Path, rows: Iterable[str]) -> Path:
    path = folder / "jobs.csv"
    path.write_text("portrait,speech,out,seed\n" + "".join(f"{row}\n" for row in rows))
    return path


@pytest.mark.slow
def test_a_failed_job_is_on_record_and_the_others_are_made_and_then_kept(diffusion_run: Path, folder: Path) -> None:
    rows = ["face.png,hello.flac,1.mp4,4", "nobody.png,hello.flac,2.mp4,5", "face.png,hello.flac,made/3.mp4,6"]
    jobs, told = _list(folder, rows), list[str]()
    made = generation.talking_videos(diffusion_run, jobs, steps=1, told=told.append)
    assert (made.n_made, made.n_kept, made.exit_code) == (2, 0, 1)
    (failed,) = made.failed
    assert failed.startswith(f"line 3: {folder / '2.mp4'}: unusable_input: --portrait ")
    assert [line.split(":")[0] for line in told] == ["1 of 3", "2 of 3", "3 of 3"]
    assert "1 job failed" in str(made)
    table = duckdb.read_parquet(str(folder / "jobs.made.parquet"))
    assert table.select("out", "status", "error_code", "seed", "n_frames").fetchall() == [
        (str(folder / "1.mp4"), "made", None, 4, 32),
        (str(folder / "2.mp4"), "failed", "unusable_input", 5, None),
        (str(folder / "made" / "3.mp4"), "made", None, 6, 32),
    ]
    alone = folder / "alone.mp4"
    generation.talking_video(
        diffusion_run, portrait=folder / "face.png", speech=folder / "hello.flac", out=alone, seed=6, steps=1
    )
    assert (folder / "made" / "3.mp4").read_bytes() == alone.read_bytes()

    # the job that failed is mended, a result is damaged, a seed is changed: these are made, and nothing else
    _list(folder, [*rows[:1], "face.png,hello.flac,2.mp4,5", "face.png,hello.flac,made/3.mp4,8"])
    planned = generation.talking_videos(diffusion_run, jobs, steps=1, dry_run=True)
    assert [line.rpartition(": ")[2] for line in planned.to_make] == ["failed before", "seed"]
    content = (folder / "1.mp4").read_bytes()
    (folder / "1.mp4").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    again = generation.talking_videos(diffusion_run, jobs, steps=1)
    assert (again.n_made, again.n_kept, again.exit_code) == (3, 0, 0)
    assert generation.talking_videos(diffusion_run, jobs, steps=1).n_kept == 3


@pytest.mark.slow
def test_a_killed_batch_goes_on_where_it_was(
    command_environment: dict[str, str], diffusion_run: Path, folder: Path
) -> None:
    jobs = _list(folder, [f"face.png,hello.flac,{number}.mp4,{number}" for number in range(5)])
    command = ["gaia-generate", "--run", str(diffusion_run), "--list", str(jobs), "--steps", "1"]
    with subprocess.Popen(command, env=command_environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        first = [child.stdout.readline() for _ in range(2)]
        child.send_signal(signal.SIGKILL)
    assert [line.split(":")[0] for line in first] == ["1 of 5", "2 of 5"]
    assert not (folder / "jobs.made.parquet").exists()
    known = MadeTable.read(folder / "jobs.made.parquet")
    assert {str(folder / "0.mp4"), str(folder / "1.mp4")} <= set(known)
    times = {out: Path(out).stat().st_mtime_ns for out in known}
    (folder / ".4.mp4.1.part").write_bytes(b"of the killed command")
    made = generation.talking_videos(diffusion_run, jobs, steps=1)
    assert (made.n_made, made.n_kept, made.exit_code) == (5 - len(known), len(known), 0)
    assert {out: Path(out).stat().st_mtime_ns for out in known} == times
    assert sorted(path.name for path in folder.glob("*.mp4*")) == [f"{number}.mp4" for number in range(5)]
    assert list(folder.glob(".*")) == []


@pytest.mark.slow
def test_workers_make_the_same_videos(diffusion_run: Path, folder: Path) -> None:
    rows = [f"face.png,hello.flac,{number}.mp4,{number}" for number in range(2)]
    rows += ["nobody.png,hello.flac,2.mp4,2"]
    jobs = _list(folder, rows)
    here = generation.talking_videos(diffusion_run, jobs, steps=1, device="cpu")
    first = [(folder / f"{number}.mp4").read_bytes() for number in range(2)]
    there = generation.talking_videos(
        diffusion_run, jobs, manifest=folder / "other.parquet", steps=1, device="cpu", workers=2
    )
    assert [(folder / f"{number}.mp4").read_bytes() for number in range(2)] == first
    assert (there.n_made, there.n_kept) == (here.n_made, here.n_kept) == (2, 0)

    def facts(rows: dict[str, MadeRow]) -> list[tuple[object, ...]]:
        return [(row.line, row.out_sha256, row.error_code, row.error) for row in rows.values()]

    assert facts(MadeTable.read(there.manifest)) == facts(MadeTable.read(here.manifest))


def test_a_run_that_cannot_make_a_job_is_refused_before_the_first(made_run: Callable[..., Path], folder: Path) -> None:
    jobs = _list(folder, ["face.png,hello.flac,1.mp4,1"])
    with pytest.raises(JobListError, match=r"jobs\.csv:2: .* is a run of the VAE alone"):
        generation.talking_videos(made_run(motion=False), jobs)
    assert sorted(path.name for path in folder.iterdir()) == ["face.png", "hello.flac", "jobs.csv", "nobody.png"]
