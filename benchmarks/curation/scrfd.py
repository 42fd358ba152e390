"""How much time does a dynamic input save SCRFD, and what does the paper preset's face finder cost and miss?

    python -m benchmarks.curation.scrfd MODELS CLIPS [--ticks 100]

MODELS holds SCRFD's ONNX files, CLIPS videos. One JSON line, milliseconds of CPU time on one thread, medians:

- `networks`: the original file where its input is fixed (`as_it_came`), and with a dynamic input per side of a square
  look; `difference_at_640` is the largest between the outputs of the two;
- `clips`: the finder on the first ticks of a clip as `analyze` calls it, with a search of the whole frame on every
  fifth tick; ticks without a face; the same for SCRFD on every unpadded frame at 640, as InsightFace runs it; time per
  part.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from insightface.model_zoo.scrfd import SCRFD

from curation.evidence.measures import GRID_TICKS
from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.perception.faces.dlib_points import DlibJitterPoints
from curation.perception.faces.scrfd import with_dynamic_input
from curation.perception.faces.scrfd_mesh import ScrfdFaces
from curation.perception.protocols import FaceObservation
from foundation.array_types import RgbImage
from foundation.devices import onnx_session, resolve_device
from foundation.weights import ensure_assets

SIDES_PX = (640, 320, 256, 192, 160, 128)
CPU = resolve_device("cpu")
PARTS = {"_full_look": "full look", "_close_look": "close look"}


def milliseconds(work: Callable[[], object], times: int = 15) -> float:
    """Return the median CPU time of `work`."""
    spent = []
    for _ in range(times + 2):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return round(1000 * float(np.median(spent[2:])), 2)


def network(path: Path) -> dict[str, object]:
    """Measure one ONNX file, in its original form and with a dynamic input."""
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, 3, 640, 640)).astype(np.float32)
    original, dynamic = onnx_session(path, CPU), onnx_session(with_dynamic_input(path), CPU)
    name = original.get_inputs()[0].name
    pairs = zip(original.run(None, {name: pixels}), dynamic.run(None, {name: pixels}), strict=True)
    per_side = {}
    for side in SIDES_PX:
        look = np.ascontiguousarray(pixels[:, :, :side, :side])
        per_side[str(side)] = milliseconds(partial(dynamic.run, None, {name: look}))
    fixed = original.get_inputs()[0].shape[2] == 640
    return {
        "as_it_came": milliseconds(partial(original.run, None, {name: pixels})) if fixed else None,
        "difference_at_640": max(float(np.abs(first - second).max()) for first, second in pairs),
        "dynamic": per_side,
    }


def frames(path: Path, ticks: int) -> Iterator[RgbImage]:
    """Yield the frames of the first ticks."""
    info = probe(path)
    for frame in tick_frames(info, 0, min(ticks, info.n_ticks)):
        if frame.rgb is not None:
            yield frame.rgb


def timed(finder: ScrfdFaces, spent: dict[str, list[float]]) -> None:
    """Make `finder` record the time of its parts."""
    for method, part in PARTS.items():
        inner = getattr(finder, method)

        def measure(*arguments: object, inner: Callable[..., object] = inner, part: str = part) -> object:
            start = time.process_time()
            answer = inner(*arguments)
            spent.setdefault(part, []).append(time.process_time() - start)
            return answer

        setattr(finder, method, measure)


def clip(path: Path, model: Path, ticks: int) -> dict[str, object]:
    """Measure the finder, and SCRFD on unpadded frames, on one clip."""
    spent: dict[str, list[float]] = {}
    finder, points = ScrfdFaces(model, CPU), DlibJitterPoints()
    timed(finder, spent)
    bare = SCRFD(session=onnx_session(model, CPU))
    bare.prepare(0, input_size=(640, 640))
    near: list[FaceObservation] = []
    missed = bare_missed = n = 0
    finder_s = bare_s = 0.0
    for tick, rgb in enumerate(frames(path, ticks)):
        start = time.process_time()
        near = finder(rgb, near if near and tick % GRID_TICKS else None)
        for face in near:
            begun = time.process_time()
            if face.jitter_box_px is not None:
                points(rgb, face.jitter_box_px)
            spent.setdefault("dlib points", []).append(time.process_time() - begun)
        between = time.process_time()
        boxes, _ = bare.detect(np.ascontiguousarray(rgb[..., ::-1]), input_size=(640, 640))
        bare_s += time.process_time() - between
        finder_s += between - start
        missed, bare_missed, n = missed + (not near), bare_missed + (len(boxes) == 0), n + 1
    return {
        "ticks": n,
        "missed": missed,
        "missed_on_bare_pictures": bare_missed,
        "ms": round(1000 * finder_s / n, 2),
        "ms_of_scrfd_on_bare_pictures": round(1000 * bare_s / n, 2),
        "parts_ms": {part: round(1000 * float(np.median(times)), 2) for part, times in spent.items()},
        "looks_at_whole_pictures": len(spent.get("full look", [])),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--ticks", type=int, default=100, help="of every clip")
    arguments = parser.parse_args()
    ensure_assets(["face_landmarker", "dlib_shape_predictor_68"])
    names = [
        name for name in ("scrfd_500m_bnkps", "scrfd_2.5g", "det_10g") if (arguments.models / f"{name}.onnx").exists()
    ]
    smallest = arguments.models / f"{names[0]}.onnx"
    report = {
        "networks": {name: network(arguments.models / f"{name}.onnx") for name in names},
        "finder_network": names[0],
        "clips": {path.stem: clip(path, smallest, arguments.ticks) for path in sorted(arguments.clips.glob("*.mp4"))},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
