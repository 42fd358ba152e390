#!/usr/bin/env bash
# What does PyAV do with a stream that begins in the middle of a transport stream?
#
# A recording of a channel, or several recordings joined by `cat`, may go on with streams of other numbers (PIDs).
# FFmpeg's own programs read such a file to its end, and ignore the new streams or report them.
#
# Expected of PyAV: `demux` yields the packets of the streams that it knows, up to the end of the file.
# Seen on 2026-11-29 on Linux: PyAV 18.1.0 (Python 3.11) raises IndexError at the first packet of the new stream, also where
# one known stream alone was asked for; called again, `demux` goes on behind that packet. PyAV 19.0.2 (Python 3.12) reads on.
#
# Ends with 0 while this is still so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import av
import numpy as np

folder = Path(sys.argv[1])
NOISE = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)


def recording(first_pid):
    """Return 4 s of moving noise as a transport stream, about 2 MB."""
    path = folder / "part.ts"
    with av.open(str(path), "w", options={"mpegts_start_pid": str(first_pid)}) as output:
        stream = output.add_stream("mpeg2video", rate=25, options={"b": "4000000"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(100):
            frame = av.VideoFrame.from_ndarray(np.roll(NOISE, 3 * number, axis=1), format="rgb24")
            output.mux(stream.encode(frame.reformat(format="yuv420p")))
        output.mux(stream.encode(None))
    return path.read_bytes()


one, two = recording(256), recording(768)
joined = folder / "joined.ts"
joined.write_bytes(one + two + one)  # the last part keeps FFmpeg from seeing the new stream where it looks for the end
with av.open(str(joined)) as container:
    (stream,) = container.streams.video
    errors, packets = 0, 0
    while True:
        try:
            for packet in container.demux(stream):
                packets += bool(packet.size)
            break
        except IndexError:
            errors += 1
print(f"PyAV {av.__version__}: {packets} packets of the known stream (200 in the file), IndexError {errors} times")
assert errors, "PyAV reads over streams that begin later now"
PYTHON
