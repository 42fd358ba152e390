import json
import shutil
import subprocess
from pathlib import Path

import pytest

from curation.media.encode import encode_flac
from manifests import Dataset

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
    _train_landmarks_and_dub(tmp_path / "out", command_environment)


def _train_landmarks_and_dub(out: Path, environment: dict[str, str]) -> None:
    """Train a run of landmarks on the same data and VAE; it dubs a clip with two seconds of the clip's own speech."""
    data = Dataset(out / "dataset")
    clip = data.clip(min(data.clips(tier="diffusion", columns=["clip_id"])["clip_id"].to_pylist()))
    (out / "clip.mp4").write_bytes(clip.mp4())
    audio = clip.audio()
    assert audio is not None
    (out / "two_seconds.flac").write_bytes(encode_flac(audio[:32_000], 16_000))
    settings = ["--size", "tiny", "--set", "model.target=landmarks", "--set", "train.steps=3"]
    run, dubbed = out / "landmarks", out / "dubbed.mp4"
    train = ["gaia-train", "diffusion", out / "dataset", "--vae", out / "vae", "--out", run, *settings]
    dub = ["gaia-generate", "--run", run, "--dub", out / "clip.mp4", "--speech", out / "two_seconds.flac"]
    for command in (train, [*dub, "--out", dubbed, "--steps", "3"]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert f"{dubbed}: 50 frames, 2.00 s; mark " in done.stdout
    assert "; landmarks outside mouth and jaw are on average 0.00 px" in done.stdout
    assert json.loads((run / "run.json").read_text())["settings"]["model"]["target"] == "landmarks"


def test_without_its_two_arguments_the_script_says_what_it_takes(repository: Path) -> None:
    script = repository / "examples" / "end_to_end.sh"
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "examples/end_to_end.sh VIDEOS OUT" in done.stderr
    assert "GAIA_DIFFUSION_STEPS" in done.stderr
