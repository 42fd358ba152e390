"""Where does the evidence of real videos lie relative to the limits of the rules, and what would other limits drop?

    python -m benchmarks.figures.distributions DATASET --out docs/images [--page PAGE]

DATASET is a curated folder; the rules are applied again, with their defaults. Writes an image `filters_<rule>.png` per
rule, and one for sharpness, which no rule uses; with --page, the tables of figures on it. Prints one JSON line:
`outcomes` per tier, seconds; `sweep` per rule and limit (seconds of all ticks that fail it, and seconds kept per tier
where that tier's limit is this one); `frontal_fit`, how the signed deviation follows yaw and roll; `quantiles` per
measure and video (0, 5, 25, 50, 75, 95, 100 %).
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.figures.curated_videos import TICK_HZ, Video, own_motion, read_videos
from benchmarks.figures.limit_sweeps import SWEEPS, decided, frontal_fit, sweep, with_figures
from benchmarks.figures.strip_plot import strip_plot
from curation.decision.decide import RulesSettings
from curation.rules.frontal import deviation_deg
from curation.rules.mask import mask
from curation.rules.runs import true_runs
from foundation.array_types import BoolArray, Float32Array, Float64Array

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
Values = Float32Array | Float64Array
_BOTH = "both tiers"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A measurement that a rule limits."""

    name: str
    label: str
    values: Callable[[Video], Values]
    """One per tick, or one per range of ticks; NaN is left out."""
    limits: dict[str, float]
    """By the label of the line: the tier, or both."""
    drops_high: bool = True
    floor: float | None = None
    """Least value of a logarithmic axis, at which smaller values are drawn; None for a linear axis."""


def pauses_s(video: Video, rules: RulesSettings) -> Float64Array:
    """Return the length of every pause; none without audio."""
    prob = video.evidence.speech_prob
    return np.zeros(0) if prob is None else lengths_s(prob < rules.silence.min_speech_prob)


def lengths_s(flags: BoolArray) -> Float64Array:
    """Return the lengths of the runs of True, seconds."""
    return np.array([end - first for first, end in true_runs(flags)], dtype=np.float64) / TICK_HZ


def satisfactory_s(video: Video) -> Float64Array:
    """Return the lengths of the ranges of ticks that satisfy all strict rules."""
    spans = [s for s in video.decision.spans if s.tier == "diffusion" and s.outcome in {"kept", "too_short"}]
    return np.array([span.end_tick - span.first_tick for span in spans], dtype=np.float64) / TICK_HZ


def measures(rules: RulesSettings) -> list[Measure]:
    """Return the measures to draw, in the order of the rules."""
    return [*_of_faces(rules), *_of_speech(rules)]


def _of_faces(rules: RulesSettings) -> list[Measure]:
    """Return those of where and how a face is seen."""
    return [
        Measure(
            name="no_face",
            label="misses of the face finder, s (one dot per miss)",
            values=lambda v: lengths_s(v.decision.main.face < 0),
            limits={_BOTH: rules.no_face.bridge_ticks / TICK_HZ},
            floor=0.03,
        ),
        Measure(
            name="several_faces",
            label="width of the widest other face, in widths of the main face",
            values=lambda v: v.decision.main.rival_ratio,
            limits={_BOTH: rules.several_faces.max_width_ratio},
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
            limits={_BOTH: rules.cut.min_score},
        ),
        Measure(
            name="frontal",
            label="deviation from a frontal face, degrees",
            values=lambda v: deviation_deg(v.decision.face.key_points_px, rules.frontal.measure),
            limits={"strict": rules.frontal.strict_deg, "loose": rules.frontal.loose_deg},
        ),
        Measure(
            name="jitter",
            label="step from tick to tick, face widths",
            values=lambda v: v.step,
            limits={"strict": rules.jitter.strict_step, "loose": rules.jitter.loose_step},
            floor=0.001,
        ),
    ]


def _of_speech(rules: RulesSettings) -> list[Measure]:
    """Return those of what a face does, and of what is left."""
    return [
        Measure(
            name="mask",
            label=f"mask probability, median over {rules.mask.smooth_ticks} ticks",
            values=lambda v: mask(v.decision.face.mask_prob, rules.mask).value,
            limits={_BOTH: rules.mask.max_prob},
        ),
        Measure(
            name="silence",
            label="pauses, s (one dot per pause)",
            values=lambda v: pauses_s(v, rules),
            limits={"strict": rules.silence.max_pause_s},
            floor=0.03,
        ),
        Measure(
            name="still_face",
            label=f"motion of the face in the stillest {rules.still_face.window_s:g} s around a tick, face widths",
            values=lambda v: own_motion(v, rules.still_face),
            limits={"strict": rules.still_face.min_motion},
            drops_high=False,
            floor=0.0001,
        ),
        Measure(
            name="not_speaking",
            label="probability that the face speaks, and no other",
            values=lambda v: v.decision.main.speaks_alone,
            limits={"strict": rules.not_speaking.min_prob},
            drops_high=False,
        ),
        Measure(
            name="too_short",
            label="ranges that satisfy all strict rules, s (one dot per range)",
            values=satisfactory_s,
            limits={"strict": rules.too_short.min_s},
            drops_high=False,
            floor=0.03,
        ),
        Measure(
            name="sharpness",
            label="sharpness of the face: variance of the Laplacian (no rule uses it)",
            values=lambda v: v.decision.face.sharpness,
            limits={},
            floor=1.0,
        ),
    ]


def known(values: Values) -> Float64Array:
    """Return the values without NaN."""
    return values[~np.isnan(values)].astype(np.float64)


def main() -> None:
    """Draw, count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the images")
    parser.add_argument("--page", type=Path, help="page whose tables of figures are replaced")
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
            name: [round(float(value), 4) for value in np.quantile(values, QUANTILES)]
            for name, values in found.items()
            if len(values)
        }
    sweeps = {rule: sweep(rule, videos, rules) for rule in SWEEPS}
    outcomes = decided(videos)
    if arguments.page is not None:
        page = arguments.page.read_text(encoding="utf-8")
        arguments.page.write_text(with_figures(page, outcomes, sweeps), encoding="utf-8")
    report = {"outcomes": outcomes, "sweep": sweeps, "frontal_fit": frontal_fit(videos), "quantiles": quantiles}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
