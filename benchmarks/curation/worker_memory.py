"""Report the peak memory of an analyse worker on a 3-minute 1080p window.

    python -m benchmarks.curation.worker_memory [--seconds 180]

Makes the video from the sample's pictures and voice, enlarged and repeated, then analyses it with the models of the
embedded preset in a process of its own. Prints one JSON line: MiB with the models loaded, at the peak of the analysis,
and at that of the decision and rendering after it; ticks per second.
"""

import argparse
import json
import multiprocessing as mp
import resource
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from benchmarks.checkout import SAMPLE
from benchmarks.curation.processes import answers

from curation.analysis.analyze import analyze
from curation.decision.decide import decide
from curation.engine.worker import use_one_thread
from curation.media.audio import tick_audio
from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.perception.models import load_perception
from curation.rendering.render import render_clips, shown_clips
from curation.settings import CurationSettings
from curation.speech.models import load_speech


def make_video(path: Path, seconds: int) -> None:
    """Write the sample again and again, enlarged to 1920 by 1080, with its voice."""
    info = probe(SAMPLE)
    voice = tick_audio(info, 0, info.n_ticks)
    with av.open(str(path), "w") as output:
        pictures = output.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "23"})
        pictures.width, pictures.height, pictures.pix_fmt = 1920, 1080, "yuv420p"
        sound = output.add_stream("aac", rate=16000, layout="mono")
        written = 0
        while written < seconds * 25:
            for frame in tick_frames(info, 0, min(info.n_ticks, seconds * 25 - written)):
                large = cv2.resize(frame.rgb, (1440, 1080), interpolation=cv2.INTER_LINEAR)
                large = cv2.copyMakeBorder(large, 0, 0, 240, 240, cv2.BORDER_REPLICATE)
                output.mux(pictures.encode(av.VideoFrame.from_ndarray(large, format="rgb24")))
                written += 1
        output.mux(pictures.encode())
        samples = np.tile(voice, -(-seconds * 16000 // len(voice)))[: seconds * 16000]
        for first in range(0, len(samples), 1024):
            block = av.AudioFrame.from_ndarray(samples[None, first : first + 1024], format="flt", layout="mono")
            block.rate, block.pts, block.time_base = 16000, first, Fraction(1, 16000)
            output.mux(sound.encode(block))
        output.mux(sound.encode())


def worker(path: Path, results: "mp.Queue") -> None:
    """Do what a worker does with one window."""
    use_one_thread()
    settings = CurationSettings()
    perception, speech = load_perception(settings.perception), load_speech(settings.speech)
    report = {"models_mib": peak_mib()}
    info = probe(path)
    started = time.perf_counter()
    evidence = analyze(info, perception, 0, info.n_ticks)
    report |= {"ticks": info.n_ticks, "ticks_per_s": round(info.n_ticks / (time.perf_counter() - started), 1)}
    report["analyze_peak_mib"] = peak_mib()
    decision = decide(evidence, settings.rules)
    clips = render_clips(info, shown_clips(evidence, decision), settings=settings.rendering, speech=speech)
    report |= {"clips": len(clips), "render_peak_mib": peak_mib()}
    results.put(report)


def peak_mib() -> int:
    """Return the most memory that this process has held, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=180)
    arguments = parser.parse_args()
    # A new process each: the peak of a process counts what its parent held when it was forked.
    context = mp.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "long.mp4")
        maker = context.Process(target=make_video, args=(path, arguments.seconds))
        maker.start()
        maker.join()
        results: mp.Queue = context.Queue()
        (report,) = answers([context.Process(target=worker, args=(path, results))], results)
        print(json.dumps(report))


if __name__ == "__main__":
    main()
