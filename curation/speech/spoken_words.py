"""Words of the tokens that Whisper writes: their letters, their times and their confidence.

Tokens are bytes of UTF-8 in the letters of GPT-2: a byte that cannot be printed stands for another letter, so that
`Ġ` is a space. Times come from the alignment of tokens with the sound, by the attention of the decoder (Whisper's
`timing.py`): a token starts where the alignment first reaches it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from foundation.array_types import BoolArray, Float32Array, Float64Array
from manifests.files.transcript import LONGEST_WORD, Word, cleaned
from manifests.timeline import AUDIO_RATE_HZ, SAMPLES_PER_TICK

__all__ = ["HeardTokens", "spoken", "words_of"]

_SPACE = "Ġ"

_SENTENCE_ENDS = ".?!\u3002\uff1f\uff01"
"""The last three are the full-width ones of Chinese and Japanese."""

_LONGEST_OVER_MEDIAN, _LEAST_LONGEST_S, _MOST_LONGEST_S = 2.0, 0.3, 1.4
"""A word lasts up to twice the median of its stretch, which limits it to 0.3 to 1.4 s. Longer ones contain a pause:
the alignment has no place of its own for silence. Whisper's `timing.py` does likewise."""

_STEP = AUDIO_RATE_HZ // 100

_QUIET_DB, _LOUD_SHARE = 30.0, 95.0
"""Steps of 10 ms are quiet that are so much below those louder than 95 % of the stretch."""

_LEAST_PAUSE = 10
"""Steps, 0.1 s: shorter quiet at the ends of a word belongs to it, as the closure of a plosive does."""

_AROUND = 5
"""Ticks before and after speech on which words count as spoken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeardTokens:
    """T tokens of a stretch of speech, aligned with it."""

    tokens: Sequence[str]
    """As the vocabulary of the model writes them."""
    confidence: Sequence[float]
    """(T,) probability of each, 0 to 1."""
    start_s: Float64Array
    """(T + 1,) seconds from the start of the stretch at which each begins, and at which the last ends."""


def words_of(heard: HeardTokens, audio_16k: Float32Array, *, spaced: bool) -> list[Word]:
    """Return the words of tokens, in order.

    Args:
        heard: the tokens.
        audio_16k: (S,) samples of the stretch, by which pauses are told.
        spaced: whether the language puts spaces between words; else every character is a word.
    """
    words, quiet = [], _quiet(audio_16k)
    for first, end in _divided(heard.tokens, spaced=spaced):
        text = cleaned(_text(heard.tokens[first:end]))[
            :LONGEST_WORD
        ].rstrip()  # a network that fails may write no space
        if not text:
            continue
        # punctuation is not spoken: the time of a point is that of the pause after the word
        said = [number for number in range(first, end) if _is_said(_text(heard.tokens[number : number + 1]))]
        last = said[-1] + 1 if said else end
        start_s, end_s = float(heard.start_s[first]), float(heard.start_s[last])
        confidence = float(np.mean(heard.confidence[first:end]))
        start_s, end_s = _trimmed(start_s, max(start_s, end_s), quiet)
        words.append(Word(text, start_s, end_s, min(1.0, max(0.0, confidence))))
    return _without_pauses(words)


def spoken(words: Sequence[Word], is_speech: BoolArray) -> list[Word]:
    """Return the words that touch a tick with speech, or one of the five before or after it.

    Args:
        words: of a clip.
        is_speech: (N,) whether there is speech on each tick of the clip.

    >>> spoken([Word("yes", 0.0, 0.2, 1.0), Word("no", 0.8, 1.0, 1.0)], np.arange(25) < 5)
    [Word(word='yes', start_s=0.0, end_s=0.2, confidence=1.0)]
    """
    near = np.convolve(is_speech, np.ones(2 * _AROUND + 1), mode="full")[_AROUND : _AROUND + len(is_speech)] > 0
    tick_s = SAMPLES_PER_TICK / AUDIO_RATE_HZ
    return [word for word in words if near[int(word.start_s / tick_s) : int(word.end_s / tick_s) + 1].any()]


def _quiet(audio_16k: Float32Array) -> BoolArray:
    """Return whether each 10 ms are quiet."""
    steps = audio_16k[: audio_16k.size // _STEP * _STEP].astype(np.float64).reshape(-1, _STEP)
    power = np.square(steps).mean(axis=1)
    loud = float(np.percentile(power, _LOUD_SHARE)) if power.size else 0.0
    is_quiet: BoolArray = power < loud * 10 ** (-_QUIET_DB / 10)
    return is_quiet


def _trimmed(start_s: float, end_s: float, quiet: BoolArray) -> tuple[float, float]:
    """Return the ends of a word without pauses that the alignment counts to it; a word all in quiet stays."""
    per_s = AUDIO_RATE_HZ // _STEP
    first = round(start_s * per_s)
    loud = np.flatnonzero(~quiet[first : round(end_s * per_s)])
    if not loud.size:
        return start_s, end_s
    before, after = int(loud[0]), round(end_s * per_s) - first - int(loud[-1]) - 1
    return (
        start_s + (before / per_s if before >= _LEAST_PAUSE else 0.0),
        end_s - (after / per_s if after >= _LEAST_PAUSE else 0.0),
    )


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
    limited: list[Word] = []
    for word in words:
        start_s, end_s = word.start_s, word.end_s
        if end_s - start_s > longest_s:
            # silence at the start of a sentence lies before its first word, else after a word
            if not limited or limited[-1].word[-1] in _SENTENCE_ENDS:
                start_s = end_s - longest_s
            else:
                end_s = start_s + longest_s
        limited.append(Word(word.word, start_s, end_s, word.confidence))
    return limited


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
