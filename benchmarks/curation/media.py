"""How fast and in how much memory is 1080p decoded by the tick reader, by decord and by PyAV alone?

Streams 3 minutes. Prints one JSON line. Each reader runs in a process of its own, on one decoding thread, and is the
only one that runs: `*_fps` is frames per second of wall time, `*_cpu_ms` processor time a frame, `*_peak_mib` the
process's largest resident memory. decord is left out where it is not installed.

    python -m benchmarks.curation.media [--seconds 180] [--height 1080]
"""

import argparse
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.checkout import ROOT

READERS = ("ticks", "pyav", "decord", "decode_only")
_PATTERN_S = 4
_RATE = 25


def make_video(path: Path, *, seconds: int, height_px: int) -> None:
    """Write a panned texture of `_PATTERN_S` seconds, coded once, its packets repeated up to `seconds`."""
    width_px = height_px * 16 // 9 // 2 * 2
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 200, (height_px // 24 + 2, width_px // 12 + 2, 3), dtype=np.uint8)
    texture = coarse.repeat(24, axis=0).repeat(24, axis=1)[: height_px + 20]
    grain = rng.integers(-6, 7, texture.shape, dtype=np.int8)
    grained = (texture.astype(np.int16) + grain).astype(np.uint8)
    with av.open(str(path), "w") as output:
        options = {"preset": "veryfast", "crf": "23", "bf": "2", "g": "50", "x264-params": "open-gop=0:scenecut=0"}
        stream = output.add_stream("libx264", rate=_RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, "yuv420p"
        stream.codec_context.thread_count = 1
        packets = []
        for number in range(_PATTERN_S * _RATE):
            view = grained[number % 20 : number % 20 + height_px, 4 * number : 4 * number + width_px]
            packets += stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(view), format="rgb24"))
        packets += stream.encode(None)
        stamps = [(packet.pts or 0, packet.dts or 0) for packet in packets]
        step = round(Fraction(1, _RATE) / packets[0].time_base)
        for turn in range(seconds // _PATTERN_S):
            for packet, (pts, dts) in zip(packets, stamps, strict=True):
                copy = av.Packet(bytes(packet))
                shift = turn * _PATTERN_S * _RATE * step
                copy.pts, copy.dts, copy.time_base = pts + shift, dts + shift, packet.time_base
                copy.is_keyframe, copy.stream = packet.is_keyframe, stream
                output.mux(copy)


def read(reader: str, path: Path) -> int:
    """Stream the whole video through one reader; return the number of frames."""
    if reader == "ticks":
        from curation.media.frames import tick_frames
        from curation.media.probe import probe

        info = probe(path)
        return sum(frame.rgb is not None for frame in tick_frames(info, 0, info.n_ticks))
    if reader == "decord":
        import decord

        video = decord.VideoReader(str(path), num_threads=1)
        return sum(video.next().asnumpy() is not None for _ in range(len(video)))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.thread_type = "NONE"
        if reader == "decode_only":
            return sum(1 for _ in container.decode(stream))
        return sum(frame.to_ndarray(format="rgb24").size > 0 for frame in container.decode(stream))


def measure(reader: str, path: Path) -> dict[str, float]:
    """Run one reader in this process and return its figures, prefixed with its name."""
    before = time.perf_counter()
    n_frames = read(reader, path)
    wall_s = time.perf_counter() - before
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        f"{reader}_frames": n_frames,
        f"{reader}_fps": round(n_frames / wall_s, 1),
        f"{reader}_cpu_ms": round((usage.ru_utime + usage.ru_stime) / n_frames * 1000, 2),
        f"{reader}_peak_mib": round(_peak_kib() / 1024, 1),
    }


def _peak_kib() -> int:
    # not ru_maxrss, which a process inherits from the one that started it
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def main() -> None:
    """Make the video, run every reader, print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--read", nargs=2, metavar=("READER", "FILE"), help="internal: one reader in this process")
    arguments = parser.parse_args()
    if arguments.read:
        print(json.dumps(measure(arguments.read[0], Path(arguments.read[1]))))
        return
    figures: dict[str, float] = {"seconds": arguments.seconds, "height_px": arguments.height}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.mp4"
        make_video(path, seconds=arguments.seconds, height_px=arguments.height)
        figures["file_mib"] = round(path.stat().st_size / 2**20, 1)
        for reader in READERS:
            if reader == "decord" and importlib.util.find_spec("decord") is None:
                continue
            command = [sys.executable, "-m", "benchmarks.curation.media", "--read", reader, str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
            figures |= json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
