"""Is the analyse pass faster than a straightforward loop, and how close is it to decoding alone?

    python -m benchmarks.curation.analyze CLIPS [--preset paper] [--set NAME=VALUE] [--seconds 4] [--sheet PNG]

All run on the same clips, on one core each. The straightforward loop runs every model on every frame, as scripts of
this field do. With --preset embedded it runs dlib's HOG detector on the full frame, predicts 68 landmarks, takes the
frontal angle and compares the rectangle with the previous one; with --preset paper it runs SCRFD on the padded frame,
HOG on the full frame, 68 landmarks, frontal angle, 3DDFA's head pose and the mask network; a second loop does SCRFD and
landmarks alone. Models are loaded before the clock starts, as a worker loads them once for many videos. Prints one JSON
line: video frames per second of each, their ratios, in sum and for each clip, the throughput of two workers over one,
the peak memory of each process, and how often the two disagree on whether a tick shows a frontal face; --sheet draws
such ticks for checking by eye. Rates and ratios are given by the clock and by processor time: on a machine with other
work, the latter are more reliable.
"""

import argparse
import functools
import json
import multiprocessing as mp
import multiprocessing.queues
import multiprocessing.synchronize
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.curation.processes import results_of
from benchmarks.curation.straightforward_loops import View, Way, decode_only, dlib_loop, every_frame, scrfd_loop
from curation.analysis.analyze import analyze
from curation.engine.one_thread import use_one_thread
from curation.media.frames import tick_frames
from curation.media.probe import VideoInfo, probe
from curation.perception.models import load_perception, perception_assets
from curation.perception.settings import PerceptionSettings
from curation.rules.frontal import FrontalSettings, frontal_angle_deg
from curation.settings import PRESETS, load_settings
from foundation.weights import ensure_assets
from manifests.timeline import TICK_RATE_HZ

Clips = list[tuple[VideoInfo, int]]
"""Each with the number of its ticks that are looked at."""

Load = Callable[[], Way]


@dataclass(frozen=True)
class Pass:
    """Measurements of one way of going over the clips, a value per clip in their order."""

    wall_s: list[float]
    cpu_s: list[float]
    """Processor time of the process."""
    views: list[View]
    peak_mib: float


def ours(settings: PerceptionSettings) -> Way:
    """Run the whole analyse pass."""
    models = load_perception(settings)
    limit = FrontalSettings().strict_deg

    def look(info: VideoInfo, n_ticks: int) -> View:
        faces = analyze(info, models, 0, n_ticks).faces
        frontal = np.abs(frontal_angle_deg(faces.key_points_px) - 180.0) <= limit
        widest = np.flatnonzero(np.diff(faces.tick, prepend=-1))
        view = dict.fromkeys(range(n_ticks), False)
        view.update({int(faces.tick[face]): bool(frontal[face]) for face in widest})
        return view

    return look


def ways(settings: PerceptionSettings) -> dict[str, Load]:
    """Return the compared ways: the analyse pass, decoding alone, the loop `straightforward` and a variant of it."""
    if settings.faces == "scrfd":
        loops: dict[str, Load] = {
            "straightforward": functools.partial(scrfd_loop, settings=settings, everything=True),
            "scrfd_and_landmarks": functools.partial(scrfd_loop, settings=settings, everything=False),
        }
    else:
        loops = {"straightforward": dlib_loop, "straightforward_upsampled": functools.partial(dlib_loop, upsample=1)}
    return {"decode": decode_only, **loops, "gaia": functools.partial(ours, settings=settings)}


