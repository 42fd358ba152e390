"""Compare the analyse pass with the straightforward loop and with decoding alone, on the same clips, one core each.

    python benchmarks/analyze.py CLIPS [--preset paper] [--set NAME=VALUE] [--seconds 4] [--sheet disagreements.png]

The straightforward loop is what scripts of this field do, every model on every frame. With --preset embedded it runs
dlib's HOG detector on the full frame, predicts 68 landmarks, takes the frontal angle and compares the rectangle with
the one before; with --preset paper it runs SCRFD on the padded frame, HOG on the full frame, 68 landmarks, frontal
angle, 3DDFA's head pose and the mask network; a second loop does SCRFD and landmarks alone. Prints one JSON line: video
frames per second of each, their ratios, the throughput of two workers over one, the peak memory of each process, and
how often the two disagree on whether a tick shows a frontal face; --sheet draws such ticks, to see who is right. Rates
and ratios are given by the clock and by processor time: on a machine that does other things, the latter say more.
"""

import argparse
import functools
import json
import multiprocessing as mp
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from straightforward_loops import Clips, Views, decode_only, dlib_loop, every_frame, scrfd_loop

from curation.analyze import analyze
from curation.assets import ensure_assets
from curation.config import PRESETS, load_settings
from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.perception.model_set import PerceptionSettings, load_perception, perception_assets
from curation.rules.frontal import FrontalSettings, frontal_angle_deg
from curation.worker import use_one_thread
from manifests.timeline import TICK_RATE_HZ

Way = Callable[[Clips], Views]


@dataclass(frozen=True)
class Pass:
    """One way of going over the clips."""

    wall_s: float
    cpu_s: float
    """Processor time of the process."""
    peak_mib: float
    views: Views


def ours(clips: Clips, settings: PerceptionSettings) -> Views:
    """Run the whole analyse pass."""
    models = load_perception(settings)
    limit = FrontalSettings().strict_deg
    views: Views = {}
    for info, n_ticks in clips:
        faces = analyze(info, models, 0, n_ticks).faces
        frontal = np.abs(frontal_angle_deg(faces.key_points_px) - 180.0) <= limit
        widest = np.flatnonzero(np.diff(faces.tick, prepend=-1))
        view = dict.fromkeys(range(n_ticks), False)
        view.update({int(faces.tick[face]): bool(frontal[face]) for face in widest})
        views[info.path.name] = view
    return views


def ways(settings: PerceptionSettings) -> dict[str, Way]:
    """Return what is compared: ours, decoding alone, and the loop `straightforward` with a variant of it."""
    if settings.faces == "scrfd":
        loops: dict[str, Way] = {
            "straightforward": functools.partial(scrfd_loop, settings=settings, everything=True),
            "scrfd_and_landmarks": functools.partial(scrfd_loop, settings=settings, everything=False),
        }
    else:
        loops = {"straightforward": dlib_loop, "straightforward_upsampled": functools.partial(dlib_loop, upsample=1)}
    return {"decode": decode_only, **loops, "gaia": functools.partial(ours, settings=settings)}


def measured(way: Way, clips: Clips, core: int, barrier: "mp.Barrier", results: "mp.Queue") -> None:
    """Warm up on the shortest clip, wait for the others, time all clips on one core."""
    os.sched_setaffinity(0, {core})
    use_one_thread()
    way([min(clips, key=lambda clip: clip[1])])
    barrier.wait()
    started, started_cpu = time.perf_counter(), time.process_time()
    views = way(clips)
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - started_cpu
    results.put(Pass(wall_s, cpu_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, views))


def timed(way: Way, clips: Clips, workers: int) -> Pass:
    """Run `workers` processes that all go over all clips, each on a core of its own; the slowest counts."""
    context = mp.get_context("spawn")
    barrier, results = context.Barrier(workers), context.Queue()
    cores = sorted(os.sched_getaffinity(0))
    processes = [
        context.Process(target=measured, args=(way, clips, cores[i % len(cores)], barrier, results))
        for i in range(workers)
    ]
    for process in processes:
        process.start()
    passes = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return max(passes, key=lambda done: done.wall_s)


def disagreements(one: Views, other: Views) -> list[tuple[str, int, bool]]:
    """Return (clip, tick, what `one` says) where the two differ."""
    return [
        (clip, tick, one[clip][tick])
        for clip in sorted(one)
        for tick in sorted(one[clip])
        if tick in other[clip] and one[clip][tick] != other[clip][tick]
    ]


def draw_sheet(path: Path, clips: Clips, rows: list[tuple[str, int, bool]]) -> None:
    """Draw up to 40 disagreements, spread evenly, under what each side says."""
    import cv2

    infos = {info.path.name: info for info, _ in clips}
    chosen = [rows[i] for i in np.linspace(0, len(rows) - 1, min(40, len(rows))).astype(int)]
    tiles = []
    for clip, tick, said in chosen:
        frame = next(iter(tick_frames(infos[clip], tick, tick + 1)))
        side = 160 / max(frame.rgb.shape[:2])
        small = cv2.resize(frame.rgb, None, fx=side, fy=side, interpolation=cv2.INTER_AREA)
        tile = np.full((190, 160, 3), 255, np.uint8)
        tile[: small.shape[0], : small.shape[1]] = small
        for line, text in enumerate((f"{clip[:16]} {tick}", "gaia: frontal" if said else "loop: frontal")):
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
    parser.add_argument("--sheet", type=Path, help="PNG of ticks on which the two disagree")
    parser.add_argument("--preset", choices=list(PRESETS), default="embedded")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="overrides")
    arguments = parser.parse_args()
    settings = load_settings(PRESETS[arguments.preset], None, arguments.overrides).perception
    ensure_assets([*perception_assets(settings), "dlib_shape_predictor_68"])
    infos = [probe(path) for path in sorted(arguments.clips.glob("*.mp4"))]
    clips = [(info, min(info.n_ticks, int(arguments.seconds * TICK_RATE_HZ))) for info in infos]
    frames = sum(1 for clip in clips for _ in every_frame(*clip))
    compared = ways(settings)
    passes = {name: timed(way, clips, 1) for name, way in compared.items()}
    two = timed(compared["gaia"], clips, 2)
    found = {way: sum(sum(view.values()) for view in done.views.values()) for way, done in passes.items() if done.views}
    rows = disagreements(passes["gaia"].views, passes["straightforward"].views)
    if arguments.sheet and rows:
        draw_sheet(arguments.sheet, clips, rows)
    report = {
        "clips": len(clips),
        "video_frames": frames,
        "frames_per_s": {way: round(frames / done.wall_s, 1) for way, done in passes.items()},
        "frames_per_cpu_s": {way: round(frames / done.cpu_s, 1) for way, done in passes.items()},
        "peak_mib": {way: round(done.peak_mib) for way, done in passes.items()},
        "gaia_over": {
            way: round(done.wall_s / passes["gaia"].wall_s, 2) for way, done in passes.items() if way != "gaia"
        },
        "gaia_over_by_cpu": {
            way: round(done.cpu_s / passes["gaia"].cpu_s, 2) for way, done in passes.items() if way != "gaia"
        },
        "two_workers_over_one": round(2 * passes["gaia"].wall_s / two.wall_s, 2),
        "ticks": sum(n for _, n in clips),
        "frontal_ticks": found,
        "disagreements": len(rows),
        "gaia_says_frontal": sum(said for _, _, said in rows),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
