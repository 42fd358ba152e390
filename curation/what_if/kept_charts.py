"""Charts of what other limits would keep: bars for a terminal, and a picture."""

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

from rich.bar import Bar
from rich.console import Console
from rich.table import Table

from curation.what_if.kept_figures import WhatIf, value_text
from foundation.errors import UsageError
from foundation.storage.atomic import write_bytes_atomic
from foundation.text import printable, time_unit
from manifests.vocabulary import TIERS, Tier

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["bars", "require_picture", "write_chart"]

_COLOURS: dict[Tier, str] = {"diffusion": "#0072b2", "vae": "#e69f00"}
"""Two colours that people who do not tell red from green can tell, too."""

_UNITS = {"s": "seconds", "min": "minutes", "h": "hours"}

_PICTURES = (".png", ".svg", ".pdf")


def bars(found: WhatIf, width: int, *, colour: bool) -> str:
    """Return bars of what each value keeps, one for each tier, as text.

    Args:
        found: the figures.
        width: of the terminal, columns.
        colour: whether to colour the bars.
    """
    counted = [(point, point.total) for point in found.points if point.total is not None]
    unit = time_unit(found.raw_s)
    most = max((max(row.kept_s.values()) for _, row in counted), default=0.0)
    table = Table(box=None, pad_edge=False, padding=(0, 1), expand=True)
    table.add_column(printable(", ".join(found.names)), justify="right", no_wrap=True)
    table.add_column("tier", no_wrap=True)
    table.add_column(f"{unit.name} kept", justify="right", no_wrap=True)
    table.add_column("", ratio=1)
    for point, row in counted:
        for tier in TIERS:
            label = ", ".join(map(value_text, point.values)) if tier == TIERS[0] else ""
            bar = Bar(size=max(most, 1e-9), begin=0.0, end=row.kept_s[tier], color=_COLOURS[tier])
            table.add_row(label, tier, unit.text(row.kept_s[tier]), bar)
    sink = io.StringIO()
    console = Console(file=sink, width=width, force_terminal=colour, no_color=not colour, legacy_windows=False)
    console.print(table)
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines())


def require_picture(path: Path) -> None:
    """Refuse a file that cannot be drawn, before anything is counted for it.

    Raises:
        UsageError: it has no suffix of a picture, or lies in no folder.
    """
    if path.suffix.lower() not in _PICTURES:
        raise UsageError(f"--plot {path} is no name of a picture; end it in {', '.join(_PICTURES)}")
    if not path.parent.is_dir():
        raise UsageError(f"--plot {path} lies in no folder that exists: make {path.parent}")


def write_chart(found: WhatIf, path: Path) -> None:
    """Draw what each value keeps into a file: lines of hours, clips and speakers, or maps of a grid's hours.

    Raises:
        UsageError: the file has no suffix of a picture.
        OSError: it cannot be written.
    """
    require_picture(path)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 4.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    if len(found.names) == 2:
        _draw_maps(figure, found)
    else:
        _draw_lines(figure, found)
    # a folder's name is text: dollars in it begin no formula
    title = f"What other limits would keep of {printable(Path(found.dataset).name)}"
    figure.suptitle(title, fontsize=11, parse_math=False)
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.lower().removeprefix("."))
    write_bytes_atomic(path, picture.getvalue())


def _draw_lines(figure: "Figure", found: WhatIf) -> None:
    """Draw one axis for hours, one for clips and one for speakers, over the values of the one setting."""
    counted = [(point, point.total) for point in found.points if point.total is not None]
    unit = time_unit(found.raw_s)
    numbers = [point.values[0] for point, _ in counted]
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in numbers)
    labels = [value_text(value) for value in numbers]
    places = [float(str(value)) for value in numbers] if is_number else [float(k) for k in range(len(numbers))]
    hours = {tier: [row.kept_s[tier] / unit.seconds for _, row in counted] for tier in TIERS}
    clips = {tier: [float(row.clips[tier]) for _, row in counted] for tier in TIERS}
    speakers = {tier: [float(row.speakers[tier]) for _, row in counted] for tier in TIERS}
    drawn = {f"{_UNITS[unit.name]} kept": hours, "clips": clips}
    if any(map(any, speakers.values())):
        drawn["speakers"] = speakers
    axes = figure.subplots(1, len(drawn))
    for axis, (title, of) in zip(axes, drawn.items(), strict=True):
        for tier, marker in zip(TIERS, ("o", "s"), strict=True):
            axis.plot(places, of[tier], marker=marker, color=_COLOURS[tier], label=tier)
        now = found.now[0]
        if is_number and isinstance(now, int | float) and min(places) <= now <= max(places):
            axis.axvline(now, color="grey", linestyle=":", label=f"now: {value_text(now)}")
        if not is_number:
            axis.set_xticks(places, labels)
        axis.set_ylim(bottom=0.0)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel(found.names[0])
        axis.grid(visible=True, alpha=0.3)
    axes[0].legend()


def _draw_maps(figure: "Figure", found: WhatIf) -> None:
    """Draw the hours of each tier as a map over the values of the two settings."""
    unit = time_unit(found.raw_s)
    rows, columns = (list(dict.fromkeys(value_text(point.values[place]) for point in found.points)) for place in (0, 1))
    for axis, tier in zip(figure.subplots(1, len(TIERS)), TIERS, strict=True):
        kept = [[math.nan] * len(columns) for _ in rows]
        for point in found.points:
            if point.total is not None:
                row, column = (
                    names.index(value_text(v)) for names, v in zip((rows, columns), point.values, strict=True)
                )
                kept[row][column] = point.total.kept_s[tier] / unit.seconds
        image = axis.imshow(kept, aspect="auto", origin="lower", cmap="viridis", vmin=0.0)
        axis.set_xticks(range(len(columns)), columns)
        axis.set_yticks(range(len(rows)), rows)
        axis.set_xlabel(found.names[1])
        axis.set_ylabel(found.names[0])
        axis.set_title(f"{_UNITS[unit.name]} kept in tier {tier}", fontsize=10)
        figure.colorbar(image, ax=axis)
