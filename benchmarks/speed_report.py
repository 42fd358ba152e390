"""Results of `python -m benchmarks.speed`: how they follow from what was measured, as JSON lines and as a table."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from foundation.text import text_table

PER_CORE = "per s of one core"
"""Unit of a rate by processor time, on which other work on the machine has little effect."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """A figure, or the reason why there is none."""

    name: str
    value: float | None
    """None: not measured."""
    unit: str
    note: str = ""
    """What was measured, or why it was not."""
    failed: bool = False
    """Whether it should have been measured and could not be."""


def not_measured(name: str, unit: str, reason: str, *, failed: bool) -> Result:
    """Return the result of a measurement that was left out or that failed."""
    return Result(name=name, value=None, unit=unit, note=reason, failed=failed)


def help_result(seconds: Sequence[float]) -> Result:
    """Return the median time of `gaia-curate --help`.

    Args:
        seconds: processor time of each of several starts.
    """
    note = f"median of {len(seconds)}"
    return Result(name="gaia-curate --help", value=statistics.median(seconds), unit="s of one core", note=note)


def analysis_results(frames: int, analysis_cpu_s: float, loop_cpu_s: float | None) -> list[Result]:
    """Return the rates of the analyse pass and of a straightforward loop, and their ratio.

    Args:
        frames: frames of the video that both went over.
        analysis_cpu_s: processor time of the analyse pass, seconds.
        loop_cpu_s: that of the straightforward loop; None where its weights are missing.
    """
    note = f"{frames} frames of the sample, preset embedded"
    rate = Result(name="analysis, frames", value=frames / analysis_cpu_s, unit=PER_CORE, note=note)
    if loop_cpu_s is None:
        reason = "needs `gaia-curate models pull dlib_shape_predictor_68`"
        return [rate, not_measured("straightforward loop, frames", PER_CORE, reason, failed=False)]
    loop = Result(
        name="straightforward loop, frames",
        value=frames / loop_cpu_s,
        unit=PER_CORE,
        note="dlib's detector and 68 points on every frame",
    )
    ratio = Result(name="analysis over the loop", value=loop_cpu_s / analysis_cpu_s, unit="times")
    return [rate, loop, ratio]


def curation_result(preset: str, video_s: float, wall_s: float) -> Result:
    """Return the speed of `gaia-curate run` as a whole, in times real time."""
    note = f"{video_s:.0f} s of video in {wall_s:.1f} s, one process, start included"
    return Result(name=f"gaia-curate run, {preset}", value=video_s / wall_s, unit="times real time", note=note)


def loader_results(report: Mapping[str, float]) -> list[Result]:
    """Return the rates of the training loaders.

    Args:
        report: the JSON line of `benchmarks.training.loader`.
    """
    pairs = Result(name="VAE loader, frame pairs", value=report["pairs"], unit=PER_CORE, note="256x256, batches of 64")
    sequences = Result(
        name="diffusion loader, sequences", value=report["sequences"], unit=PER_CORE, note="batches of 64"
    )
    return [pairs, sequences]


def training_result(network: str, batch: int, per_second: float) -> Result:
    """Return optimiser steps a second.

    Args:
        network: kind and size, such as `vae:tiny`.
        batch: samples per step.
        per_second: samples that were trained on in a second.
    """
    kind, _, size = network.partition(":")
    name = f"training, {kind.removesuffix('_plain')} {size}"
    return Result(name=name, value=per_second / batch, unit="steps per s", note=f"batch {batch}, no loader")


def json_line(result: Result) -> str:
    """Return a result as one line of JSON, the value with four significant digits."""
    value = None if result.value is None else float(f"{result.value:.4g}")
    return json.dumps(asdict(result) | {"value": value})


def results_table(results: Sequence[Result]) -> str:
    """Return the results as a table for people, values with three significant digits."""
    rows = [[result.name, _digits(result.value), result.unit, result.note] for result in results]
    return text_table(["measurement", "value", "unit", "note"], rows, numeric=[False, True, False, False])


def _digits(value: float | None) -> str:
    if value is None:
        return "-"
    decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:,.{decimals}f}"
