from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import Coding, Sound, counted_picture, frame_times, write_video

NAMES = ("anna", "ben", "deep/carl")
"""Videos that all three systems have."""


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of three systems with videos of 0.4 s, and a tone from 0.2 s on.

    Those of `older` are MPEG-4 part 2, which browsers do not play.
    """
    folder = tmp_path_factory.mktemp("outputs")
    plain = Coding(codec="mpeg4", options={}, time_base=Fraction(1, 25))
    tone = np.where(np.arange(19_200) < 9_600, 0.0, 0.5 * np.sin(np.arange(19_200) / 5)).astype(np.float32)
    sound = Sound(samples=tone)
    times = frame_times(Fraction(25), 10)
    folders = {name: folder / name for name in ("ours", "rival", "older")}
    for number, (system, path) in enumerate(folders.items()):
        for name in NAMES:
            video = path / f"{name}.mp4"
            video.parent.mkdir(parents=True, exist_ok=True)
            pictures = [counted_picture(100 * number + i, 96, 64) for i in range(10)]
            write_video(video, times, pictures, coding=plain if system == "older" else None, sound=sound)
    write_video(folders["ours"] / "only.mp4", times, [counted_picture(i, 96, 64) for i in range(10)])
    return folders
