"""Reading a video file with other programs in a separate process: plain PyAV, and OpenCV.

As a program it reads paths, one JSON string per line, and prints a line for each. It imports none of our packages.
"""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Reading", "read_apart"]

_PATIENCE_S = 60.0
_MOST_ERRORS = 100


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Result of reading a file."""

    status: str
    """`ok`: at least one frame decodes; `no_video_stream`; `unreadable`; or `reader lost`: it crashed or hung."""
    n_pictures: int = 0
    n_opencv: int = 0
    """Frames that OpenCV reads."""


def read_apart(paths: Iterable[Path]) -> dict[Path, Reading]:
    """Read files one after the other in another process, and in a new one after a file that crashes it."""
    readings: dict[Path, Reading] = {}
    reader: subprocess.Popen[bytes] | None = None
    for path in paths:
        reader = reader or subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert reader.stdin is not None
        assert reader.stdout is not None
        reader.stdin.write(json.dumps(os.fsencode(path).hex()).encode() + b"\n")
        reader.stdin.flush()
        ready, _, _ = select.select([reader.stdout], [], [], _PATIENCE_S)
        line = reader.stdout.readline() if ready else b""
        if line:
            readings[path] = Reading(**json.loads(line))
        else:
            readings[path] = Reading(status="reader lost")
            reader.kill()
            reader.communicate()
            reader = None
    if reader is not None:
        reader.communicate()
    return readings


def _with_pyav(path: str) -> tuple[str, int]:
    import av
    from av.stream import Disposition

    try:
        container = av.open(path, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError):
        return "unreadable", 0
    with container:
        still = Disposition.attached_pic | Disposition.timed_thumbnails
        moving = [track for track in container.streams.video if not track.disposition & still]
        if not moving:
            return "no_video_stream", 0
        moving = [track for track in moving if track.codec_context is not None]  # None: there is no decoder
        n_pictures = n_errors = 0
        while moving and n_errors < _MOST_ERRORS:
            try:
                for packet in container.demux(moving):
                    try:
                        n_pictures += len(packet.decode())
                    except av.FFmpegError:
                        continue
            except (av.FFmpegError, OSError):
                n_errors += 1
            else:
                break
    return ("ok" if n_pictures else "unreadable"), n_pictures


def _with_opencv(path: str) -> int:
    import cv2

    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    n = 0
    while capture.isOpened() and capture.read()[0]:
        n += 1
    return n


def main() -> None:
    """Read the paths and print the results."""
    for line in sys.stdin:
        path = os.fsdecode(bytes.fromhex(json.loads(line)))
        status, n_pictures = _with_pyav(path)
        reading = {"status": status, "n_pictures": n_pictures, "n_opencv": _with_opencv(path)}
        sys.stdout.write(json.dumps(reading) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
