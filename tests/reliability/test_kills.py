"""The driver of a run is killed while it starts, curates and packs; gone on with, the dataset is that of one run."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from helpers.made_videos import TalkingFace, frame_times, talking_video


@pytest.mark.slow
def test_a_killed_run_that_goes_on_ends_with_the_bytes_of_an_undisturbed_one(
    repository: Path, tmp_path: Path, talking_face: TalkingFace
) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    times_s = frame_times(Fraction(25), 80)
    for number in range(3):
        sound = talking_face.sound(0.1 * number, 3.2 + 0.1 * number)
        talking_video(clips / f"{number}.mp4", talking_face, times_s, sound=sound)
    talking_video(clips / "windows.mp4", talking_face, frame_times(Fraction(25), 210))  # of 8 s each
    quiet = ["--set", "speech.encoder=none", "--set", "speech.denoiser=none"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.curation.kills", str(clips), "--kills", "3", *quiet],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["videos"] == 4
    assert report["exit_codes"] == [0, 0]
    assert sum(report["kills"].values()) == 3
    assert report["kills"].get("after the end", 0) < 3
    assert report["differing"] == []
    assert report["files"] > 7  # dataset.json, four records, the tables
    assert report["longest_worker_s"] < 30
    assert report["left_for_good"] == 0
