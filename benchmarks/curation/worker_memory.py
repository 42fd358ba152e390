"""How much memory does a worker need for a 3-minute window of 1080p?

    python -m benchmarks.curation.worker_memory [--seconds 180]

Makes the video from the sample's frames and voice, enlarged and repeated, then analyses it with the models of the
embedded preset in a process of its own. Prints one JSON line: MiB with the models loaded, at the peak of the analysis,
and at that of the decision and rendering after it; ticks per second.
"""

import argparse
import json
import multiprocessing as mp
import multiprocessing.queues
import resource
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.checkout import SAMPLE
from benchmarks.curation.processes import results_of
from curation.analysis.analyze import analyze
from curation.decision.decide import decide
from curation.engine.one_thread import use_one_thread
from curation.media.audio import tick_audio
from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.perception.models import load_perception
from curation.rendering.render import evidence_of_clips, render_clips
from curation.settings import CurationSettings
from curation.speech.models import load_speech


def make_video(path: Path, seconds: int) -> None:
    """Write the sample repeatedly, enlarged to 1920x1080, with its voice."""
    info = probe(SAMPLE)
    voice = tick_audio(info, 0, info.n_ticks)
    if voice is None:
        raise ValueError(f"{SAMPLE} has no audio")
    with av.open(str(path), "w") as output:
        frames = output.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "23"})
        frames.width, frames.height, frames.pix_fmt = 1920, 1080, "yuv420p"
        audio = output.add_stream("aac", rate=16000, layout="mono")
        written = 0
        while written < seconds * 25:
            for frame in tick_frames(info, 0, min(info.n_ticks, seconds * 25 - written)):
                if frame.rgb is None:
                    continue
                enlarged = cv2.resize(frame.rgb, (1440, 1080), interpolation=cv2.INTER_LINEAR)
                large = np.pad(enlarged, ((0, 0), (240, 240), (0, 0)), mode="edge").astype(np.uint8)
                output.mux(frames.encode(av.VideoFrame.from_ndarray(large, format="rgb24")))
                written += 1
        output.mux(frames.encode())
        samples = np.tile(voice, -(-seconds * 16000 // len(voice)))[: seconds * 16000]
        for first in range(0, len(samples), 1024):
            block = av.AudioFrame.from_ndarray(samples[None, first : first + 1024], format="flt", layout="mono")
            block.rate, block.pts, block.time_base = 16000, first, Fraction(1, 16000)
            output.mux(audio.encode(block))
        output.mux(audio.encode())


def worker(path: Path, results: "mp.queues.Queue[dict[str, float]]") -> None:
    """Analyse, decide and render one window, as a worker does."""
    use_one_thread()
    settings = CurationSettings()
    perception, speech = load_perception(settings.perception), load_speech(settings.speech)
    report: dict[str, float] = {"models_mib": peak_mib()}
    info = probe(path)
    started = time.perf_counter()
    evidence = analyze(info, perception, 0, info.n_ticks)
    report |= {"ticks": info.n_ticks, "ticks_per_s": round(info.n_ticks / (time.perf_counter() - started), 1)}
    report["analyze_peak_mib"] = peak_mib()
    decision = decide(evidence, settings.rules)
    clips = render_clips(info, evidence_of_clips(evidence, decision), settings=settings.rendering, speech=speech)
    report |= {"clips": len(clips), "render_peak_mib": peak_mib()}
    results.put(report)


def peak_mib() -> int:
    """Return the peak memory of this process, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=180)
    arguments = parser.parse_args()
    # New processes: the peak of a forked process includes the memory of its parent.
    context = mp.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "long.mp4")
        maker = context.Process(target=make_video, args=(path, arguments.seconds))
        maker.start()
        maker.join()
        results: mp.queues.Queue[dict[str, float]] = context.Queue()
        (report,) = results_of([context.Process(target=worker, args=(path, results))], results)
        print(json.dumps(report))


if __name__ == "__main__":
    main()
