"""The job script of the guide curates under Slurm; the Slurm here is a made one."""

import os
import signal
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from helpers.fake_slurm import submit
from helpers.made_videos import counted_video, frame_times
from helpers.ray_hosts import Host

from curation.output.ledger import read_ledger
from manifests.reports.validate import validate


@pytest.fixture
def host() -> Iterator[Host]:
    """What bears the variables of the job, to end what a failed one would leave."""
    with tempfile.TemporaryDirectory(prefix="g", dir="/tmp") as folder:
        made = Host(name="job", ip="127.0.0.5", folder=Path(folder))
        yield made
        made.fail()


@pytest.mark.slow
def test_the_job_script_curates_over_all_machines_and_leaves_no_process(
    host: Host, tmp_path: Path, repository: Path
) -> None:
    (tmp_path / "raw").mkdir()
    for number in (25, 30):
        counted_video(tmp_path / "raw" / f"{number}.mp4", frame_times(Fraction(25), number))
    words = ["--source", str(tmp_path / "raw"), "--out", str(tmp_path / "dataset"), "--preset", "embedded"]
    script = repository / "deploy" / "slurm" / "curate.sbatch"
    job = submit(script, words, tmp_path, host.environment)
    try:
        printed, _ = job.communicate(timeout=400)
    finally:
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
    assert job.returncode == 0, printed
    assert [record.status for record in read_ledger(tmp_path / "dataset").values()] == ["ok", "ok"]
    assert validate(tmp_path / "dataset") == []
    first, second = (tmp_path / "steps").read_text().splitlines()
    assert "--nodelist=127.0.0.5" in first
    assert "--num-cpus=0 --head" in first  # the driver has its core
    assert "--nodelist=127.0.0.6" in second
    assert "--num-cpus=1 --address=127.0.0.5:" in second
    assert host.processes() == []
