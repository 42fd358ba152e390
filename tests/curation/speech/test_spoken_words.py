"""Words of tokens that are written down here, at times that are written down here."""

from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest

from curation.speech.spoken_words import HeardTokens, spoken, words_of
from foundation.array_types import Float32Array
from manifests.files.transcript import Word, wrong_words
from manifests.schema.columns import WORDS

RATE = 16_000


def loud(*pauses_s: tuple[float, float], duration_s: float = 4.0) -> Float32Array:
    sound = 0.1 * np.random.default_rng(3).standard_normal(round(duration_s * RATE))
    for start_s, end_s in pauses_s:
        sound[round(start_s * RATE) : round(end_s * RATE)] *= 1e-3
    return sound.astype(np.float32)


def heard(tokens: list[str], start_s: list[float], confidence: list[float] | None = None) -> HeardTokens:
    return HeardTokens(tokens=tokens, confidence=confidence or [1.0] * len(tokens), start_s=np.array(start_s))


def test_tokens_without_a_space_belong_to_the_word_before() -> None:
    tokens = heard(["ĠPol", "itic", "ians", "Ġsay", ",", "Ġno", "."], [0, 0.2, 0.3, 0.5, 0.8, 0.9, 1.2, 1.5])
    words = words_of(tokens, loud(), spaced=True)
    assert [(word.word, word.start_s, word.end_s) for word in words] == [
        ("Politicians", 0.0, 0.5),
        ("say,", 0.5, 0.8),  # the comma is not spoken
        ("no.", 0.9, 1.2),
    ]


def test_confidence_is_the_mean_of_the_parts() -> None:
    words = words_of(heard(["Ġa", "b", "Ġc"], [0, 0.1, 0.2, 0.3], [0.5, 0.7, 0.25]), loud(), spaced=True)
    assert [word.confidence for word in words] == [pytest.approx(0.6), 0.25]


def test_letters_of_other_languages_are_put_together_from_their_bytes() -> None:
    # UTF-8 in GPT-2's letters: é is C3 A9, written Ã ©; 你 is E4 BD A0, of which A0 is written ł (U+0100 + 0x42)
    words = words_of(heard(["Ġcaf", "Ã", "©"], [0, 0.2, 0.3, 0.4]), loud(), spaced=True)
    assert [word.word for word in words] == ["café"]
    chinese = words_of(heard(["ä½", "ł", "å¥½"], [0, 0.1, 0.2, 0.4]), loud(), spaced=False)
    assert [(word.word, word.start_s, word.end_s) for word in chinese] == [("你", 0.0, 0.2), ("好", 0.2, 0.4)]


def test_bytes_that_are_no_character_and_controls_are_left_out() -> None:
    words = words_of(heard(["Ġgo", "Ã", "Ġ", "ĉ"], [0, 0.2, 0.3, 0.4, 0.5]), loud(), spaced=True)
    assert [word.word for word in words] == ["go"]
    assert words_of(heard([], [0.0]), loud(), spaced=True) == []


def test_a_pause_that_the_alignment_counts_to_a_word_is_not_part_of_it() -> None:
    tokens = heard(["Ġattack", "Ġby", "Ġpoliticians"], [0.0, 1.0, 1.8, 2.4])
    attack, by, politicians = words_of(tokens, loud((0.7, 1.5), (1.9, 1.95)), spaced=True)
    assert attack.end_s == pytest.approx(0.7, abs=0.011)
    assert by.start_s == pytest.approx(1.5, abs=0.011)
    assert (by.end_s, politicians.start_s) == (1.8, 1.8)  # 0.05 s of quiet belong to the word


def test_a_pause_in_noise_makes_no_word_last_long() -> None:
    noisy = loud(duration_s=9.0)
    tokens = heard([*(["Ġone"] * 4), "Ġend", ".", "ĠNext"], [0, 0.3, 0.6, 0.9, 1.2, 4.0, 4.0, 8.0])
    words = words_of(tokens, noisy, spaced=True)
    # the median is 0.3 s, so no word has more than 0.6 s
    assert [words[4].start_s, words[4].end_s] == pytest.approx([1.2, 1.8])
    assert [words[5].start_s, words[5].end_s] == pytest.approx([7.4, 8.0])  # a sentence starts after the pause


def test_words_are_spoken_only_where_there_is_speech_or_beside_it() -> None:
    is_speech = np.zeros(100, dtype=np.bool_)
    is_speech[50:60] = True  # 2.0 to 2.4 s
    words = [Word(str(start), start, start + 0.1, 1.0) for start in (0.0, 1.6, 1.75, 2.1, 2.55, 2.65, 3.95)]
    assert [word.word for word in spoken(words, is_speech)] == ["1.75", "2.1", "2.55"]
    assert spoken(words, np.zeros(100, dtype=np.bool_)) == []


def test_a_word_of_a_network_that_writes_no_space_can_still_be_read_from_a_dataset() -> None:
    (word,) = words_of(heard(["Ġ" + "a" * 900, "a" * 900], [0, 0.2, 0.4]), loud(), spaced=True)
    assert wrong_words(pa.chunked_array([[[asdict(word)]]], WORDS)) is None
    assert word.word == "a" * 1000
