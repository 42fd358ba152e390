"""Transcripts by Whisper (Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022).

A model is a folder in the format of CTranslate2, as the `Systran/faster-whisper-*` models are: `model.bin`,
`config.json` and the vocabulary, `vocabulary.txt` or `vocabulary.json`. Speech is heard in stretches of at most 30 s,
each by itself, and tokens are found by beam search without chance, so that the same samples give the same words.

A network for English alone hears English in every language, and tells no language.
"""

import json
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from curation.speech.cards import TranscriberCard
from curation.speech.quiet_borders import LONGEST_STRETCH, divided_at_pauses
from curation.speech.settings import SpeechSettings
from curation.speech.spoken_words import HeardTokens, spoken, words_of
from curation.speech.whisper import HOP, log_mel, whisper_model
from foundation.array_types import BoolArray, Float32Array, Float64Array
from foundation.errors import CannotStartError
from foundation.weights import asset_path, path_digest
from manifests.files.transcript import Transcript, Word, cleaned
from manifests.record import WeightRecord
from manifests.timeline import AUDIO_RATE_HZ

if TYPE_CHECKING:
    from ctranslate2 import StorageView

__all__ = ["FOLDER_WORDS", "WHISPER_TINY_WORDS", "TranscriptModelError", "WhisperTranscriber"]

_BEAMS = 5

_NO_SPEECH, _LIKELY, _UNLIKELY = 0.6, -0.5, -1.0
"""A stretch is silent whose tokens have a mean log-probability below the third; with a probability of no speech above
the first, already below the second. Whisper takes -1 for the second, too: pure silence is "you" then, of -0.76; and
below -1 it tries again, by chance. English speech has -0.06 to -0.35; other languages and music, heard as English, -0.8
to -1.6."""

_LOOPING = 2.4
"""Ratio of a text's bytes to those of it compressed above which it repeats itself. Whisper's own."""

_FRAME_S = 0.02
"""Time from one frame of the encoder to the next."""

_UNSPACED = frozenset(("zh", "ja", "th", "lo", "my", "yue"))
"""Languages that put no spaces between words."""

_VOCABULARIES = ("vocabulary.json", "vocabulary.txt")


class TranscriptModelError(CannotStartError):
    """The folder that `speech.transcript` names is not a model that can hear words."""


class _Heard(NamedTuple):
    tokens: list[str]
    ids: list[int]


class WhisperTranscriber:
    """Hears words with a model of Whisper."""

    def __init__(self, name: str, folder: Path) -> None:
        """Load the weights for one thread of the processor; models of one process share them.

        Args:
            name: stands in the manifest as `transcript_model`.
            folder: the model.

        Raises:
            TranscriptModelError: it is not there, or is no model of Whisper.
        """
        require_model(folder)
        self.name = name
        try:
            self._model = whisper_model(folder)
        except RuntimeError as error:
            raise TranscriptModelError(f"speech.transcript: {folder} is no model of Whisper: {error}") from error
        self._id_of = {token: number for number, token in enumerate(_vocabulary(folder))}
        if "<|endoftext|>" not in self._id_of or "<|startoftranscript|>" not in self._id_of:
            raise TranscriptModelError(f"speech.transcript: the vocabulary in {folder} is not that of Whisper")

    def __call__(self, audio_16k: Float32Array, is_speech: BoolArray) -> Transcript:
        """Return what is said in (S,) samples of 16 kHz mono, on ticks with speech and beside them."""
        stretches = divided_at_pauses(audio_16k)
        encoded = [self._encoded(audio_16k[first:end]) for first, end in stretches]
        language, language_confidence = self._language(encoded) if self._model.is_multilingual else (None, None)
        spaced = language not in _UNSPACED
        words: list[Word] = []
        for (first, end), sound in zip(stretches, encoded, strict=True):
            start_s = first / AUDIO_RATE_HZ
            words += [
                Word(word.word, _time(start_s + word.start_s), _time(start_s + word.end_s), round(word.confidence, 4))
                for word in self._words(sound, audio_16k[first:end], language, spaced=spaced)
            ]
        words = spoken(words, is_speech)
        return Transcript(
            words=tuple(words),
            text=cleaned((" " if spaced else "").join(word.word for word in words)),
            model=self.name,
            language=language,
            language_confidence=language_confidence,
        )

    def _encoded(self, audio_16k: Float32Array) -> "StorageView":
        from ctranslate2 import StorageView

        window = np.zeros(LONGEST_STRETCH, dtype=np.float32)
        window[: audio_16k.size] = audio_16k
        mel = log_mel(window, self._model.n_mels)
        return self._model.encode(StorageView.from_array(np.ascontiguousarray(mel[np.newaxis])))

    def _language(self, encoded: Sequence["StorageView"]) -> tuple[str, float]:
        """Return the language that is most probable over all stretches, and its mean probability."""
        probabilities: Counter[str] = Counter()
        for sound in encoded:
            for token, probability in self._model.detect_language(sound)[0]:
                probabilities[token.strip("<|>")] += probability
        language, total = max(sorted(probabilities.items()), key=lambda item: item[1])
        return language, round(min(1.0, total / len(encoded)), 4)

    def _words(
        self, sound: "StorageView", audio_16k: Float32Array, language: str | None, *, spaced: bool
    ) -> list[Word]:
        """Return the words of a stretch, given its encoded and its plain samples."""
        start = ["<|startoftranscript|>"]
        if language is not None:
            start += [f"<|{language}|>", "<|transcribe|>"]
        heard = self._heard(sound, start)
        n_frames = audio_16k.size // HOP
        if heard is None or not heard.ids or not n_frames:
            return []
        (aligned,) = self._model.align(sound, [self._id_of[token] for token in start], [heard.ids], n_frames)
        tokens = HeardTokens(
            tokens=heard.tokens,
            confidence=list(aligned.text_token_probs),
            start_s=np.minimum(_starts_s(aligned.alignments, len(heard.ids)), audio_16k.size / AUDIO_RATE_HZ),
        )
        return words_of(tokens, audio_16k, spaced=spaced)

    def _heard(self, sound: "StorageView", start: Sequence[str]) -> _Heard | None:
        """Return the tokens of a stretch; None where nothing is said."""
        found = self._found(sound, start)
        if found.scores[0] < (_LIKELY if found.no_speech_prob > _NO_SPEECH else _UNLIKELY):
            return None
        if _repeats(found.sequences[0]):
            found = self._found(sound, start, no_repeat_ngram_size=3)
        end = self._id_of["<|endoftext|>"]  # all later ones are signs and times
        kept = [(token, number) for token, number in zip(found.sequences[0], found.sequences_ids[0], strict=True)]
        kept = [(token, number) for token, number in kept if number < end]
        return _Heard([token for token, _ in kept], [number for _, number in kept])

    def _found(self, sound: "StorageView", start: Sequence[str], **options: int) -> Any:  # noqa: ANN401 - CTranslate2 has no types
        prompt = [*start, "<|notimestamps|>"]
        (found,) = self._model.generate(
            sound, [prompt], beam_size=_BEAMS, return_scores=True, return_no_speech_prob=True, **options
        )
        return found