def measured(
    load: Load, clips: Clips, core: int, barrier: mp.synchronize.Barrier, results: "mp.queues.Queue[Pass]"
) -> None:
    """Load, warm up on the shortest clip, wait for the others, time each clip on one core."""
    os.sched_setaffinity(0, {core})
    use_one_thread()
    look = load()
    look(*min(clips, key=lambda clip: clip[1]))
    barrier.wait()
    views, wall_s, cpu_s = [], [], []
    for clip in clips:
        started, started_cpu = time.perf_counter(), time.process_time()
        views.append(look(*clip))
        wall_s.append(time.perf_counter() - started)
        cpu_s.append(time.process_time() - started_cpu)
    results.put(Pass(wall_s, cpu_s, views, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def timed(load: Load, clips: Clips, workers: int) -> Pass:
    """Run `workers` processes over all clips, each on a core of its own, and return the slowest one's measurements."""
    context = mp.get_context("spawn")
    barrier = context.Barrier(workers)
    results: mp.queues.Queue[Pass] = context.Queue()
    cores = sorted(os.sched_getaffinity(0))
    processes = [
        context.Process(target=measured, args=(load, clips, cores[i % len(cores)], barrier, results))
        for i in range(workers)
    ]
    passes = results_of(processes, results)
    return max(passes, key=lambda done: sum(done.wall_s))


def disagreements(clips: Clips, one: list[View], other: list[View]) -> list[tuple[str, int, bool]]:
    """Return (clip, tick, value of `one`) where the two differ."""
    return [
        (info.path.name, tick, mine[tick])
        for (info, _), mine, theirs in zip(clips, one, other, strict=True)
        for tick in sorted(mine)
        if tick in theirs and mine[tick] != theirs[tick]
    ]


def per_clip(clips: Clips, loop: Pass, gaia: Pass) -> dict[str, object]:
    """Return, for each clip, milliseconds per tick of the loop and of the analyse pass, and their ratio."""
    return {
        f"{info.path.name} {info.width_px}x{info.height_px}": {
            "straightforward_ms": round(1000 * theirs / n_ticks, 1),
            "gaia_ms": round(1000 * mine / n_ticks, 1),
            "times": round(theirs / mine, 1),
        }
        for (info, n_ticks), theirs, mine in zip(clips, loop.wall_s, gaia.wall_s, strict=True)
    }


def draw_sheet(path: Path, clips: Clips, rows: list[tuple[str, int, bool]]) -> None:
    """Draw up to 40 disagreements, spread evenly, with a caption that names the side that found a frontal face."""
    import cv2

    infos = {info.path.name: info for info, _ in clips}
    chosen = [rows[i] for i in np.linspace(0, len(rows) - 1, min(40, len(rows))).astype(int)]
    tiles = []
    for clip, tick, gaia_frontal in chosen:
        frame = next(iter(tick_frames(infos[clip], tick, tick + 1)))
        if frame.rgb is None:
            continue
        scale = 160 / max(frame.rgb.shape[:2])
        small = cv2.resize(frame.rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        tile = np.full((190, 160, 3), 255, np.uint8)
        tile[: small.shape[0], : small.shape[1]] = small
        for line, text in enumerate((f"{clip[:16]} {tick}", "gaia: frontal" if gaia_frontal else "loop: frontal")):
            cv2.putText(tile, text, (2, 172 + 14 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
        tiles.append(tile)
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % 8)
    sheet = np.vstack([np.hstack(tiles[i : i + 8]) for i in range(0, len(tiles), 8)])
    cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--seconds", type=float, default=4.0, help="how much of each clip, from its start")
    parser.add_argument("--sheet", type=Path, help="PNG of the ticks on which the two disagree")
    parser.add_argument("--preset", choices=list(PRESETS), default="embedded")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="overrides")
    arguments = parser.parse_args()
    settings = load_settings(PRESETS[arguments.preset], None, arguments.overrides).perception
    ensure_assets([*perception_assets(settings), "dlib_shape_predictor_68"])
    infos = [probe(path) for path in sorted(arguments.clips.glob("*.mp4"))]
    clips = [(info, min(info.n_ticks, int(arguments.seconds * TICK_RATE_HZ))) for info in infos]
    frames = sum(1 for clip in clips for _ in every_frame(*clip))
    compared = ways(settings)
    passes = {name: timed(load, clips, 1) for name, load in compared.items()}
    two = timed(compared["gaia"], clips, 2)
    gaia, loop = passes["gaia"], passes["straightforward"]
    found = {name: sum(sum(view.values()) for view in done.views) for name, done in passes.items() if name != "decode"}
    rows = disagreements(clips, gaia.views, loop.views)
    if arguments.sheet and rows:
        draw_sheet(arguments.sheet, clips, rows)
    wall_s = {name: sum(done.wall_s) for name, done in passes.items()}
    cpu_s = {name: sum(done.cpu_s) for name, done in passes.items()}
    report = {
        "clips": len(clips),
        "video_frames": frames,
        "frames_per_s": {name: round(frames / spent, 1) for name, spent in wall_s.items()},
        "frames_per_cpu_s": {name: round(frames / spent, 1) for name, spent in cpu_s.items()},
        "peak_mib": {name: round(done.peak_mib) for name, done in passes.items()},
        "gaia_over": {name: round(spent / wall_s["gaia"], 2) for name, spent in wall_s.items() if name != "gaia"},
        "gaia_over_by_cpu": {name: round(spent / cpu_s["gaia"], 2) for name, spent in cpu_s.items() if name != "gaia"},
        "per_clip": per_clip(clips, loop, gaia),
        "two_workers_over_one": round(2 * wall_s["gaia"] / sum(two.wall_s), 2),
        "ticks": sum(n for _, n in clips),
        "frontal_ticks": found,
        "disagreements": len(rows),
        "gaia_says_frontal": sum(frontal for _, _, frontal in rows),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
