"""The page of an evaluation: the table, tests, and pictures of truth and results beside each other, in one file."""

import base64
import io
from collections.abc import Sequence

import numpy as np

from foundation.array_types import RgbImage
from foundation.html_page import html_page, page_part
from training.comparison.evaluation_table import EvaluationTable, SystemResult
from training.comparison.measured_outputs import ShownVideo
from training.comparison.published_tables import published_table
from training.comparison.result_text import figure_text, heading_text, shown_columns, test_cells
from training.comparison.table_columns import COLUMNS, TABLES
from training.comparison.tick_frames import ResultVideo, UnreadableVideoError, chunks

__all__ = ["result_page"]

_PACKAGE = "training.comparison"

_SHOWN_WIDTH_PX = 224

_N_PICTURES = 4
"""Pictures of a video."""

_SHOWN_TICKS = 250
"""Pictures are of the first 10 s, so that long videos need not be decoded to their ends."""

_QUALITY = 85


def result_page(table: EvaluationTable, shown: Sequence[ShownVideo]) -> str:
    """Return the page as HTML; nothing in it is loaded from elsewhere.

    Args:
        table: what was measured.
        shown: videos of which it shows pictures; one that cannot be decoded any more is left out.
    """
    columns = shown_columns(table)
    published = published_table(table.table)
    data = {
        "table": table.table,
        "columns": [
            {"key": column, "heading": heading_text(column), "paper": column in TABLES[table.table].paper}
            for column in columns
        ],
        "rows": [_row(row, columns) for row in table.systems],
        "truth": _row(table.truth, columns),
        "best": {column: best for column in columns if (best := _best(table, column)) is not None},
        "unavailable": [
            {"column": COLUMNS[column].heading, "reason": reason} for column, reason in table.unavailable.items()
        ],
        "tests": [test_cells(test) for test in table.tests],
        "notes": table.notes,
        "landmarks": table.landmarks,
        "origin": published.origin,
        "published": {
            "columns": [heading_text(column) for column in published.columns],
            "rows": [
                {
                    "system": row.system,
                    "table": row.table,
                    "figures": [
                        None if figure is None else figure_text(figure, column)
                        for figure, column in zip(row.figures, published.columns, strict=True)
                    ],
                }
                for row in published.rows
            ],
        },
        "videos": [pictures for one in shown if (pictures := _pictures(one)) is not None],
    }
    script = "\n".join([page_part("foundation", "elements.js"), page_part(_PACKAGE, "results.js")])
    return html_page(
        page_part(_PACKAGE, "results.html"),
        title="Results of talking avatars",
        style=page_part(_PACKAGE, "results.css"),
        data=data,
        scripts={"script": script},
    )


def _row(row: SystemResult, columns: Sequence[str]) -> dict[str, object]:
    cells = {}
    for column in columns:
        score = row.scores.get(column)
        if score is None:
            continue
        ends = [None if end is None else figure_text(end, column) for end in (score.low, score.high)]
        cells[column] = {"value": figure_text(score.value, column), "interval": ends if None not in ends else None}
    return {"system": row.system, "videos": row.n_videos, "frames": row.n_frames, "cells": cells}


def _best(table: EvaluationTable, column: str) -> str | None:
    """Return the best figure of several systems as it is printed."""
    choose = {"higher": max, "lower": min}.get(COLUMNS[column].better)
    values = [row.scores[column].value for row in table.systems if column in row.scores]
    return figure_text(choose(values), column) if choose is not None and len(values) > 1 else None


def _pictures(shown: ShownVideo) -> dict[str, object] | None:
    n_ticks = min(shown.n_ticks, _SHOWN_TICKS)
    ticks = sorted({round((number + 0.5) * n_ticks / _N_PICTURES - 0.5) for number in range(_N_PICTURES)})
    width_px = min(_SHOWN_WIDTH_PX, shown.truth.width_px)
    height_px = max(1, round(shown.truth.height_px * width_px / shown.truth.width_px))
    try:
        strips = [
            {"system": name, "pictures": [_jpeg(one) for one in _at(video, ticks, width_px, height_px)]}
            for name, video in (("truth", shown.truth), *shown.results.items())
        ]
    except UnreadableVideoError:
        return None
    return {
        "name": shown.name,
        "times": [f"{tick / 25:.2f} s" for tick in ticks],
        "width": width_px,
        "height": height_px,
        "strips": strips,
    }


def _at(video: ResultVideo, ticks: Sequence[int], width_px: int, height_px: int) -> list[RgbImage]:
    """Return the pictures of ticks in ascending order, as far as the video goes."""
    found: list[RgbImage] = []
    first = 0
    for pictures in chunks(video, width_px, height_px):
        found += [pictures[tick - first] for tick in ticks if first <= tick < first + len(pictures)]
        first += len(pictures)
        if first > ticks[-1]:
            break
    return found


def _jpeg(picture: RgbImage) -> str:
    """Return the address of a picture that holds it."""
    from PIL import Image

    content = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.save(content, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"
