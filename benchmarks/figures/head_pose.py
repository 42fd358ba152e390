"""How close are the head poses of preset `embedded` to 3DDFA's, and how does the frontal angle follow the yaw?

    python -m benchmarks.figures.head_pose CLIPS --out docs/images [--network NAME] [--scrfd NAME] [--every 3]

CLIPS is a folder of videos. The widest face of every third tick is measured by the face finder of preset `embedded`,
whose head transform is compared, and by 3DDFA in SCRFD's box, as preset `paper` has it, and in the rectangle
around the landmarks. Writes `frontal_yaw.png` and `head_pose.png`. Prints one JSON line: `embedded`, how far the head
transform is from 3DDFA, as the median absolute difference and the median difference of pitch, yaw and roll, of faces
wide enough for tier `vae`, of all and per clip; `box` and `embedded_in_landmark_box`, how far 3DDFA's pose depends on
the box; `frontal` and `frontal_all`, how the frontal angle follows 3DDFA's yaw and roll, of wide and of all faces, and
the yaw at which an upright face reaches the limits of the rule.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.figures.curated_videos import WIDE_PX
from curation.engine.one_thread import use_one_thread
from curation.evidence.boxes import link_boxes
from curation.media.frames import tick_frames
from curation.media.probe import probe
from curation.perception.faces.mediapipe import MediaPipeFaces
from curation.perception.faces.scrfd_mesh import ScrfdFaces
from curation.perception.pose.three_ddfa import ThreeDdfaPose
from curation.rules.frontal import FrontalSettings, frontal_angle_deg
from foundation.array_types import BoolArray, Float32Array, Float64Array
from foundation.devices import resolve_device
from foundation.weights import asset_path
from manifests.landmarks import key_points, landmark_scheme

AXES = ("pitch", "yaw", "roll")
_LEAST_PX = 40.0
"""Narrower faces are left out."""

_SIDEWAYS_DEG = 60.0
"""Beyond this yaw by either method the other eye is hidden, and both guess."""

_NO_ANGLE_DEG = 90.0
"""So far from 180 the frontal angle says that the nose is outside the eyes: the landmarks are wrong."""


@dataclass(frozen=True, kw_only=True)
class Faces:
    """Measurements of one face in each of N ticks of a clip."""

    width_px: Float32Array
    """(N,) of the rectangle around the landmarks."""
    frontal_deg: Float64Array
    """(N,) frontal angle less 180."""
    embedded_deg: Float32Array
    """(N, 3) pitch, yaw, roll by the head transform."""
    ddfa_deg: Float32Array
    """(N, 3) by 3DDFA in SCRFD's box."""
    ddfa_landmarks_deg: Float32Array
    """(N, 3) by 3DDFA in the rectangle around the landmarks."""


class Models:
    """The networks that measure a face."""

    def __init__(self, network: str, scrfd: str) -> None:
        device = resolve_device("cpu")
        self.finder = MediaPipeFaces()
        self.scrfd = ScrfdFaces(asset_path(scrfd), device)
        self.pose = ThreeDdfaPose("3ddfa_mb1" if network == "3ddfa_mb1" else "3ddfa_mb05", device)
        self.scheme = landmark_scheme(self.finder.scheme)


