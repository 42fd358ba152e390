"""Draw how the evidence of real videos lies to the limits of the rules, and count what other limits would drop.

    python benchmarks/distributions.py DATASET --out docs/images

DATASET is a curated folder; the rules are applied anew, with their defaults. Writes a picture `filters_<rule>.png` per
rule, and one for sharpness, which decides nothing. Prints one JSON line: `quantiles` per measure
and video (0, 5, 25, 50, 75, 95, 100 %); `sweep` per rule and limit (seconds that fail it in videos with a face, and
seconds kept per tier where the tier's limit is this one); `frontal_fit`, how the signed deviation follows yaw and roll.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from strip_plot import strip_plot

from curation.decide import Decision, RulesSettings, decide
from curation.evidence import Evidence
from curation.frames_table import evidence_of_frames
from curation.rules.cut import cut
from curation.rules.frontal import frontal, frontal_angle_deg
from curation.rules.jitter import face_step, jitter
from curation.rules.mask import mask
from curation.rules.runs import true_runs
from curation.rules.silence import silence
from curation.rules.small_face import small_face
from manifests.arrays import BoolArray, Float32Array, Float64Array
from manifests.files import read_table
from manifests.outcomes import Tier
from manifests.timeline import TICK_RATE_HZ

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
SWEEPS = {
    "frontal": (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0),
    "jitter": (0.05, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.25, 0.3, 0.4),
    "silence": (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0),
    "small_face": (60.0, 80.0, 100.0, 112.0, 128.0, 144.0, 160.0, 180.0, 200.0),
}
SETTINGS_OF = {
    "frontal": ("strict_deg", "loose_deg"),
    "jitter": ("strict_step", "loose_step"),
    "small_face": ("strict_px", "loose_px"),
}
TICK_HZ = float(TICK_RATE_HZ)
Values = Float32Array | Float64Array


@dataclass(frozen=True, kw_only=True)
class Video:
    """One video's evidence and what the default rules make of it."""

    name: str
    evidence: Evidence
    decision: Decision
    breaks: BoolArray

    @property
    def step(self) -> Float32Array:
        """(T,) step from the tick before, face widths."""
        face = self.decision.face
        return face_step(face.key_points_px, face.box_px, self.breaks)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number that a rule is about."""

    name: str
    label: str
    values: Callable[[Video], Values]
    """One per tick, or one per stretch; NaN is left out."""
    limits: dict[str, float]
    """By tier, as the line is named in the picture."""
    drops_high: bool = True
    floor: float | None = None
    """Least value of a logarithmic axis, onto which smaller ones are drawn; None for a linear axis."""


def read_videos(dataset: Path, rules: RulesSettings) -> list[Video]:
    """Return the analysed videos of a dataset by name."""
    listed = read_table(dataset, "videos", ["video_id", "path", "status", "duplicate_of"]).to_pylist()
    frames = read_table(dataset, "frames")
    ids = np.asarray(frames["video_id"].to_pylist())
    videos = []
    for row in listed:
        if row["status"] != "ok" or row["duplicate_of"] is not None:
            continue
        evidence = evidence_of_frames(frames.take(np.flatnonzero(ids == row["video_id"])))
        decision = decide(evidence, rules)
        breaks = cut(evidence.cut_score, rules.cut).failed | decision.main.changes
        name = PurePosixPath(row["path"]).stem
        videos.append(Video(name=name, evidence=evidence, decision=decision, breaks=breaks))
    return sorted(videos, key=lambda video: video.name.lower())


def pauses_s(video: Video, rules: RulesSettings) -> Float64Array:
    """Return the length of every pause; none where there is no sound."""
    prob = video.evidence.speech_prob
    return np.zeros(0) if prob is None else lengths_s(prob < rules.silence.min_speech_prob)


def lengths_s(flags: BoolArray) -> Float64Array:
    """Return the lengths of the runs of True, seconds."""
    return np.array([end - first for first, end in true_runs(flags)], dtype=np.float64) / TICK_HZ


def satisfactory_s(video: Video) -> Float64Array:
    """Return the lengths of the stretches that satisfy all strict rules."""
    spans = [s for s in video.decision.spans if s.tier == "diffusion" and s.outcome in {"kept", "too_short"}]
    return np.array([span.end_tick - span.first_tick for span in spans], dtype=np.float64) / TICK_HZ


def deviation_deg(video: Video) -> Float64Array:
    """Return (T,) frontal angle less 180."""
    return frontal_angle_deg(video.decision.face.key_points_px).astype(np.float64) - 180.0


def measures(rules: RulesSettings) -> list[Measure]:
    """Return what is drawn, in the order of the rules."""
    both = "both tiers"
    return [
        Measure(
            name="no_face",
            label="misses of the face finder, s (one dot per miss)",
            values=lambda v: lengths_s(v.decision.main.face < 0),
            limits={both: rules.no_face.bridge_ticks / TICK_HZ},
            floor=0.03,
        ),
        Measure(
            name="several_faces",
            label="width of the widest other face, in widths of the main face",
            values=lambda v: v.decision.main.rival_ratio,
            limits={both: rules.several_faces.max_width_ratio},
        ),
        Measure(
            name="small_face",
            label="face width, source px",
            values=lambda v: v.decision.face.width_px,
            limits={"strict": rules.small_face.strict_px, "loose": rules.small_face.loose_px},
            drops_high=False,
        ),
        Measure(
            name="cut",
            label="shot-boundary score",
            values=lambda v: v.evidence.cut_score,
            limits={both: rules.cut.min_score},
        ),
        Measure(
            name="frontal",
            label="deviation of the frontal angle from 180°, degrees",
            values=lambda v: np.abs(deviation_deg(v)),
            limits={"strict": rules.frontal.strict_deg, "loose": rules.frontal.loose_deg},
        ),
        Measure(
            name="jitter",
            label="step from tick to tick, face widths",
            values=lambda v: v.step,
            limits={"strict": rules.jitter.strict_step, "loose": rules.jitter.loose_step},
            floor=0.001,
        ),
        Measure(
            name="mask",
            label=f"mask probability, median over {rules.mask.smooth_ticks} ticks",
            values=lambda v: mask(v.decision.face.mask_prob, rules.mask).value,
            limits={both: rules.mask.max_prob},
        ),
        Measure(
            name="silence",
            label="pauses, s (one dot per pause)",
            values=lambda v: pauses_s(v, rules),
            limits={"strict": rules.silence.max_pause_s},
            floor=0.03,
        ),
        Measure(
            name="too_short",
            label="stretches that satisfy all strict rules, s (one dot per stretch)",
            values=satisfactory_s,
            limits={"strict": rules.too_short.min_s},
            drops_high=False,
            floor=0.03,
        ),
        Measure(
            name="sharpness",
            label="sharpness of the face: variance of the Laplacian (decides nothing)",
            values=lambda v: v.decision.face.sharpness,
            limits={},
            floor=1.0,
        ),
    ]


def known(values: Values) -> Values:
    """Return the values that were measured."""
    return values[~np.isnan(values)]


def failing(rule: str, limit: float, video: Video, rules: RulesSettings) -> BoolArray:
    """Return (T,) ticks that fail a rule under a limit, whatever the other rules say; none without a measurement."""
    face = video.decision.face
    if rule == "frontal":
        return frontal(frontal_angle_deg(face.key_points_px), limit).failed
    if rule == "jitter":
        return jitter(video.step, video.breaks, limit, rules.jitter.guard_ticks).failed
    if rule == "small_face":
        return small_face(face.width_px, limit).failed
    prob, n_ticks = video.evidence.speech_prob, len(video.evidence)
    if prob is None:
        return np.zeros(n_ticks, dtype=np.bool_)
    return silence(prob, n_ticks, rules.silence.model_copy(update={"max_pause_s": limit})).failed


def with_limit(rules: RulesSettings, rule: str, tier: Tier, limit: float) -> RulesSettings:
    """Return rules whose limit of one tier is another; the other tier's follows where it would contradict."""
    section = getattr(rules, rule)
    if rule == "silence":
        return rules.model_copy(update={rule: section.model_copy(update={"max_pause_s": limit})})
    strict, loose = SETTINGS_OF[rule]
    looser: Callable[[float, float], float] = min if rule == "small_face" else max
    stricter: Callable[[float, float], float] = max if rule == "small_face" else min
    limits = (
        {strict: limit, loose: looser(limit, getattr(section, loose))}
        if tier == "diffusion"
        else {strict: stricter(limit, getattr(section, strict)), loose: limit}
    )
    return rules.model_copy(update={rule: section.model_copy(update=limits)})


