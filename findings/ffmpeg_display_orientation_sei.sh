#!/usr/bin/env bash
# FFmpeg attaches an H.264 display orientation message to one picture, though the message says that it persists.
#
# ITU-T H.264, D.2.26 (08/2024): with display_orientation_repetition_period 1 the message "persists in output order" until
# a new coded video sequence begins or another message comes. Expected: every decoded frame of the group has the display
# matrix. Seen on 2026-11-29 with PyAV 18.1.0 (FFmpeg 8): the first frame alone has it, so that a player which asks each
# frame shows the first one turned and the next 24 as they are stored.
#
# Exits 0 while this is so, 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.3.5
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import av
import numpy as np

folder = sys.argv[1]
# payload 47, 3 bytes: not cancelled, flipped left to right, turned by 16384/65536, repetition period 1 as ue(v) "010"
MESSAGE = bytes([0, 0, 1, 0x06, 47, 3, 0b01001000, 0, 0b00001001, 0x80])

with av.open(f"{folder}/plain.ts", "w") as output:
    stream = output.add_stream("libx264", rate=25, options={"g": "25", "bf": "0", "x264-params": "scenecut=0"})
    stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
    for number in range(50):
        frame = av.VideoFrame.from_ndarray(np.full((192, 320, 3), 4 * number, np.uint8), format="rgb24")
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))

with av.open(f"{folder}/plain.ts") as source, av.open(f"{folder}/turned.ts", "w") as target:
    stream = source.streams.video[0]
    copied = target.add_stream_from_template(stream)
    for packet in source.demux(stream):
        if packet.dts is None:
            continue
        data = bytes(packet)
        if packet.is_keyframe:
            at = data.index(bytes([0, 0, 1, 0x65]))
            data = data[:at] + MESSAGE + data[at:]
        changed = av.Packet(data)
        changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
        changed.is_keyframe, changed.stream = packet.is_keyframe, copied
        target.mux(changed)

with av.open(f"{folder}/turned.ts") as container:
    frames = list(container.decode(video=0))
turned = [number for number, frame in enumerate(frames) if frame.rotation]
print(f"PyAV {av.__version__}: {len(frames)} frames, those with a display matrix: {turned}; expected: all of them")
sys.exit(turned != [0, 25])
PYTHON
