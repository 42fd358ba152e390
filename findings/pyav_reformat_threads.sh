#!/usr/bin/env bash
# Does PyAV convert a small frame to RGB without starting threads?
#
# Expected: a frame of 256x256 is converted in this thread, or threads are kept for the next frame.
# Seen on 2026-11-30, Python 3.11 on Linux, PyAV 18.1.0: `VideoFrame.to_ndarray(format=...)` has a new reformatter, and so
# a new context of swscale, for each frame, which starts a thread for each processor and ends them again. With
# `threads=1` the same picture takes a fifth of the processor time on two cores, and the more cores the less.
#
# Ends with 0 while this is still so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import os
import time

import av
import numpy as np

frames = [av.VideoFrame(256, 256, "yuv420p") for _ in range(400)]


def converted(**options):
    begun = time.process_time()
    pictures = [frame.to_ndarray(format="rgb24", **options) for frame in frames]
    return (time.process_time() - begun) / len(frames) * 1000, np.stack(pictures)


for frame in frames:
    for plane in frame.planes:
        plane.update(bytes(range(256)) * (plane.buffer_size // 256))
fresh = [av.VideoFrame.from_ndarray(frame.to_ndarray(), format="yuv420p") for frame in frames]
default_ms, default = converted()
frames = fresh
single_ms, single = converted(threads=1)
print(f"{os.cpu_count()} processors: {default_ms:.3f} ms by default, {single_ms:.3f} ms with threads=1")
assert np.array_equal(default, single)
assert default_ms > 2 * single_ms
PYTHON
