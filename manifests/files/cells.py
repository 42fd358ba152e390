"""Cells of tables that name files, place them, or count: checked as the types of `names` and `numbers` demand.

Which columns these are follows from their declarations: ids, names of tars, paths, whole numbers, times, and what a
transcript says.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.compute as pc

from foundation.text import count_text
from manifests.files.label_text import instruction_text, label_text
from manifests.files.names import UnsafeValueError, clip_id, media_name, path_text, video_id
from manifests.files.numbers import LONGEST_S, MOST_BYTES
from manifests.files.transcript import language_code, spoken_text, wrong_words
from manifests.landmarks import SCHEMES
from manifests.rule_record import MOST_RULES, RULE_NAME
from manifests.schema.columns import WORDS, Column, Table
from manifests.vocabulary import LABEL_NAMES, SYNC_OUTCOMES, SYNC_REASONS, TIERS, Split, VideoStatus

__all__ = ["bad_cells", "checked_columns", "require_good_cells", "unknown_words", "word_columns"]

_RULE_NAME = re.compile(RULE_NAME)

_MOST_OUTCOMES = MOST_RULES + 20
"""Of a file; there are fewer than 20 outcomes that are no rules. Statistics have a column for each."""


def _outcome(text: str) -> str:
    """Return `text` if it can be an outcome: a word in the form of a rule's name.

    Raises:
        UnsafeValueError: it cannot.
    """
    if not _RULE_NAME.fullmatch(text):
        raise UnsafeValueError(
            f"{text!a:.60} cannot be an outcome: `kept`, another word of this kind, or a rule's name"
        )
    return text


_TEXTS: Mapping[str, Callable[[str], str]] = {
    "video_id": video_id,
    "clip_id": clip_id,
    "media": media_name,
    "path": path_text,
    "duplicate_of": path_text,
    "duplicate_group": video_id,
    "outcome": _outcome,
    **dict.fromkeys(LABEL_NAMES, label_text),
    "transcript": spoken_text,
    "instruction": instruction_text,
    "transcript_model": spoken_text,
    "language_detected": language_code,
}
"""By the name of a column of texts, the check of each."""

_WORDS: Mapping[str, tuple[str, ...]] = {
    "tier": TIERS,
    "split": get_args(Split),
    "status": get_args(VideoStatus),
    "landmark_scheme": SCHEMES,
    "sync": SYNC_OUTCOMES,
    "sync_reason": SYNC_REASONS,
}
"""By the name of a column, the words that may stand there."""

_SIGNED = ("rotation", "track_id")
"""Whole numbers that count nothing."""

_SHARES = ("language_confidence", "transcript_confidence")
"""Numbers from 0 to 1."""

_LEAST = {"n_frames": 1, "mp4_size": 1, "flac_size": 1, "sound_moved_s": -LONGEST_S}


def checked_columns(table: Table) -> list[str]:
    """Return the names of the columns of a table that `bad_cells` looks into."""
    return [column.name for column in table.columns if _is_checked(column)]


def word_columns(table: Table) -> list[str]:
    """Return the names of the columns of a table that `unknown_words` looks into."""
    return [column.name for column in table.columns if column.name in _WORDS]


def bad_cells(table: Table, rows: pa.Table) -> Iterator[str]:
    """Yield what is wrong in rows of a table, a sentence for each column with a value that it cannot have.

    Args:
        table: the declared table.
        rows: some of its columns; the others are not checked.
    """
    for column in table.columns:
        if column.name in rows.column_names and _is_checked(column):
            values = rows[column.name]
            if values.null_count and not column.nullable:
                yield f"{column.name} is null in {count_text(values.null_count, 'row')}, which it cannot be"
            elif wrong := _wrong(column, values):
                yield f"{column.name}: {wrong}"


def require_good_cells(table: Table, rows: pa.Table, dataset: Path) -> pa.Table:
    """Return rows of a table if nothing is wrong in them.

    Raises:
        UnsafeValueError: a column has a value that it cannot have.
    """
    for wrong in bad_cells(table, rows):
        raise UnsafeValueError(f"{dataset / table.name}: {wrong}; `gaia-curate validate` lists what is wrong")
    return rows


def unknown_words(rows: pa.Table) -> Iterator[str]:
    """Yield a sentence for each column with a word that this version of the software does not know there."""
    for name, known in _WORDS.items():
        if name in rows.column_names:
            for word in pc.unique(rows[name]).to_pylist():
                if word is not None and word not in known:
                    yield f"{name} is {word!a:.100}, and can be {', '.join(known)}"


def _is_checked(column: Column) -> bool:
    if column.type == WORDS:
        return True
    if column.shape or column.name in _SIGNED:
        return False
    return column.name in (*_TEXTS, *_SHARES) or column.unit == "s" or pa.types.is_integer(column.type)


def _wrong(column: Column, values: pa.ChunkedArray) -> str | None:
    if column.type == WORDS:
        return wrong_words(values)
    return _wrong_text(column, values) if column.name in _TEXTS else _wrong_number(column, values)


def _wrong_text(column: Column, values: pa.ChunkedArray) -> str | None:
    check = _TEXTS[column.name]
    texts = pc.unique(values)
    if column.name == "outcome" and len(texts) > _MOST_OUTCOMES:
        return f"there are {len(texts):,} outcomes; a dataset can have {_MOST_OUTCOMES}"
    for value in texts.to_pylist():
        try:
            if value is not None:
                check(value)
        except UnsafeValueError as error:
            return str(error)
    return None


def _wrong_number(column: Column, values: pa.ChunkedArray) -> str | None:
    least = _LEAST.get(column.name, 0)
    most = 1 if column.name in _SHARES else LONGEST_S if column.unit == "s" else MOST_BYTES
    if pa.types.is_floating(column.type) and not pc.all(pc.is_finite(values), min_count=0).as_py():
        return f"a {'share' if column.name in _SHARES else 'time'} is no finite number"
    bounds = pc.min_max(values)
    lowest, highest = bounds["min"].as_py(), bounds["max"].as_py()
    if lowest is None or (least <= lowest and highest <= most):
        return None
    return f"{lowest if lowest < least else highest} is not in the range from {least} to {most}"
