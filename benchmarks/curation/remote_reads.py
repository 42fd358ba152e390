"""Which sends fewer bytes and takes less time: copying a remote video to scratch, or reading ranges of it?

Prints one JSON line. The store is moto's S3 server in a process of its own, which keeps its objects in memory: bytes
are what a real one would send, times are those of the packages and this machine alone, without a network.

    python -m benchmarks.curation.remote_reads --seconds 600
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import requests

from curation.media.audio import tick_audio
from curation.media.frames import tick_frames
from curation.media.probe import VideoInfo, probe
from curation.sources.discover import discover
from curation.sources.scratch import ScratchSettings, readable
from foundation.storage.locations import location, remote_of

SERVER = """
import threading
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
import logging
logging.getLogger("werkzeug").disabled = True
application = DomainDispatcherApplication(create_backend_app)
sent = 0
def counting(environ, start_response):
    global sent
    if environ["PATH_INFO"] == "/gaia-sent":
        start_response("200 OK", [])
        yield str(sent).encode()
        return
    for piece in application(environ, start_response):
        if environ["REQUEST_METHOD"] == "GET":
            sent += len(piece)
        yield piece
server = make_server("127.0.0.1", 0, counting, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


def make_video(path: Path, seconds: int) -> None:
    """Write noise of 640x360 at 25 frames per second, which no encoder can shrink much, with a key frame per second."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "38", "g": "25"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        audio = output.add_stream("aac", rate=16000, layout="mono")
        for second in range(seconds):
            block = rng.integers(0, 255, (25, 90, 160, 3), np.uint8)
            for image in block.repeat(4, axis=1).repeat(4, axis=2):
                output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            noise = rng.integers(-2000, 2000, (1, 16000), np.int16)
            frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
            frame.rate, frame.pts, frame.time_base = 16000, second * 16000, Fraction(1, 16000)
            output.mux(audio.encode(frame))
        output.mux(stream.encode(None))
        output.mux(audio.encode(None))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        video = Path(name, "video.mp4")
        make_video(video, seconds)
        server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True, cwd=name)
        try:
            port = server.stdout.readline().strip() if server.stdout else ""
            url = f"http://127.0.0.1:{port}"
            print(json.dumps(measure(video, url, Path(name, "scratch"))))
        finally:
            server.kill()


def whole(info: VideoInfo) -> None:
    """Read what a video in one piece needs: packets, frames, audio, and a tenth of it again for clips."""
    info = probe(info.path)
    for _ in tick_frames(info, 0, info.n_ticks):
        pass
    tick_audio(info, 0, info.n_ticks)
    for first in range(250, info.n_ticks - 250, 2500):
        for _ in tick_frames(info, first, first + 250):
            pass
        tick_audio(info, first, first + 250)


def window(info: VideoInfo) -> None:
    """Read what a window needs: the frames of three minutes in the middle, or of the whole video if it is shorter."""
    middle = info.n_ticks // 2
    for _ in tick_frames(info, middle, min(middle + 4500, info.n_ticks)):
        pass


def window_probed_anew(info: VideoInfo) -> None:
    """Read what a window needs, after probing the video again."""
    window(probe(info.path))


def measure(video: Path, url: str, scratch: Path) -> dict[str, object]:
    """Return bytes and seconds of each kind of unit, by either way of reading."""
    os.environ |= {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up"}
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    fs = remote_of(location("s3://bench")).fs
    fs.mkdir("bench")
    fs.put_file(str(video), "bench/video.mp4")
    (source,) = discover("s3://bench/video.mp4").videos
    info = probe(video)

    def sent() -> int:
        return int(requests.get(f"{url}/gaia-sent", timeout=60).text)

    figures: dict[str, object] = {"file_mb": round(source.size_bytes / 1e6, 1), "video_s": info.duration_s}
    for unit in (whole, window, window_probed_anew):
        started = time.perf_counter()
        unit(info)
        figures[f"{unit.__name__}, local"] = {"seconds": round(time.perf_counter() - started, 1)}
        for way, limit_gib in (("scratch", 100.0), ("ranges", 0.0)):
            before, started = sent(), time.perf_counter()
            with readable(source, ScratchSettings(folder=scratch, limit_gib=limit_gib)) as path:
                unit(replace(info, path=path))
            figures[f"{unit.__name__}, {way}"] = {
                "seconds": round(time.perf_counter() - started, 1),
                "times_the_file": round((sent() - before) / source.size_bytes, 2),
            }
    return figures


if __name__ == "__main__":
    main()
