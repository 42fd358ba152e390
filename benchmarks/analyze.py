"""Compare the analyse pass with the straightforward loop and with decoding alone, on the same clips, one core each.

    python benchmarks/analyze.py ../shared/clips [--seconds 4] [--sheet disagreements.png]

The straightforward loop is what scripts of this field do: decode every frame, run dlib's HOG detector on the full
frame, predict 68 landmarks, take the frontal angle, compare the rectangle with the one before. Prints one JSON line:
video frames per second of each, their ratios, the throughput of two workers over one, the peak memory of each process,
and how often the two disagree on whether a tick shows a frontal face; --sheet draws such ticks, to see who is right.
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

from curation.analyze import analyze
from curation.assets import asset_path, ensure_assets
from curation.media.frames import tick_frames
from curation.media.probe import VideoInfo, probe
from curation.perception.model_set import PerceptionSettings, load_perception, perception_assets
from curation.rules.frontal import FrontalSettings, frontal_angle_deg
from curation.worker import use_one_thread
from manifests.arrays import RgbImage
from manifests.landmarks import key_points, landmark_scheme
from manifests.timeline import TICK_RATE_HZ

Views = dict[str, dict[int, bool]]
"""Per clip and tick: does it show a face within the strict frontal limit?"""


@dataclass(frozen=True)
class Pass:
    """One way of going over the clips."""

    wall_s: float
    peak_mib: float
    views: Views


def every_frame(info: VideoInfo, n_ticks: int) -> "list[tuple[int, RgbImage]]":
    """Yield every stored frame of the first `n_ticks` ticks with the tick that it is nearest to."""
    import av

    with av.open(str(info.path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        first = None
        for frame in container.decode(stream):
            first = frame.time if first is None else first
            tick = round((frame.time - first) * float(TICK_RATE_HZ))
            if tick >= n_ticks:
                return
            yield tick, frame.to_ndarray(format="rgb24")


def decode_only(clips: list[tuple[VideoInfo, int]]) -> Views:
    """Decode every frame to RGB and throw it away."""
    for info, n_ticks in clips:
        for _ in every_frame(info, n_ticks):
            pass
    return {}


def straightforward(clips: list[tuple[VideoInfo, int]], upsample: int = 0) -> Views:
    """Do what the scripts do; faces below 80 px are only found if the frame is upsampled once."""
    import dlib

    detect = dlib.get_frontal_face_detector()
    predict = dlib.shape_predictor(str(asset_path("dlib_shape_predictor_68")))
    scheme = landmark_scheme("ibug68")
    limit = FrontalSettings().strict_deg
    views: Views = {}
    for info, n_ticks in clips:
        view = views.setdefault(info.path.name, {})
        before = None
        for tick, rgb in every_frame(info, n_ticks):
            boxes = detect(rgb, upsample)
            if not boxes:
                view[tick], before = False, None
                continue
            box = max(boxes, key=lambda b: b.width())
            shape = predict(rgb, box)
            points = np.array([(p.x, p.y) for p in shape.parts()], np.float32)
            angle = frontal_angle_deg(key_points(points, scheme))
            centre = np.array([box.center().x, box.center().y])
            jump = 0.0 if before is None else float(np.linalg.norm(centre - before)) / box.width()
            before = centre
            view[tick] = bool(abs(angle - 180.0) <= limit) and jump < 1.0
    return views


def ours(clips: list[tuple[VideoInfo, int]]) -> Views:
    """Run the whole analyse pass of the embedded preset."""
    models = load_perception(PerceptionSettings())
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


WAYS: dict[str, Callable[[list[tuple[VideoInfo, int]]], Views]] = {
    "decode": decode_only,
    "straightforward": straightforward,
    "straightforward_upsampled": functools.partial(straightforward, upsample=1),
    "gaia": ours,
}


def measured(
    way: str, clips: list[tuple[VideoInfo, int]], core: int, barrier: "mp.Barrier", results: "mp.Queue"
) -> None:
    """Warm up on the shortest clip, wait for the others, time all clips on one core."""
    os.sched_setaffinity(0, {core})
    use_one_thread()
    WAYS[way]([min(clips, key=lambda clip: clip[1])])
    barrier.wait()
    started = time.perf_counter()
    views = WAYS[way](clips)
    wall_s = time.perf_counter() - started
    results.put(Pass(wall_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, views))


def timed(way: str, clips: list[tuple[VideoInfo, int]], workers: int) -> Pass:
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


def draw_sheet(path: Path, clips: list[tuple[VideoInfo, int]], rows: list[tuple[str, int, bool]]) -> None:
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
    arguments = parser.parse_args()
    ensure_assets([*perception_assets(PerceptionSettings()), "dlib_shape_predictor_68"])
    infos = [probe(path) for path in sorted(arguments.clips.glob("*.mp4"))]
    clips = [(info, min(info.n_ticks, int(arguments.seconds * TICK_RATE_HZ))) for info in infos]
    frames = sum(1 for clip in clips for _ in every_frame(*clip))
    passes = {way: timed(way, clips, 1) for way in WAYS}
    two = timed("gaia", clips, 2)
    found = {way: sum(sum(view.values()) for view in done.views.values()) for way, done in passes.items() if done.views}
    rows = disagreements(passes["gaia"].views, passes["straightforward"].views)
    if arguments.sheet and rows:
        draw_sheet(arguments.sheet, clips, rows)
    report = {
        "clips": len(clips),
        "video_frames": frames,
        "frames_per_s": {way: round(frames / done.wall_s, 1) for way, done in passes.items()},
        "peak_mib": {way: round(done.peak_mib) for way, done in passes.items()},
        "gaia_over_straightforward": round(passes["straightforward"].wall_s / passes["gaia"].wall_s, 2),
        "gaia_over_upsampled": round(passes["straightforward_upsampled"].wall_s / passes["gaia"].wall_s, 2),
        "decode_over_gaia": round(passes["gaia"].wall_s / passes["decode"].wall_s, 2),
        "two_workers_over_one": round(2 * passes["gaia"].wall_s / two.wall_s, 2),
        "ticks": sum(n for _, n in clips),
        "frontal_ticks": found,
        "disagreements": len(rows),
        "gaia_says_frontal": sum(said for _, _, said in rows),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