def measure(clip: Path, models: Models, every: int) -> Faces:
    """Return the widest face of every `every`-th tick of a clip, where both finders find it."""
    info = probe(clip)
    rows: list[tuple[float, float, Float32Array]] = []
    crops, crops_landmarks = [], []
    for frame in tick_frames(info, 0, info.n_ticks):
        if frame.rgb is None or frame.tick % every:
            continue
        faces = models.finder(frame.rgb)
        others = models.scrfd(frame.rgb)
        if not faces or not others:
            continue
        face = faces[0]
        boxes = np.stack([other.box_px for other in others])
        match = link_boxes(face.box_px[None], boxes, 0.3).get(0)
        if match is None:
            continue
        points = key_points(face.landmarks_px, models.scheme)
        deviation = float(frontal_angle_deg(points[None])[0]) - 180.0
        rows.append((float(face.box_px[2] - face.box_px[0]), deviation, face.pose_deg))
        crops.append(models.pose.crop(frame.rgb, boxes[match][None]))
        crops_landmarks.append(models.pose.crop(frame.rgb, face.box_px[None]))
    empty = np.zeros((0, 3), np.float32)
    return Faces(
        width_px=np.array([row[0] for row in rows], np.float32),
        frontal_deg=np.array([row[1] for row in rows], np.float64),
        embedded_deg=np.stack([row[2] for row in rows]) if rows else empty,
        ddfa_deg=models.pose(np.concatenate(crops)) if rows else empty,
        ddfa_landmarks_deg=models.pose(np.concatenate(crops_landmarks)) if rows else empty,
    )


def usable(faces: Faces, least_px: float = _LEAST_PX) -> BoolArray:
    """Return (N,) whether a face is wide enough and not turned away."""
    yaws = np.abs(np.stack([faces.embedded_deg[:, 1], faces.ddfa_deg[:, 1]]))
    chosen: BoolArray = (faces.width_px >= least_px) & (yaws.max(axis=0) <= _SIDEWAYS_DEG)
    chosen &= np.abs(faces.frontal_deg) <= _NO_ANGLE_DEG
    return chosen


def joined(clips: dict[str, Faces], least_px: float) -> Faces:
    """Return the usable faces of all clips, of at least that width, as one."""
    return Faces(
        **{
            name: np.concatenate([getattr(faces, name)[usable(faces, least_px)] for faces in clips.values()])
            for name in Faces.__dataclass_fields__
        }
    )


def differences(first: Float32Array, second: Float32Array) -> dict[str, list[float]]:
    """Return the median absolute and the median difference of pitch, yaw and roll."""
    step = (first - second + 180.0) % 360.0 - 180.0
    return {
        "median_abs": [round(float(x), 1) for x in np.median(np.abs(step), axis=0)],
        "median": [round(float(x), 1) for x in np.median(step, axis=0)],
    }


def frontal_fit(faces: Faces) -> dict[str, float]:
    """Return how the frontal angle follows 3DDFA's yaw and roll, and the limits in degrees of yaw."""
    yaw, roll = faces.ddfa_deg[:, 1].astype(np.float64), faces.ddfa_deg[:, 2].astype(np.float64)
    columns = np.stack([yaw, roll, np.ones(len(yaw))], axis=1)
    fit = np.linalg.lstsq(columns, faces.frontal_deg, rcond=None)[0]
    upright = faces.frontal_deg - roll * fit[1]
    residual = faces.frontal_deg - columns @ fit
    limits = FrontalSettings()
    return {
        "correlation_with_yaw": round(float(np.corrcoef(faces.frontal_deg, yaw)[0, 1]), 3),
        "correlation_without_roll": round(float(np.corrcoef(upright, yaw)[0, 1]), 3),
        "per_yaw": round(float(fit[0]), 2),
        "per_roll": round(float(fit[1]), 2),
        "constant_deg": round(float(fit[2]), 1),
        "r2": round(1.0 - float(residual.var() / faces.frontal_deg.var()), 3),
        "strict_yaw_deg": round(abs(limits.strict_deg / float(fit[0])), 1),
        "loose_yaw_deg": round(abs(limits.loose_deg / float(fit[0])), 1),
        "faces": len(yaw),
    }


