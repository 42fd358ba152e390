"""Files for every row of the table of bad input, and their expected outcomes."""

import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from foundation.array_types import RgbImage
from helpers.made_videos import (
    Coding,
    TalkingFace,
    counted_picture,
    counted_video,
    frame_times,
    talking_video,
    variable_times,
    write_video,
)

FPS = Fraction(25)
SHORT = frame_times(FPS, 85)
"""3.4 s: slightly more than the shortest clip."""
LONG = frame_times(FPS, 162)
"""6.48 s: slightly more than two clips of 3 s."""


TALKING: dict[str, tuple[list[Fraction], Coding]] = {
    "plain.mp4": (SHORT, Coding()),
    "variable.mp4": (variable_times(4), Coding()),
    "b_frames.mp4": (SHORT, Coding(options={"preset": "veryfast", "bf": "3", "g": "12"})),
    "negative.mkv": (SHORT, Coding(start_s=Fraction(-1, 2), muxer_options={"avoid_negative_ts": "disabled"})),
    "turned.mp4": (SHORT, Coding(turn_deg=90)),
    "odd_size.mp4": (SHORT, Coding(pix_fmt="yuv444p")),
    "ten_bit.mp4": (SHORT, Coding(pix_fmt="yuv420p10le")),
    "hdr.mp4": (SHORT, Coding(pix_fmt="yuv420p10le", colour=(9, 1, 16, 9))),
    "interlaced.mp4": (SHORT, Coding(options=Coding().options | {"x264-params": "tff=1"})),
}
"""Talking videos of many formats that must give a clip of tier diffusion."""

UNREADABLE = {
    "empty.mp4": "unreadable",
    os.fsdecode(b"n\xe9ant.mp4"): "unreadable",
    "text.mp4": "unreadable",
    "headless.mp4": "unreadable",
    "gone.mp4": "unreadable",
    "sound_only.mp4": "no_video_stream",
}
"""Files that must fail, and their codes."""

CHANGES: dict[str, Callable[[RgbImage], RgbImage]] = {
    "turned.mp4": lambda frame: np.ascontiguousarray(np.rot90(frame, -1)),  # clockwise, like a phone on its side
    "odd_size.mp4": lambda frame: np.ascontiguousarray(frame[:319, :317]),
}
"""Changes of the frames of some of them."""

NAMES = ["with space.mp4", "quote'\".mp4", "new\nline.mp4", "日本語.mp4", "100%.mp4", os.fsdecode(b"caf\xe9.mp4")]


def make_bad_input(root: Path, face: TalkingFace) -> None:
    """Make a folder with files of every kind."""
    root.mkdir()
    _make_talking(root, face)
    _make_damaged(root, face)
    _make_unreadable(root)
    _make_names(root)


def _make_talking(root: Path, face: TalkingFace) -> None:
    for name, (times_s, coding) in TALKING.items():
        change = CHANGES.get(name, np.ascontiguousarray)
        sound = face.sound(0.0, float(times_s[-1]) + 0.04)
        talking_video(root / name, face, times_s, coding=coding, sound=sound, change=change)
    shutil.copy(root / "plain.mp4", root / "zz_copy_of_plain.mp4")
    talking_video(root / "no_audio.mp4", face, SHORT)
    talking_video(root / "short_audio.mp4", face, LONG, sound=face.sound(0.0, 3.2))
    talking_video(root / "late_audio.mp4", face, LONG, sound=face.sound(3.24, 6.48))
    one = Fraction(1)
    talking_video(root / "one_fps.mp4", face, frame_times(one, 4), coding=Coding(rate=one), sound=face.sound(0.0, 4.0))


def _make_damaged(root: Path, face: TalkingFace) -> None:
    front = Coding(muxer_options={"movflags": "+faststart"})
    cut = talking_video(root / "truncated.mp4", face, LONG, coding=front, sound=face.sound(0.0, 6.48))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    eight = frame_times(FPS, 200)
    hit = talking_video(root / "damaged.mp4", face, eight, coding=front, sound=face.sound())
    content = bytearray(hit.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 6000] = np.random.default_rng(1).bytes(6000)
    hit.write_bytes(content)


def _make_unreadable(root: Path) -> None:
    (root / "empty.mp4").write_bytes(b"")
    (root / os.fsdecode(b"n\xe9ant.mp4")).write_bytes(b"\0")
    (root / "text.mp4").write_text("no video here\n" * 100)
    video = counted_video(root / "headless.mp4", frame_times(FPS, 50))
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])  # the header is at the end
    (root / "gone.mp4").symlink_to(root / "nowhere.mp4")
    with av.open(str(root / "sound_only.mp4"), "w") as output:
        stream = output.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), format="fltp", layout="mono")
        frame.rate, frame.pts = 48_000, 0
        output.mux([*stream.encode(frame), *stream.encode(None)])


def _make_names(root: Path) -> None:
    for number, name in enumerate(NAMES):
        write_video(root / name, frame_times(FPS, 3), [counted_picture(number)] * 3)
    counted_video(root / "one_picture.mp4", [Fraction(0)])
    for number, folder in enumerate(("first", "second")):
        (root / folder).mkdir()
        write_video(root / folder / "same.mp4", frame_times(FPS, 3), [counted_picture(100 + number)] * 3)
    (root / "first" / "circle").symlink_to(root, target_is_directory=True)
    (root / os.fsdecode(b"clos\xe9d")).mkdir()
