"""A table of results as text for a terminal, and as LaTeX."""

from collections.abc import Sequence

from foundation.text import shown, text_table
from training.comparison.evaluation_table import EvaluationTable, PairedTest, Score, SystemResult
from training.comparison.published_tables import PublishedRow, published_table
from training.comparison.table_columns import COLUMNS, TABLES

__all__ = ["figure_text", "heading_text", "latex_table", "report_text", "shown_columns", "test_cells"]

_TITLES = {
    "reconstruction": "Self-reconstruction (Table 2)",
    "reenactment": "Cross-reenactment (Table 2)",
    "speech": "Speech-driven results (Table 3)",
}


def report_text(table: EvaluationTable) -> str:
    """Return tables of figures, tests and the paper's own figures, what is missing, and notes."""
    columns = shown_columns(table)
    rows = (*table.systems, table.truth)
    parts = [
        f"{_TITLES[table.table]}: {_count(table.truth.n_videos, 'video')}, {_count(len(table.systems), 'system')}",
        *(f"note: {note}" for note in table.notes),
    ]
    if table.landmarks is not None:
        parts.append(f"landmarks of AKD, LMD and MSI: {table.landmarks}")
    for group in _groups(columns):
        parts += [
            "",
            text_table(
                ["system", *(heading_text(column) for column in group), "videos"],
                [[row.system, *(_with_interval(row, column) for column in group), str(row.n_videos)] for row in rows],
                numeric=[False, *([True] * (len(group) + 1))],
            ),
        ]
    parts += ["", "In brackets: 95 % interval over videos. Arrows: which figures are better."]
    if table.tests:
        header = ["systems", "column", "difference", "95 % interval", "p", "p, adjusted", "videos"]
        cells = [test_cells(test) for test in table.tests]
        numeric = [False, False, *([True] * 5)]
        parts += ["", "Differences between systems on the same videos", text_table(header, cells, numeric=numeric)]
    if table.unavailable:
        parts += ["", "Not computed", *_reasons(table)]
    parts += ["", f"As the paper prints it ({published_table(table.table).origin}), of its own videos and landmarks"]
    parts.append(_published(table))
    if table.folder is not None:
        parts += ["", f"{table.folder}: table.json, table.tex, table.html"]
    return shown("\n".join(parts), several_lines=True)


def latex_table(table: EvaluationTable) -> str:
    r"""Return a `tabular` of what was measured, and below it the paper's own figures; it needs `\usepackage{booktabs}`.

    The best figure of the systems is bold, where there are several.
    """
    columns = shown_columns(table)
    headings = [_latex(heading_text(column)) for column in columns]
    published = published_table(table.table)
    origin = f"As the paper prints it ({published.origin}), of its own videos"
    lines = [
        "% \\usepackage{booktabs}; in brackets: 95 % interval over videos",
        f"\\begin{{tabular}}{{l{'r' * len(columns)}}}",
        "\\toprule",
        _latex_row(["System", *headings]),
        "\\midrule",
        *(_latex_row([_latex(row.system), *_latex_cells(table, row, columns)]) for row in table.systems),
        "\\midrule",
        _latex_row(["truth", *_latex_cells(table, table.truth, columns)]),
        "\\midrule",
        f"\\multicolumn{{{len(columns) + 1}}}{{l}}{{{origin}}} \\\\",
        *(
            _latex_row([_latex(row.system), *_published_cells(row, published.columns, columns, "--")])
            for row in published.rows
        ),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def shown_columns(table: EvaluationTable) -> tuple[str, ...]:
    """Return the paper's columns, and those of the others that have a figure."""
    rows = (*table.systems, table.truth)
    further = (column for column in TABLES[table.table].further if any(column in row.scores for row in rows))
    return (*TABLES[table.table].paper, *further)


def heading_text(column: str) -> str:
    """Return the heading of a column, with the arrow.

    >>> heading_text("psnr")
    'PSNR ↑'
    """
    return f"{COLUMNS[column].heading} {COLUMNS[column].arrow}".strip()


def figure_text(value: float, column: str, *, signed: bool = False) -> str:
    """Return a figure with the decimals of its column.

    >>> figure_text(23.94187, "psnr")
    '23.942'
    """
    return f"{value:{'+' if signed else ''}.{COLUMNS[column].decimals}f}"


def test_cells(test: PairedTest) -> list[str]:
    """Return a test as the cells of a row."""
    return [
        f"{test.first} - {test.second}",
        COLUMNS[test.column].heading,
        figure_text(test.difference, test.column, signed=True),
        f"[{figure_text(test.low, test.column, signed=True)}, {figure_text(test.high, test.column, signed=True)}]",
        _p(test.p),
        _p(test.p_adjusted),
        str(test.n_videos),
    ]


def _groups(columns: Sequence[str]) -> list[Sequence[str]]:
    """Return columns in groups that fit on a terminal; the paper's come first."""
    return [columns[first : first + 5] for first in range(0, len(columns), 5)]


def _with_interval(row: SystemResult, column: str) -> str:
    score = row.scores.get(column)
    if score is None:
        return "-"
    return f"{figure_text(score.value, column)}{_interval(score, column)}"


def _interval(score: Score, column: str) -> str:
    if score.low is None or score.high is None:
        return ""
    return f" [{figure_text(score.low, column)}, {figure_text(score.high, column)}]"


def _reasons(table: EvaluationTable) -> list[str]:
    """Return a line for each reason, with the columns that it keeps from being computed."""
    by_reason: dict[str, list[str]] = {}
    for column, reason in table.unavailable.items():
        by_reason.setdefault(reason, []).append(COLUMNS[column].heading)
    return [f"  {', '.join(headings)}: {reason}" for reason, headings in by_reason.items()]


def _published(table: EvaluationTable) -> str:
    published = published_table(table.table)
    header = ["system", *(heading_text(column) for column in published.columns), "table"]
    rows = [
        [row.system, *_published_cells(row, published.columns, published.columns, "-"), str(row.table)]
        for row in published.rows
    ]
    return text_table(header, rows, numeric=[False, *([True] * (len(published.columns) + 1))])


def _published_cells(row: PublishedRow, known: Sequence[str], columns: Sequence[str], absent: str) -> list[str]:
    figures = dict(zip(known, row.figures, strict=True))
    found = ((figures.get(column), column) for column in columns)
    return [absent if figure is None else figure_text(figure, column) for figure, column in found]


def _latex_row(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _latex_cells(table: EvaluationTable, row: SystemResult, columns: Sequence[str]) -> list[str]:
    return [_latex_cell(table, row, column) for column in columns]


def _latex_cell(table: EvaluationTable, row: SystemResult, column: str) -> str:
    score = row.scores.get(column)
    if score is None:
        return "--"
    value = figure_text(score.value, column)
    if len(table.systems) > 1 and row is not table.truth and score.value == _best(table, column):
        value = f"\\textbf{{{value}}}"
    return f"{value}{{\\scriptsize{_interval(score, column)}}}" if score.low is not None else value


def _best(table: EvaluationTable, column: str) -> float | None:
    values = [row.scores[column].value for row in table.systems if column in row.scores]
    return {"higher": max, "lower": min}.get(COLUMNS[column].better, lambda _values: None)(values)


def _latex(text: str) -> str:
    return "".join(_LATEX_ESCAPES.get(character, character) for character in text)


_LATEX_ESCAPES = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "↑": "$\\uparrow$",
    "↓": "$\\downarrow$",
    "|": "$|$",
}


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
