"""Words of the tokens that Whisper writes: their letters, their times and their confidence.

Tokens are bytes of UTF-8 in the letters of GPT-2: a byte that cannot be printed stands for another letter, so that
`Ġ` is a space. Times come from the alignment of tokens with the sound, by the attention of the decoder (Whisper's
`timing.py`): a token starts where the alignment first reaches it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from foundation.array_types import Float64Array
from manifests.transcript import Word, cleaned

__all__ = ["HeardTokens", "words_of"]

_SPACE = "Ġ"

_SENTENCE_ENDS = ".?!。？！"

_LONGEST_OVER_MEDIAN, _LEAST_LONGEST_S, _MOST_LONGEST_S = 2.0, 0.3, 1.4
"""A word lasts up to twice the median of its stretch, which limits it to 0.3 to 1.4 s. Longer ones contain a pause:
the alignment has no place of its own for silence. Whisper's `timing.py` does likewise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeardTokens:
    """T tokens of a stretch of speech, aligned with it."""

    tokens: Sequence[str]
    """As the vocabulary of the model writes them."""
    confidence: Sequence[float]
    """(T,) probability of each, 0 to 1."""
    start_s: Float64Array
    """(T + 1,) seconds from the start of the stretch at which each begins, and at which the last ends."""


def words_of(heard: HeardTokens, *, spaced: bool) -> list[Word]:
    """Return the words of tokens, in order.

    Args:
        heard: the tokens.
        spaced: whether the language puts spaces between words; else every character is a word.
    """
    words = []
    for first, end in _divided(heard.tokens, spaced=spaced):
        text = cleaned(_text(heard.tokens[first:end]))
        if not text:
            continue
        # punctuation is not spoken: the time of a point is that of the pause after the word
        said = [number for number in range(first, end) if _is_said(_text(heard.tokens[number : number + 1]))]
        last = said[-1] + 1 if said else end
        start_s, end_s = float(heard.start_s[first]), float(heard.start_s[last])
        confidence = float(np.mean(heard.confidence[first:end]))
        words.append(Word(text, start_s, max(start_s, end_s), min(1.0, max(0.0, confidence))))
    return _without_pauses(words)


def _divided(tokens: Sequence[str], *, spaced: bool) -> Iterator[tuple[int, int]]:
    """Yield the first token and the end of each word."""
    first = 0
    for number in range(1, len(tokens) + 1):
        if number == len(tokens):
            yield first, number
        elif tokens[number].startswith(_SPACE) if spaced else _is_whole(tokens[first:number]):
            yield first, number
            first = number


def _without_pauses(words: Sequence[Word]) -> list[Word]:
    """Return words without the silence before or after them that the alignment gave them."""
    if not words:
        return []
    median_s = float(np.median([word.end_s - word.start_s for word in words]))
    longest_s = min(max(_LONGEST_OVER_MEDIAN * median_s, _LEAST_LONGEST_S), _MOST_LONGEST_S)
    spoken: list[Word] = []
    for word in words:
        start_s, end_s = word.start_s, word.end_s
        if end_s - start_s > longest_s:
            # silence at the start of a sentence lies before its first word, else after a word
            if not spoken or spoken[-1].word[-1] in _SENTENCE_ENDS:
                start_s = end_s - longest_s
            else:
                end_s = start_s + longest_s
        spoken.append(Word(word.word, start_s, end_s, word.confidence))
    return spoken


def _text(tokens: Sequence[str]) -> str:
    """Return the text of tokens; bytes that are no whole character are left out."""
    return _bytes(tokens).decode("utf-8", errors="ignore")


def _is_whole(tokens: Sequence[str]) -> bool:
    try:
        _bytes(tokens).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_said(text: str) -> bool:
    return not text or any(character.isalnum() for character in text)


def _bytes(tokens: Sequence[str]) -> bytes:
    letters = _byte_of_letter()
    return bytes(letters[letter] for letter in "".join(tokens) if letter in letters)


@cache
def _byte_of_letter() -> dict[str, int]:
    """Return GPT-2's letters of bytes: 188 of Latin-1 stand for themselves, the others are those from U+0100 on."""
    own = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {chr(256 + number): byte for number, byte in enumerate(others)}
