"""Does the rule `jitter` pass speech and stop a shake, and is a rectangle around landmarks steadier than a detector's?

    python -m benchmarks.figures.jitter DATASET CLIPS --out docs/images

DATASET was curated from the folder CLIPS. Draws `filters_shake.png` and prints one JSON line:

- `real`: steps between ticks that both speak and between others, of videos whose face is wide enough for tier `vae`;
- `shaken`: the same evidence with every tick's points and boxes moved, either to a place on a circle of 0.1 face widths
  about the true one, or to one in the square of ±0.1: steps, share of ticks that the rule drops and seconds in runs of
  at least 3 s that remain, per limit;
- `rectangles`: over 3 s of three clips, steps of dlib's HOG rectangle, of the rectangle around dlib's 68 points and
  around MediaPipe's, of dlib's points in SCRFD's box, and of the nose tips. Each is in widths of its own rectangle.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import dlib
import numpy as np

from benchmarks.figures.curated_videos import TICK_HZ, WIDE_PX, Video, read_videos
from benchmarks.figures.distributions import QUANTILES, known
from benchmarks.figures.strip_plot import strip_plot
from curation.decision.decide import RulesSettings
from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.perception.faces.dlib_points import DlibJitterPoints
from curation.perception.faces.mediapipe import MediaPipeFaces
from curation.perception.faces.scrfd_mesh import ScrfdFaces
from curation.rules.jitter import face_moves, jitter, measured_moves, steady, step_of
from curation.rules.runs import true_runs
from foundation.array_types import Float32Array, Float64Array, RgbImage
from foundation.devices import resolve_device
from foundation.weights import asset_path, ensure_assets
from manifests.landmarks import key_points, landmark_scheme

RECTANGLE_CLIPS = ("WDA_KatieHill_000", "WDA_AlexandriaOcasioCortez_000", "lp_d14")
RECTANGLE_TICKS = 75
REACH = 0.1
LIMITS = (0.1, 0.12, 0.14, 0.16, 0.18, 0.2)
DRAWS = 20
SIZES = "hog changes of width"
IN_SCRFD = "dlib68 in SCRFD's box"
SCRFD = "scrfd_500m_bnkps"


def quantiles(values: Float32Array | Float64Array) -> dict[str, float]:
    """Return quantiles of a set of steps."""
    found = np.quantile(known(values), QUANTILES)
    return {f"p{100 * q:g}": round(float(value), 4) for q, value in zip(QUANTILES, found, strict=True)}


def speaks(video: Video, rules: RulesSettings) -> np.ndarray:
    """Return (T,) whether this tick and the previous one have speech."""
    if video.evidence.speech_prob is None:
        return np.zeros(len(video.evidence), dtype=np.bool_)
    spoken = video.evidence.speech_prob >= rules.silence.min_speech_prob
    return spoken & np.roll(spoken, 1)


def shaken_motion(video: Video, kind: str, rng: np.random.Generator) -> Float32Array:
    """Return (T, 5) motion of the face with a random displacement per tick."""
    face, n = video.decision.face, len(video.evidence)
    if kind == "circle":
        angle = rng.uniform(0.0, 2.0 * np.pi, n)
        offset = REACH * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    else:
        offset = rng.uniform(-REACH, REACH, (n, 2))
    offset_px = (offset * face.width_px[:, None]).astype(np.float32)
    points = face.jitter_points_px
    shaken = replace(
        face,
        key_points_px=face.key_points_px + offset_px[:, None],
        box_px=face.box_px + np.tile(offset_px, 2),
        jitter_points_px=None if points is None else points + offset_px[:, None],
    )
    return measured_moves(shaken, video.breaks)


def ticks_dropped_and_left(video: Video, motion: Float32Array, limit: float, rules: RulesSettings) -> tuple[int, int]:
    """Return the ticks that the rule drops, and the ticks that remain in runs long enough for a clip."""
    is_steady = steady(motion, limit, rules.jitter.min_steadiness)
    failed = jitter(step_of(motion), is_steady, video.breaks, limit, rules.jitter).failed
    runs = [end - first for first, end in true_runs(~failed, video.breaks)]
    return int(failed.sum()), sum(run for run in runs if run >= rules.too_short.min_ticks)


def counts_by_limit(
    videos: Sequence[Video], kind: str, rules: RulesSettings, rng: np.random.Generator
) -> dict[str, object]:
    """Return steps and counts of the rule over all videos, shaken `DRAWS` times."""
    counts = np.zeros((len(LIMITS), 2))
    steps = []
    for video in videos:
        for _ in range(1 if kind == "real" else DRAWS):
            motion = video.motion if kind == "real" else shaken_motion(video, kind, rng)
            steps.append(step_of(motion))
            counts += [ticks_dropped_and_left(video, motion, limit, rules) for limit in LIMITS]
    n_ticks = sum(map(len, steps))
    per_limit = {
        f"{limit:g}": {
            "dropped_share": round(float(dropped / n_ticks), 4),
            "left_s_of_100": round(100.0 * float(left / n_ticks), 2),
        }
        for limit, (dropped, left) in zip(LIMITS, counts, strict=True)
    }
    return {"steps": quantiles(np.concatenate(steps)), "limits": per_limit}


def shares_over(step: Float32Array, rules: RulesSettings) -> dict[str, float]:
    """Return the share of steps over each limit."""
    limits = {"over_strict": rules.jitter.strict_step, "over_loose": rules.jitter.loose_step}
    return {name: round(float(np.mean(known(step) > limit)), 4) for name, limit in limits.items()}


def frames(path: Path) -> Iterator[RgbImage]:
    """Yield the frames of the first ticks."""
    for frame in tick_frames(probe(path), 0, RECTANGLE_TICKS):
        if frame.rgb is not None:
            yield frame.rgb


def hog_rectangle(detect: "dlib.fhog_object_detector", rgb: RgbImage) -> "dlib.rectangle | None":
    """Return the widest face that dlib's detector finds in a frame with a border; without one it misses close-ups."""
    return max(detect(rgb, 0), key=lambda one: one.width(), default=None)