def require_model(folder: Path) -> None:
    """Check that a folder has the files of a model.

    Raises:
        TranscriptModelError: it is not there, or lacks some.
    """
    missing = [name for name in ("model.bin", "config.json") if not (folder / name).is_file()]
    missing += [] if any((folder / name).is_file() for name in _VOCABULARIES) else [" or ".join(_VOCABULARIES)]
    if missing:
        raise TranscriptModelError(
            f"speech.transcript is {str(folder)!r}, which has no {' and no '.join(missing)}; write none, "
            "whisper-tiny.en, or a folder with a model of Whisper for CTranslate2"
        )


def _vocabulary(folder: Path) -> list[str]:
    try:
        if (listed := folder / _VOCABULARIES[0]).is_file():
            tokens = json.loads(listed.read_text(encoding="utf-8"))
            return [str(token) for token in tokens]
        return (folder / _VOCABULARIES[1]).read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError, TypeError) as error:
        raise TranscriptModelError(f"speech.transcript: the vocabulary in {folder} cannot be read: {error}") from error


def _starts_s(alignments: Sequence[tuple[int, int]], n_tokens: int) -> Float64Array:
    """Return (T + 1,) the time at which an alignment of tokens and frames first reaches each token, and the end."""
    tokens, frames = np.array(alignments, dtype=np.int64).reshape(-1, 2).T
    first = np.minimum(np.searchsorted(tokens, np.arange(n_tokens + 1)), len(frames) - 1)
    return np.asarray(frames[first] * _FRAME_S)


def _repeats(tokens: Sequence[str]) -> bool:
    text = "".join(tokens).encode()
    return len(text) > _LOOPING * len(zlib.compress(text))


def _time(seconds: float) -> float:
    return round(seconds, 3)


def _folder_weights(settings: SpeechSettings) -> list[WeightRecord]:
    folder = Path(settings.transcript)
    require_model(folder)
    return [
        WeightRecord(
            name=settings.transcript,
            role="speech",
            sha256=path_digest(folder),
            licence="the user's own",
            commercial_use=None,
        )
    ]


WHISPER_TINY_WORDS = TranscriberCard(
    name="whisper-tiny.en",
    assets=("whisper-tiny.en",),
    runtime="ctranslate2",
    load=lambda _settings: WhisperTranscriber("whisper-tiny.en", asset_path("whisper-tiny.en")),
)

FOLDER_WORDS = TranscriberCard(
    name="folder",
    runtime="ctranslate2",
    weights=_folder_weights,
    load=lambda settings: WhisperTranscriber(Path(settings.transcript).name, Path(settings.transcript)),
)
"""For every value of `speech.transcript` that is the path of a folder."""