def draw(clips: dict[str, Faces], fit: dict[str, float], out: Path) -> None:
    """Write the two scatter plots, a colour per clip."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    colours = mpl.colormaps["tab20"](range(20))
    limits = FrontalSettings()
    frontal_figure = Figure(figsize=(9, 4.6), dpi=90, layout="constrained")
    pose_figure = Figure(figsize=(10.5, 3.4), dpi=90, layout="constrained")
    axes = frontal_figure.subplots(1, 2, sharey=True)
    pose_axes = pose_figure.subplots(1, 3)
    for colour, (name, faces) in zip(colours, clips.items(), strict=False):
        chosen = usable(faces)
        if not chosen.any():
            continue
        ddfa, deviation = faces.ddfa_deg[chosen], faces.frontal_deg[chosen]
        dots = {"color": colour, "markersize": 2.5, "markeredgewidth": 0, "alpha": 0.7, "label": name}
        axes[0].plot(ddfa[:, 1], deviation, "o", **dots)
        axes[1].plot(ddfa[:, 1], deviation - fit["per_roll"] * ddfa[:, 2], "o", **dots)
        for index, panel in enumerate(pose_axes):
            panel.plot(ddfa[:, index], faces.embedded_deg[chosen, index], "o", **dots)
    for panel, title in zip(axes, ("as measured", "less what the roll adds"), strict=True):
        for limit, style in ((limits.strict_deg, "-"), (limits.loose_deg, "--")):
            for sign in (-1, 1):
                panel.axhline(sign * limit, color="#bb5500", linewidth=1, linestyle=style)
        panel.set_xlabel("yaw by 3DDFA, degrees", fontsize=9)
        panel.set_title(title, fontsize=9)
    axes[0].set_ylabel("frontal angle less 180, degrees; lines: strict and loose limit", fontsize=9)
    for name, panel in zip(AXES, pose_axes, strict=True):
        low, high = panel.get_xlim()
        panel.plot([low, high], [low, high], color="#222222", linewidth=0.7)
        panel.set_xlabel(f"{name} by 3DDFA, degrees", fontsize=9)
        panel.set_ylabel(f"{name} by the head transform", fontsize=9)
    for figure, panels, file in ((frontal_figure, axes, "frontal_yaw"), (pose_figure, pose_axes, "head_pose")):
        for panel in panels:
            panel.grid(color="#dddddd", linewidth=0.5)
            panel.tick_params(labelsize=8)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", fontsize=7, markerscale=2.5)
        figure.savefig(out / f"{file}.png", metadata={"Software": None})


def main() -> int:
    """Measure, draw, print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder of videos")
    parser.add_argument("--out", type=Path, required=True, help="folder of the images")
    parser.add_argument("--network", choices=["3ddfa_mb1", "3ddfa_mb05"], default="3ddfa_mb05")
    parser.add_argument("--scrfd", choices=["det_10g", "scrfd_2.5g", "scrfd_500m_bnkps"], default="scrfd_500m_bnkps")
    parser.add_argument("--every", type=int, default=3, help="ticks from one measurement to the next")
    arguments = parser.parse_args()
    use_one_thread()
    models = Models(arguments.network, arguments.scrfd)
    clips = {
        clip.stem: measure(clip, models, arguments.every)
        for clip in sorted(arguments.clips.glob("*.mp4"), key=lambda path: path.name.lower())
    }
    wide, every_face = joined(clips, WIDE_PX), joined(clips, _LEAST_PX)
    fit = frontal_fit(wide)
    draw(clips, fit, arguments.out)
    chosen = {name: usable(faces) for name, faces in clips.items()}
    report = {
        "network": arguments.network,
        "embedded": {"wide": differences(wide.embedded_deg, wide.ddfa_deg)}
        | {"all": {"faces": len(every_face.width_px)} | differences(every_face.embedded_deg, every_face.ddfa_deg)}
        | {
            name: {"faces": int(chosen[name].sum())}
            | differences(faces.embedded_deg[chosen[name]], faces.ddfa_deg[chosen[name]])
            for name, faces in clips.items()
            if chosen[name].any()
        },
        "box": differences(wide.ddfa_landmarks_deg, wide.ddfa_deg),
        "embedded_in_landmark_box": differences(wide.embedded_deg, wide.ddfa_landmarks_deg),
        "frontal": fit,
        "frontal_all": frontal_fit(every_face),
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