def rectangle_steps(
    path: Path,
    faces: MediaPipeFaces,
    paper: ScrfdFaces,
    points_in: DlibJitterPoints,
    predict: "dlib.shape_predictor",
) -> dict[str, Float64Array]:
    """Return the steps of every way of placing the face; NaN where a finder found none."""
    detect = dlib.get_frontal_face_detector()
    boxes: dict[str, list[Float64Array]] = {"hog": [], "dlib68": [], "mediapipe": [], IN_SCRFD: []}
    noses: dict[str, list[Float64Array]] = {"dlib68": [], "mediapipe": [], IN_SCRFD: []}
    for rgb in frames(path):
        border = rgb.shape[1] // 4
        padded = np.pad(rgb, ((border, border), (border, border), (0, 0)))
        found, mesh = hog_rectangle(detect, padded), next(iter(faces(rgb)), None)
        found_points: dict[str, Float64Array] = {}
        if found is not None:
            boxes["hog"].append(np.array([found.left(), found.top(), found.right(), found.bottom()], np.float64))
            found_points["dlib68"] = np.array([(part.x, part.y) for part in predict(padded, found).parts()], np.float64)
        else:
            boxes["hog"].append(np.full(4, np.nan))
        jitter_box_px = next((face.jitter_box_px for face in paper(rgb)), None)
        placed = np.full((3, 2), np.nan)
        if jitter_box_px is not None:
            placed = points_in(rgb, jitter_box_px).astype(np.float64)
        noses[IN_SCRFD].append(placed[0])
        boxes[IN_SCRFD].append(placed[1:].ravel())
        if mesh is not None:
            found_points["mediapipe"] = mesh.landmarks_px.astype(np.float64)
        for name, scheme in (("dlib68", "ibug68"), ("mediapipe", faces.scheme)):
            points = found_points.get(name, np.full((landmark_scheme(scheme).n_points, 2), np.nan))
            boxes[name].append(np.concatenate([points.min(axis=0), points.max(axis=0)]))
            noses[name].append(key_points(points, landmark_scheme(scheme))[0].astype(np.float64))
    steps: dict[str, Float64Array] = {}
    for name, rows in boxes.items():
        box = np.array(rows)
        points_px = np.zeros((len(box), 9, 2), np.float32)
        width_px = box[:, 2] - box[:, 0]
        motion = face_moves(points_px, box.astype(np.float32), np.zeros(len(box), dtype=np.bool_))
        steps[f"{name} rectangle"] = step_of(motion).astype(np.float64)
        if name in noses:
            moved_px = np.linalg.norm(np.diff(np.array(noses[name]), axis=0), axis=1)
            steps[f"{name} nose tip"] = moved_px / np.minimum(width_px[1:], width_px[:-1])
        else:
            ratio = np.maximum(width_px[1:], width_px[:-1]) / np.minimum(width_px[1:], width_px[:-1])
            steps[SIZES] = ratio[ratio > 1.0]
    return steps


def rectangles(clips: Path, rules: RulesSettings) -> tuple[dict[str, Float64Array], dict[str, object]]:
    """Return the steps of all ways of placing the face, clips together, and their figures."""
    ensure_assets(["face_landmarker", "dlib_shape_predictor_68", SCRFD])
    faces, predict = MediaPipeFaces(), dlib.shape_predictor(str(asset_path("dlib_shape_predictor_68")))
    paper, points_in = ScrfdFaces(asset_path(SCRFD), resolve_device("cpu")), DlibJitterPoints()
    found = [rectangle_steps(clips / f"{name}.mp4", faces, paper, points_in, predict) for name in RECTANGLE_CLIPS]
    pooled = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
    sizes = pooled.pop(SIZES)
    figures: dict[str, object] = {name: quantiles(step) | shares_over(step, rules) for name, step in pooled.items()}
    figures[SIZES] = {"ticks": len(RECTANGLE_CLIPS) * (RECTANGLE_TICKS - 1), "changes": len(sizes)} | quantiles(sizes)
    return pooled, figures


def main() -> None:
    """Measure, draw and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the image")
    arguments = parser.parse_args()
    rules = RulesSettings()
    rng = np.random.default_rng(0)
    videos = [
        video
        for video in read_videos(arguments.dataset, rules)
        if np.nanmedian(video.decision.face.width_px) >= WIDE_PX
    ]
    real = {
        "speaking": np.concatenate([video.step[speaks(video, rules)] for video in videos]),
        "not speaking": np.concatenate([video.step[~speaks(video, rules)] for video in videos]),
    }
    placed, rectangle_figures = rectangles(arguments.clips, rules)
    groups = real | {
        f"shaken, {kind} of ±{REACH:g}": np.concatenate([step_of(shaken_motion(video, kind, rng)) for video in videos])
        for kind in ("circle", "square")
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    strip_plot(
        arguments.out / "filters_shake.png",
        {name: known(values) for name, values in (groups | placed).items()},
        "step from tick to tick, face widths",
        limits={"strict": rules.jitter.strict_step, "loose": rules.jitter.loose_step},
        floor=0.001,
    )
    report = {
        "seconds": round(sum(len(video.evidence) for video in videos) / TICK_HZ, 2),
        "real": {name: quantiles(step) | shares_over(step, rules) for name, step in real.items()},
        "shaken": {kind: counts_by_limit(videos, kind, rules, rng) for kind in ("real", "circle", "square")},
        "rectangles": rectangle_figures,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
