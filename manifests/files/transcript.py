"""What was said in a clip: words with their times, and what may stand in the columns about it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from manifests.files.names import UnsafeValueError
from manifests.limits import MAX_CLIP_S
from manifests.schema.columns import WORDS

__all__ = [
    "LONGEST_WORD",
    "MOST_CHARACTERS",
    "MOST_WORDS",
    "Transcript",
    "Word",
    "cleaned",
    "language_code",
    "spoken_text",
    "wrong_words",
]

MOST_WORDS = 20_000
"""Most words of a clip: 33 a second in the longest one."""

MOST_CHARACTERS = 200_000
"""Longest transcript."""

LONGEST_WORD = 1_000
"""Most characters of a word."""

_JOINERS = "\u200c\u200d"
"""Characters that belong to words of Persian, Hindi and other languages, though they cannot be printed."""


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word, with the punctuation at its ends."""

    word: str
    """As it is written."""
    start_s: float
    """Seconds after the start of the clip."""
    end_s: float
    """Its end; at least `start_s`."""
    confidence: float
    """Mean probability of its parts, 0 to 1, by the network that heard it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transcript:
    """What was said in a clip."""

    words: tuple[Word, ...]
    """In order of time; none where no speech was heard."""
    text: str
    """The words, as the language writes them: with spaces between them or without."""
    model: str
    """Network that heard it."""
    language: str | None
    """Code of the language that was heard, such as `en`; None by a network that knows one language only."""
    language_confidence: float | None
    """Its probability, 0 to 1."""

    @property
    def confidence(self) -> float | None:
        """Mean confidence of the words; None without any."""
        return sum(word.confidence for word in self.words) / len(self.words) if self.words else None

    def row(self) -> dict[str, Any]:
        """Return its columns of a row of `clips`."""
        return {
            "transcript": self.text,
            "words": [asdict(word) for word in self.words],
            "language_detected": self.language,
            "language_confidence": self.language_confidence,
            "transcript_confidence": self.confidence,
            "transcript_model": self.model,
        }

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "Transcript | None":
        """Return the transcript in a row of `clips`; None where it has none.

        Raises:
            UnsafeValueError: the row states what no transcript can.
        """
        if row["transcript"] is None:
            return None
        if (wrong := wrong_words(pa.chunked_array([[row["words"]]], WORDS))) is not None:
            raise UnsafeValueError(wrong)
        code, confidence = row["language_detected"], row["language_confidence"]
        if confidence is not None and not 0 <= confidence <= 1:
            raise UnsafeValueError(f"language_confidence is {confidence}, which is not in the range from 0 to 1")
        return cls(
            words=tuple(Word(**word) for word in row["words"] or ()),
            text=spoken_text(row["transcript"]),
            model=spoken_text(row["transcript_model"] or ""),
            language=None if code is None else language_code(code),
            language_confidence=confidence,
        )


def cleaned(text: str) -> str:
    r"""Return a text without what cannot stand in a transcript, and with single spaces.

    >>> cleaned("  Good\n morning\x00. ")
    'Good morning.'
    """
    return "".join(character for character in " ".join(text.split()) if _is_written(character))


def spoken_text(text: str) -> str:
    """Return `text` if it can be a transcript: up to 200,000 characters that can be written, no space at an end.

    Raises:
        UnsafeValueError: it cannot.

    >>> spoken_text("Good morning.")
    'Good morning.'
    """
    if len(text) > MOST_CHARACTERS or cleaned(text) != text:
        shown = f"{text!a}" if len(text) <= 60 else f"{text[:60]!a}... ({len(text):,} characters)"
        raise UnsafeValueError(
            f"{shown} cannot be a transcript, which has up to {MOST_CHARACTERS:,} characters, none of them for control"
        )
    return text


def language_code(text: str) -> str:
    """Return `text` if it can be the code of a language: two or three small letters.

    Raises:
        UnsafeValueError: it cannot.
    """
    if not (2 <= len(text) <= 3 and text.isascii() and text.isalpha() and text.islower()):
        raise UnsafeValueError(f"{text!a:.60} cannot be the code of a language, which has two or three small letters")
    return text


def wrong_words(column: pa.ChunkedArray) -> str | None:
    """Return what is wrong in a column of words, in a sentence; None if nothing is.

    Args:
        column: of the type `WORDS`.
    """
    lengths = pc.max(pc.list_value_length(column)).as_py()
    if lengths is not None and lengths > MOST_WORDS:
        return f"{lengths:,} words in a clip; it can have {MOST_WORDS:,}"
    words = pc.list_flatten(column)
    fields = {name: pc.struct_field(words, name) for name in ("word", "start_s", "end_s", "confidence")}
    if null := [name for name, values in fields.items() if values.null_count]:
        return f"{null[0]} of a word is null"
    if not len(words):
        return None
    if _beyond(fields["confidence"], 1.0):
        return "confidence of a word is not in the range from 0 to 1"
    return _wrong_times(fields["start_s"], fields["end_s"]) or _wrong_texts(fields["word"])


def _wrong_times(starts_s: pa.ChunkedArray, ends_s: pa.ChunkedArray) -> str | None:
    if _beyond(starts_s, MAX_CLIP_S) or _beyond(ends_s, MAX_CLIP_S):
        return f"a time of a word is not in the range from 0 to {MAX_CLIP_S:g} s"
    return "a word ends before it starts" if pc.any(pc.less(ends_s, starts_s)).as_py() else None


def _wrong_texts(texts: pa.ChunkedArray) -> str | None:
    longest = pc.max(pc.utf8_length(texts)).as_py()
    if longest > LONGEST_WORD:
        return f"a word has {longest:,} characters; it can have {LONGEST_WORD:,}"
    wrong: Sequence[str] = [text for text in pc.unique(texts).to_pylist() if not text or cleaned(text) != text]
    return f"{wrong[0]!a:.60} cannot be a word" if wrong else None


def _beyond(numbers: pa.ChunkedArray, most: float) -> bool:
    """Return whether a number is not finite, or not from 0 to `most`."""
    good = pc.and_(pc.greater_equal(numbers, 0), pc.less_equal(numbers, most))  # false for NaN
    return not pc.all(good).as_py()


def _is_written(character: str) -> bool:
    return character.isprintable() or character in _JOINERS
