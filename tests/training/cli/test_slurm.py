"""The job script of the guide trains under Slurm; the Slurm here is a made one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.fake_slurm import submit

SMALL = (
    *("model.width=4", "model.multipliers=[1, 1, 1]", "model.groups=2", "model.image_px=32"),
    *("train.batch=4", "train.micro_batch=2", "train.steps=2", "check_pairs=0"),
)


@pytest.mark.slow
def test_the_job_script_trains_on_all_machines_of_the_job(
    make_clips: Callable[..., Path], tmp_path: Path, repository: Path, command_environment: dict[str, str]
) -> None:
    dataset = make_clips(tmp_path / "dataset", {"video": "a", "n_frames": 80}, {"video": "b", "n_frames": 90})
    words = ["vae", str(dataset), "--out", str(tmp_path / "run"), "--size", "tiny", "--device", "cpu"]
    words += [part for setting in SMALL for part in ("--set", setting)]
    script = repository / "deploy" / "slurm" / "train.sbatch"
    job = submit(script, words, tmp_path, command_environment)
    printed, _ = job.communicate(timeout=300)
    assert job.returncode == 0, printed
    assert (tmp_path / "run" / "checkpoints" / "step_2").is_dir() or list((tmp_path / "run").rglob("step_*2")), printed
    (step,) = (tmp_path / "steps").read_text().splitlines()
    assert "--nnodes 2 --nproc-per-node 1" in step
