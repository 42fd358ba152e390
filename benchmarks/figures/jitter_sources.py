"""By which points should the rule `jitter` measure: which are steady on talking faces and move with a shake?

    python -m benchmarks.figures.jitter_sources CLIPS

Over 3 s of seven clips of one speaker, as they are and with every frame moved by 0.1 face widths in a random direction.
Sources: `mediapipe` (landmarks and box of the embedded preset), `paper` (dlib's 68 points in SCRFD's box) and `hog`
(the rectangle of dlib's own detector, on a crop around SCRFD's box in which the face is 100 px high). One JSON line:
per source quantiles of the step in face widths, and the share over either limit of the rule.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import dlib
import numpy as np

from benchmarks.figures.distributions import known
from curation.decision.decide import RulesSettings
from curation.evidence.measures import GRID_TICKS
from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.perception.faces.dlib_points import DlibJitterPoints
from curation.perception.faces.mediapipe import MediaPipeFaces
from curation.perception.faces.scrfd_mesh import ScrfdFaces
from curation.perception.faces.search import cut_square
from curation.perception.protocols import FaceFinder, FaceObservation, Square
from curation.rules.jitter import face_moves, step_of
from foundation.array_types import Float32Array, Float64Array, RgbImage
from foundation.devices import resolve_device
from foundation.weights import ensure_assets

CLIPS = (
    "lp_d20",
    "lp_d6",
    "lp_d12",
    "talkvid_10",
    "latentsync_demo1",
    "WDA_KatieHill_000",
    "WDA_AlexandriaOcasioCortez_000",
)
LIVELY = "lp_d12"
"""The clip of grimaces, in which the head really jerks."""
TICKS = 75
REACH = 0.1
SCRFD = "scrfd_500m_bnkps"
NONE = np.full((3, 2), np.nan)


def frames(path: Path, shaken_px: float, rng: np.random.Generator) -> Iterator[RgbImage]:
    """Yield the frames of the first ticks, each moved by `shaken_px` in a random direction."""
    for frame in tick_frames(probe(path), 0, TICKS):
        if frame.rgb is not None:
            angle = rng.uniform(0.0, 2.0 * np.pi)
            move = np.array([[1, 0, shaken_px * np.cos(angle)], [0, 1, shaken_px * np.sin(angle)]])
            if shaken_px:
                size = frame.rgb.shape[1::-1]
                shaken = cv2.warpAffine(frame.rgb, move, size, borderMode=cv2.BORDER_REPLICATE)
                yield np.asarray(shaken, np.uint8)
            else:
                yield frame.rgb


def hog_points(detect: "dlib.fhog_object_detector", rgb: RgbImage, box_px: Float32Array) -> Float64Array:
    """Return dlib's rectangle as two corners, after its centre in place of a nose tip; NaN where it finds no face."""
    height = float(box_px[3] - box_px[1])
    corner = np.round((box_px[:2] + box_px[2:]) / 2 - 0.8 * height).astype(np.float64)
    square = Square(x0=corner[0], y0=corner[1], side=1.6 * height)
    found = max(detect(cut_square(rgb, square, 160), 0), key=lambda one: one.width(), default=None)
    if found is None:
        return NONE
    corners = np.array([[found.left(), found.top()], [found.right(), found.bottom()]]) * square.side / 160 + corner
    return np.concatenate([corners.mean(axis=0, keepdims=True), corners])


def points(face: FaceObservation) -> Float64Array:
    """Return nose tip and corners of the box of a face of the embedded preset."""
    return np.stack([face.landmarks_px[1], face.box_px[:2], face.box_px[2:]]).astype(np.float64)


def steps(path: Path, finders: dict[str, FaceFinder], *, shaken: bool) -> dict[str, Float32Array]:
    """Return the steps of one clip by every source."""
    detect, placed, rng = dlib.get_frontal_face_detector(), DlibJitterPoints(), np.random.default_rng(0)
    first = finders["paper"](next(frames(path, 0.0, rng)))[0].box_px
    rows: dict[str, list[Float64Array]] = {"mediapipe": [], "paper": [], "hog": []}
    near: dict[str, list[FaceObservation]] = {}
    for tick, rgb in enumerate(frames(path, REACH * float(first[2] - first[0]) if shaken else 0.0, rng)):
        for name, find in finders.items():
            near[name] = find(rgb, near[name] if near.get(name) and tick % GRID_TICKS else None)
        mesh, paper = next(iter(near["mediapipe"]), None), next(iter(near["paper"]), None)
        rows["mediapipe"].append(NONE if mesh is None else points(mesh))
        rows["paper"].append(
            NONE
            if paper is None or paper.jitter_box_px is None
            else placed(rgb, paper.jitter_box_px).astype(np.float64)
        )
        rows["hog"].append(NONE if paper is None else hog_points(detect, rgb, paper.box_px))
    return {name: _steps_of(np.array(each)) for name, each in rows.items()}


def _steps_of(points_px64: Float64Array) -> Float32Array:
    """Return (T,) steps from nose tip and box corners, (T, 3, 2)."""
    points_px = points_px64.astype(np.float32)
    return step_of(face_moves(points_px, points_px[:, 1:].reshape(-1, 4), np.zeros(len(points_px), dtype=np.bool_)))


def figures(steps_of: list[Float32Array], rules: RulesSettings) -> dict[str, float]:
    """Return quantiles of the steps of a source and the shares over the limits."""
    pooled = known(np.concatenate(steps_of))
    quantiles = {f"p{100 * q:g}": round(float(np.quantile(pooled, q)), 3) for q in (0.05, 0.5, 0.95, 0.99)}
    limits = {"over_strict": rules.jitter.strict_step, "over_loose": rules.jitter.loose_step}
    return quantiles | {name: round(float(np.mean(pooled > limit)), 3) for name, limit in limits.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path)
    arguments = parser.parse_args()
    rules = RulesSettings()
    paths = ensure_assets(["face_landmarker", "dlib_shape_predictor_68", SCRFD])
    finders: dict[str, FaceFinder] = {
        "mediapipe": MediaPipeFaces(),
        "paper": ScrfdFaces(paths[SCRFD], resolve_device("cpu")),
    }
    report: dict[str, object] = {}
    for kind in ("as they are", "shaken"):
        of_clip = {name: steps(arguments.clips / f"{name}.mp4", finders, shaken=kind == "shaken") for name in CLIPS}
        report[kind] = {
            source: figures([of_clip[name][source] for name in CLIPS if name != LIVELY], rules)
            for source in ("mediapipe", "paper", "hog")
        }
        report[f"{kind}, {LIVELY}"] = {source: figures([step], rules) for source, step in of_clip[LIVELY].items()}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