def kept_s(videos: Sequence[Video], rules: RulesSettings, tier: Tier) -> float:
    """Return the seconds that are kept in a tier."""
    spans = [span for video in videos for span in decide(video.evidence, rules).spans]
    kept = [span.end_tick - span.first_tick for span in spans if span.tier == tier and span.outcome == "kept"]
    return round(sum(kept) / TICK_HZ, 2)


def sweep(rule: str, videos: Sequence[Video], rules: RulesSettings) -> list[dict[str, float]]:
    """Return what each limit of a rule drops and keeps."""
    rows = []
    for limit in SWEEPS[rule]:
        failed = sum(int(failing(rule, limit, video, rules).sum()) for video in videos)
        row = {"limit": limit, "fails_s": round(failed / TICK_HZ, 2)}
        row["kept_diffusion_s"] = kept_s(videos, with_limit(rules, rule, "diffusion", limit), "diffusion")
        if rule != "silence":
            row["kept_vae_s"] = kept_s(videos, with_limit(rules, rule, "vae", limit), "vae")
        rows.append(row)
    return rows


def frontal_fit(videos: Sequence[Video]) -> dict[str, float]:
    """Return the least-squares fit of the signed deviation: degrees per degree of yaw and of roll, and the rest."""
    chosen = [v for v in videos if np.nanmedian(v.decision.face.width_px) >= RulesSettings().small_face.loose_px]
    y = np.concatenate([deviation_deg(video) for video in chosen])
    pose = np.concatenate([video.decision.face.pose_deg for video in chosen]).astype(np.float64)
    ok = ~np.isnan(y) & ~np.isnan(pose).any(axis=1)
    columns = np.stack([pose[ok, 1], pose[ok, 2], np.ones(int(ok.sum()))], axis=1)
    fit = np.linalg.lstsq(columns, y[ok], rcond=None)[0]
    rest = y[ok] - columns @ fit
    return {
        "per_yaw": round(float(fit[0]), 2),
        "per_roll": round(float(fit[1]), 2),
        "constant_deg": round(float(fit[2]), 2),
        "r2": round(1.0 - float(rest.var() / y[ok].var()), 3),
        "rest_p95_deg": round(float(np.quantile(np.abs(rest), 0.95)), 1),
        "ticks": int(ok.sum()),
    }


def main() -> None:
    """Draw, count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    arguments = parser.parse_args()
    rules = RulesSettings()
    videos = read_videos(arguments.dataset, rules)
    if not videos:
        raise SystemExit(f"{arguments.dataset} holds no analysed video")
    arguments.out.mkdir(parents=True, exist_ok=True)
    quantiles: dict[str, dict[str, list[float]]] = {}
    for measure in measures(rules):
        found = {video.name: known(measure.values(video)) for video in videos}
        strip_plot(
            arguments.out / f"filters_{measure.name}.png",
            found,
            measure.label,
            limits=measure.limits,
            drops_high=measure.drops_high,
            floor=measure.floor,
        )
        quantiles[measure.name] = {
            name: np.round(np.quantile(values, QUANTILES), 4).tolist() for name, values in found.items() if len(values)
        }
    sweeps = {rule: sweep(rule, videos, rules) for rule in SWEEPS}
    print(json.dumps({"quantiles": quantiles, "sweep": sweeps, "frontal_fit": frontal_fit(videos)}))


if __name__ == "__main__":
    main()
