"""A strip plot: a row per group, a dot per value, and limits as lines."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from foundation.array_types import Float64Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _DOTS, _GRID = "#222222", "#4477aa", "#dddddd"
_LINE, _LOOSE_LINE = "#bb5500", "#117733"
_MOST_DOTS = 300
"""Per row, evenly chosen from the sorted values: enough to see the shape, and the image stays small."""

_FEW = 20
"""Number of values below which a group is drawn as dots alone, because its quantiles mean nothing."""


def strip_plot(
    file: Path,
    groups: Mapping[str, Float64Array],
    label: str,
    *,
    limits: Mapping[str, float],
    drops_high: bool = True,
    floor: float | None = None,
) -> None:
    """Write a PNG: per group dots, and a line from 5 to 95 %, thick from 25 to 75 %, with a circle at the median.

    Args:
        groups: values by name, without NaN.
        label: name and unit of the values.
        limits: limits by name; the dropped side is shaded.
        drops_high: whether values above a limit are dropped, else those below.
        floor: least value of a logarithmic axis, at which smaller values are drawn; None for a linear axis.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 0.7 + 0.25 * len(groups)), dpi=90, layout="constrained")
    axes = figure.subplots()
    rng = np.random.default_rng(0)
    for row, values in enumerate(groups.values()):
        _draw_row(axes, row, np.sort(values if floor is None else np.maximum(values, floor)), rng)
    if floor is not None:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(groups)), list(groups), fontsize=8)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.set_xlabel(label, fontsize=9)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=_GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    _draw_limits(axes, limits, drops_high=drops_high)
    figure.savefig(file, metadata={"Software": None})


def _draw_row(axes: "Axes", row: int, values: Float64Array, rng: np.random.Generator) -> None:
    if not len(values):
        return
    chosen = values[np.linspace(0, len(values) - 1, min(len(values), _MOST_DOTS)).round().astype(int)]
    few = len(values) < _FEW
    axes.plot(
        chosen,
        row + rng.uniform(-0.3, 0.3, len(chosen)) * (not few),
        "o",
        color=_DOTS,
        alpha=0.7 if few else 0.4,
        markersize=4.5 if few else 2,
        markeredgewidth=0,
    )
    if few:
        return
    low, quarter, median, three_quarters, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
    axes.plot([low, high], [row, row], color=_INK, linewidth=0.8)
    axes.plot([quarter, three_quarters], [row, row], color=_INK, linewidth=3.5, solid_capstyle="butt")
    axes.plot([median], [row], "o", color="white", markeredgecolor=_INK, markersize=4)


def _draw_limits(axes: "Axes", limits: Mapping[str, float], *, drops_high: bool) -> None:
    low, high = axes.get_xlim()
    low, high = (
        min([low, *(limit * 0.9 for limit in limits.values())]),
        max([high, *(limit * 1.1 for limit in limits.values())]),
    )
    axes.set_xlim(low, high)
    for name, limit in limits.items():
        colour = _LOOSE_LINE if name == "loose" else _LINE
        # The labels of strict and loose are on opposite sides, because the limits can be close to each other.
        left = (name == "loose") != drops_high
        axes.axvspan(limit, high if drops_high else low, color=colour, alpha=0.07, linewidth=0)
        axes.axvline(limit, color=colour, linewidth=1.2)
        axes.annotate(
            f"{name} {limit:g}",
            (limit, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-2 if left else 2, 2),
            textcoords="offset points",
            ha="right" if left else "left",
            color=colour,
            fontsize=8,
            annotation_clip=False,
        )
