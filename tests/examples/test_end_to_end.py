import json
import shutil
import subprocess
from pathlib import Path

import pytest

CLIPS = ("WDA_KatieHill_000.mp4", "lp_d20.mp4")
"""Short ones, each with one long clip of tier `diffusion`."""


@pytest.mark.slow
def test_the_script_goes_from_videos_to_a_video_that_plays(
    shared_clips: Path, repository: Path, command_environment: dict[str, str], tmp_path: Path
) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in CLIPS:
        shutil.copy(shared_clips / name, videos)
    few = {"GAIA_VAE_STEPS": "3", "GAIA_DIFFUSION_STEPS": "3"}
    command = ["bash", repository / "examples" / "end_to_end.sh", videos, tmp_path / "out"]
    done = subprocess.run(command, env=command_environment | few, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "frames of h264 at 25 fps, aac; the speech asks for" in done.stdout.splitlines()[-1]
    assert (tmp_path / "out" / "talking.mp4").stat().st_size > 10_000
    measured = json.loads((tmp_path / "out" / "diffusion" / "motion_check.json").read_text())
    assert measured["train"]["clips"] == 2


def test_without_its_two_arguments_the_script_says_what_it_takes(repository: Path) -> None:
    script = repository / "examples" / "end_to_end.sh"
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "examples/end_to_end.sh VIDEOS OUT" in done.stderr
    assert "GAIA_DIFFUSION_STEPS" in done.stderr
