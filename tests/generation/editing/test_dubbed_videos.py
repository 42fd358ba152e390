"""A dubbed video: its own pictures, in which one square has changed."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.made_videos import TalkingFace, frame_times, talking_video

import generation
from curation.rendering.crop import Crop
from foundation.array_types import RgbImage
from generation.backdrop import Backdrop


def _pictures(path: Path) -> np.ndarray:
    with av.open(str(path)) as opened:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)])


def test_a_frame_is_put_into_the_picture_of_its_time_with_the_colours_of_the_first() -> None:
    first = np.full((41, 60, 3), 100, np.uint8)
    crop = Crop(x0_px=10, y0_px=10, size_px=20)
    shown, made = np.full((8, 8, 3), 100, np.uint8), np.full((8, 8, 3), 90, np.uint8)
    backdrop = Backdrop.of_portrait(first, crop, shown, made, longest_px=None)
    later = np.full((41, 60, 3), 30, np.uint8)
    later[:, 40:] = 7
    put = backdrop.in_picture(np.full((8, 8, 3), 150, np.uint8), later)
    assert put.shape == (40, 60, 3)
    assert (put[:, 40:] == 7).all()
    assert (put[:10] == later[:10]).all()
    assert (put[18:22, 18:22] == 160).all()  # 150, and the 10 levels that the networks take away from the border


@pytest.mark.slow
def test_all_but_the_square_of_the_face_stays_as_it_was(
    made_run: Callable[..., Path], speech: Path, talking_face: TalkingFace, tmp_path: Path
) -> None:
    def on_a_wall(picture: RgbImage) -> RgbImage:
        wall = np.full((420, 700, 3), (40, 90, 160), np.uint8)
        wall[60:380, 20:340] = picture
        return wall

    video = talking_video(tmp_path / "video.mp4", talking_face, frame_times(Fraction(25), 40), change=on_a_wall)
    out = tmp_path / "out.mp4"
    made = generation.talking_video(made_run(landmarks=True), speech=speech, dub=video, out=out, steps=2)
    assert made.n_frames == 32
    assert made.videos[0].edit is not None
    before, after = _pictures(video)[:32].astype(int), _pictures(out).astype(int)
    assert after.shape == before.shape
    assert np.abs(after - before)[:, :, 500:].mean() < 2  # encoded anew
    assert np.abs(after - before)[:, 150:300, 110:260].mean() > 10  # the face of random networks
