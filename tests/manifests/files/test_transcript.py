"""What may stand in the columns of a transcript, wherever the rows come from."""

import math
from typing import Any

import pyarrow as pa
import pytest

from manifests.errors import DatasetError
from manifests.files.cells import bad_cells, checked_columns
from manifests.files.names import UnsafeValueError
from manifests.files.transcript import MOST_CHARACTERS, MOST_WORDS, Transcript, Word, cleaned
from manifests.schema.clips import CLIPS, TRANSCRIPT_COLUMNS

GOOD = {"word": "good", "start_s": 0.2, "end_s": 0.5, "confidence": 0.9}

TOLD = Transcript(
    words=(Word("Guten", 0.1, 0.5, 0.75), Word("Tag.", 0.5, 1.0, 0.5)),
    text="Guten Tag.",
    model="small",
    language="de",
    language_confidence=0.5,
)


def rows(**cells: object) -> pa.Table:
    row: dict[str, Any] = TOLD.row() | cells
    return pa.table({name: pa.array([row[name]], CLIPS.column(name).type) for name in TRANSCRIPT_COLUMNS})


def test_a_transcript_is_read_as_it_was_written() -> None:
    (row,) = rows().to_pylist()
    assert Transcript.of_row(row) == TOLD
    assert row["transcript_confidence"] == 0.625
    assert list(bad_cells(CLIPS, rows())) == []
    assert set(TRANSCRIPT_COLUMNS) <= set(checked_columns(CLIPS))


def test_nothing_said_differs_from_nothing_written_down() -> None:
    silent = Transcript(words=(), text="", model="small", language="de", language_confidence=0.5)
    (row,) = pa.Table.from_pylist([silent.row()]).to_pylist()
    assert Transcript.of_row(row) == silent
    assert silent.confidence is None
    assert Transcript.of_row(dict.fromkeys(TRANSCRIPT_COLUMNS)) is None
    assert list(bad_cells(CLIPS, rows(**dict.fromkeys(TRANSCRIPT_COLUMNS)))) == []


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"words": [GOOD | {"end_s": 0.1}]}, "a word ends before it starts"),
        ({"words": [GOOD | {"start_s": -0.1}]}, "a time of a word is not in the range"),
        ({"words": [GOOD | {"end_s": 600.1}]}, "a time of a word is not in the range"),
        ({"words": [GOOD | {"end_s": math.inf}]}, "a time of a word is not in the range"),
        ({"words": [GOOD | {"start_s": math.nan}]}, "a time of a word is not in the range"),
        ({"words": [GOOD | {"confidence": 1.5}]}, "confidence of a word is not in the range"),
        ({"words": [GOOD | {"word": None}]}, "word of a word is null"),
        ({"words": [GOOD, None]}, "a word is null"),
        ({"words": [GOOD | {"word": ""}]}, "'' cannot be a word"),
        ({"words": [GOOD | {"word": "a\x1b[31m"}]}, "cannot be a word"),
        ({"words": [GOOD | {"word": "w" * 1_001}]}, "a word has 1,001 characters"),
        ({"words": [GOOD] * (MOST_WORDS + 1)}, "20,001 words in a clip; it can have 20,000"),
        ({"transcript": "a" * (MOST_CHARACTERS + 1)}, "cannot be a transcript"),
        ({"transcript": "a\nb"}, "cannot be a transcript"),
        ({"transcript": "a\u202eb"}, "cannot be a transcript"),
        ({"transcript_model": "a\x00"}, "cannot be a transcript"),
        ({"language_detected": "<|en|>"}, "cannot be the code of a language"),
        ({"language_detected": "e" * 9_999}, "cannot be the code of a language"),
        ({"language_confidence": 2.0}, "2.0 is not in the range from 0 to 1"),
        ({"language_confidence": math.nan}, "a share is no finite number"),
        ({"transcript_confidence": -0.5}, "-0.5 is not in the range from 0 to 1"),
    ],
)
def test_what_no_transcript_can_say_is_refused(cells: dict[str, object], said: str) -> None:
    (wrong,) = bad_cells(CLIPS, rows(**cells))
    assert said in wrong
    assert len(wrong) < 300
    if "transcript_confidence" not in cells:  # which is read from the words
        with pytest.raises(DatasetError):
            Transcript.of_row(rows(**cells).to_pylist()[0])


def test_a_column_of_another_type_is_no_column_of_words() -> None:
    with pytest.raises((pa.ArrowException, UnsafeValueError)):
        Transcript.of_row(TOLD.row() | {"words": "many"})


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("  Good \n morning\x00. ", "Good morning."),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u200c\u062e\u0648"),  # a joiner belongs to the Persian word
        ("a\u202eb\u2028c", "ab c"),
        ("\ud800", ""),
    ],
)
def test_text_is_cleaned_of_what_cannot_be_written(text: str, kept: str) -> None:
    assert cleaned(text) == kept
