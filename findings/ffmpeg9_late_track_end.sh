#!/usr/bin/env bash
# Where does a sound track of an MP4 file end that begins a few ms late?
#
# An empty edit of less than a packet delays the track, as cutting tools write it. From version 9 on, FFmpeg cuts the last
# packet at the end of the edit list, so that what the codec added is not heard.
#
# Expected: the cut is at the start of the track plus its length.
# Seen on 2026-11-29 on Linux: PyAV 19.0.2 (FFmpeg 9, Python 3.12) cuts at the length alone, so that the track ends too early
# by as much as it begins late; PyAV 18.1.0 (FFmpeg 8) cuts nothing.
#
# Needs a Python of 3.12 or later, `PYTHON=python3.12 bash findings/ffmpeg9_late_track_end.sh`. Ends with 0 while this is
# still so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==19.0.2 numpy
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE, LATE = 48_000, 960
path = Path(sys.argv[1]) / "late.mp4"
with av.open(str(path), "w") as output:
    video = output.add_stream("mpeg4", rate=25)
    video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
    stream = output.add_stream("ac3", rate=RATE, layout="mono")
    packets = []
    for number in range(50):
        picture = av.VideoFrame(64, 64, "yuv420p")
        picture.pts, picture.time_base = number, Fraction(1, 25)
        packets += video.encode(picture)
    packets += video.encode(None)
    for start in range(0, 30 * 1536, 1536):
        frame = av.AudioFrame.from_ndarray(np.full((1, 1536), 0.1, np.float32), format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = RATE, LATE + start, Fraction(1, RATE)
        packets += stream.encode(frame)
    packets += stream.encode(None)
    for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
        output.mux(packet)
with av.open(str(path)) as container:
    stream = container.streams.audio[0]
    end_of_packets = max(packet.pts + packet.duration for packet in container.demux(stream) if packet.size)
with av.open(str(path)) as container:
    stream = container.streams.audio[0]
    start, length = stream.start_time, stream.duration
    last = list(container.decode(stream))[-1]
heard = last.pts + last.samples
print(
    f"PyAV {av.__version__}: the track starts at {start} and is {length} samples long; its packets end at "
    f"{end_of_packets}, what is heard at {heard}"
)
assert start > 0 and heard < end_of_packets == start + length, "the end is where it should be now"
PYTHON
