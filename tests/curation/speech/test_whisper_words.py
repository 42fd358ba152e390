"""Words that are really said come out, at their times, and none where nobody speaks."""

import json
import re
import shutil
from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from curation.media.audio import tick_audio
from curation.media.probe import probe
from curation.speech import whisper_words
from curation.speech.models import load_speech, outside_speech_weights, speech_assets
from curation.speech.quiet_borders import divided_at_pauses
from curation.speech.settings import SpeechSettings
from curation.speech.whisper_words import TranscriptModelError, WhisperTranscriber
from foundation.array_types import BoolArray, Float32Array
from foundation.settings import SettingsError, changed_settings
from foundation.weights import ensure_assets
from manifests.files.transcript import Transcript

RATE = 16_000


@pytest.fixture(scope="module")
def folder() -> Path:
    return ensure_assets(["whisper-tiny.en"])["whisper-tiny.en"]


@pytest.fixture(scope="module")
def transcriber(folder: Path) -> WhisperTranscriber:
    return WhisperTranscriber("whisper-tiny.en", folder)


def sound_of(path: Path) -> Float32Array:
    info = probe(path)
    sound = tick_audio(info, 0, info.n_ticks)
    assert sound is not None
    return sound


def everywhere(sound: Float32Array) -> BoolArray:
    return np.ones(len(sound) // 640, dtype=np.bool_)


def plain(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, plain(one), plain(other), autojunk=False).ratio()


def test_the_sentence_of_a_real_clip_comes_out(transcriber: WhisperTranscriber, shared_dir: Path) -> None:
    sound = sound_of(shared_dir / "talk" / "p006_01.mp4")
    told = transcriber(sound, everywhere(sound))
    # the GRID corpus: command, colour, preposition, letter, digit, adverb
    assert {"place", "white", "again"} <= set(plain(told.text))
    assert (told.model, told.language, told.language_confidence) == ("whisper-tiny.en", None, None)
    assert told.confidence is not None
    assert 0.5 < told.confidence <= 1
    assert told.text.split() == [word.word for word in told.words]
    assert transcriber(sound, everywhere(sound)) == told  # the same samples give the same words


@pytest.mark.slow
def test_times_of_words_are_those_of_their_sound(transcriber: WhisperTranscriber, speech: Float32Array) -> None:
    told = transcriber(speech, everywhere(speech))
    times = {word.word: (word.start_s, word.end_s) for word in told.words}
    starts = [word.start_s for word in told.words]
    assert starts == sorted(starts)
    assert all(0 <= word.start_s <= word.end_s <= len(speech) / RATE for word in told.words)
    # between "attack" and "by" the speaker pauses from 0.94 to 1.50 s, by the level
    level = np.sqrt(np.square(speech[: len(speech) // 160 * 160].reshape(-1, 160)).mean(axis=1))
    assert level[96:148].max() < 0.1 * level.max()
    assert times["attack"][1] <= 1.0
    assert times["by"][0] == pytest.approx(1.5, abs=0.06)
    moved = transcriber(np.concatenate([np.zeros(RATE, np.float32), speech]), np.ones(250, dtype=np.bool_))
    later = {word.word: word.start_s for word in moved.words}
    for word in ("politicians", "medical", "education", "women"):
        assert later[word] - times[word][0] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    "kind", ["silence", pytest.param("hiss", marks=pytest.mark.slow), pytest.param("hum", marks=pytest.mark.slow)]
)
def test_nothing_is_invented_where_nobody_speaks(transcriber: WhisperTranscriber, kind: str) -> None:
    samples = np.arange(5 * RATE)
    sound = {
        "silence": np.zeros(len(samples)),
        "hiss": 0.05 * np.random.default_rng(0).standard_normal(len(samples)),
        "hum": 0.1 * np.sin(2 * np.pi * 100 * samples / RATE),
    }[kind].astype(np.float32)
    told = transcriber(sound, everywhere(sound))
    assert (told.words, told.text, told.confidence) == ((), "", None)


def test_words_off_the_ticks_with_speech_are_left_out(transcriber: WhisperTranscriber, speech: Float32Array) -> None:
    is_speech = everywhere(speech)
    is_speech[:75] = False  # 3 s, and what touches the 0.2 s before that stays
    told = transcriber(speech, is_speech)
    assert "medical" in told.text
    assert "politicians" not in told.text
    assert all(word.end_s >= 2.8 for word in told.words)


@pytest.mark.slow
def test_words_at_the_border_of_long_speech_are_heard_once(
    transcriber: WhisperTranscriber, speech: Float32Array, shared_dir: Path
) -> None:
    cook = sound_of(shared_dir / "talk" / "p056_01.mp4")  # 22 s, heard at once
    alone = transcriber(cook, everywhere(cook))
    together = np.concatenate([cook, speech])  # just over 30 s: divided in the middle, within the first speaker's words
    first, _ = divided_at_pauses(together)
    assert 10 * RATE < first[1] < 20.1 * RATE
    told = transcriber(together, everywhere(together))
    words = [word for word in told.words if word.end_s < len(cook) / RATE]
    assert likeness(" ".join(word.word for word in words), alone.text) > 0.9
    assert not any(word.start_s + 0.02 < first[1] / RATE < word.end_s - 0.02 for word in told.words)
    (butter,) = [word.start_s for word in alone.words if word.word.startswith("butter")]
    assert butter == pytest.approx(next(word.start_s for word in words if word.word.startswith("butter")), abs=0.15)
    assert "education" in plain(told.text)


class _Model:
    """Stands for a network of several languages: what it answers is written down."""

    is_multilingual = True
    n_mels = 80

    def __init__(self, languages: list[list[tuple[str, float]]], tokens: list[str], *, loops: bool = False) -> None:
        self.languages, self.tokens, self.loops = languages, tokens, loops
        self.prompts: list[list[str]] = []
        self.options: list[dict[str, Any]] = []

    def encode(self, _sound: object) -> int:
        self.options.append({})
        return len(self.options) - 1

    def detect_language(self, sound: int) -> list[list[tuple[str, float]]]:
        return [self.languages[sound]]

    def generate(self, _sound: int, prompts: list[list[str]], **options: object) -> list[SimpleNamespace]:
        self.prompts += prompts
        tokens = self.tokens * (50 if self.loops and "no_repeat_ngram_size" not in options else 1)
        numbers = [VOCABULARY.index(token) for token in tokens]
        return [SimpleNamespace(sequences=[tokens], sequences_ids=[numbers], scores=[-0.2], no_speech_prob=0.1)]

    def align(self, _sound: int, start: list[int], texts: list[list[int]], n_frames: int) -> list[SimpleNamespace]:
        assert [VOCABULARY[number] for number in start] == self.prompts[-1][:-1]
        assert n_frames >= 300
        # every token has ten frames of 0.02 s
        pairs = [
            (number, frame) for number in range(len(texts[0]) + 1) for frame in range(10 * number, 10 * number + 10)
        ]
        return [SimpleNamespace(alignments=pairs, text_token_probs=[0.5] * len(texts[0]))]


VOCABULARY = ["Ġguten", "ĠTag", "ä½ł", "å¥½", "<|endoftext|>", "<|startoftranscript|>", "<|de|>", "<|zh|>", "<|en|>",
              "<|transcribe|>", "<|notimestamps|>", "<|0.00|>"]  # fmt: skip


def made(folder: Path, monkeypatch: pytest.MonkeyPatch, model: _Model) -> WhisperTranscriber:
    for name in ("model.bin", "config.json"):
        (folder / name).write_bytes(b"{}")
    (folder / "vocabulary.json").write_text(json.dumps(VOCABULARY))
    monkeypatch.setattr(whisper_words, "whisper_model", lambda _folder: model)
    return WhisperTranscriber("made", folder)


def loud(duration_s: float) -> Float32Array:
    return (0.1 * np.random.default_rng(0).standard_normal(round(duration_s * RATE))).astype(np.float32)


def test_the_language_of_a_clip_is_the_most_probable_over_its_stretches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    languages = [[("<|en|>", 0.5), ("<|de|>", 0.4)], [("<|de|>", 0.8), ("<|en|>", 0.1)]]
    model = _Model(languages, ["Ġguten", "ĠTag", "<|0.00|>"])
    sound = loud(40)
    told = made(tmp_path, monkeypatch, model)(sound, everywhere(sound))
    assert (told.language, told.language_confidence) == ("de", 0.6)  # (0.4 + 0.8) / 2
    assert model.prompts == [["<|startoftranscript|>", "<|de|>", "<|transcribe|>", "<|notimestamps|>"]] * 2
    first, second = told.words[:2], told.words[2:]
    assert [(word.word, word.start_s, word.end_s, word.confidence) for word in first] == [
        ("guten", 0.0, 0.2, 0.5),
        ("Tag", 0.2, 0.4, 0.5),
    ]
    border_s = second[0].start_s
    assert 15 <= border_s <= 25
    assert second[1].end_s == pytest.approx(border_s + 0.4, abs=0.0011)
    assert told.text == "guten Tag guten Tag"


def test_a_language_without_spaces_is_written_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = made(tmp_path, monkeypatch, _Model([[("<|zh|>", 0.9)]], ["ä½ł", "å¥½"]))(loud(6), np.ones(150, np.bool_))
    assert ([word.word for word in told.words], told.text) == (["你", "好"], "你好")


def test_a_text_that_loops_is_found_again_without_repetitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _Model([[("<|de|>", 0.9)]], ["Ġguten", "ĠTag"], loops=True)
    told = made(tmp_path, monkeypatch, model)(loud(6), np.ones(150, np.bool_))
    assert told.text == "guten Tag"
    assert len(model.prompts) == 2


def test_a_folder_of_ones_own_is_used_and_recorded(folder: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(folder, tmp_path / "mine"))
    quiet = SpeechSettings(denoiser="none", encoder="none")
    settings = changed_settings(quiet, None, [f"transcript={own}"])
    assert speech_assets(settings) == []
    (record,) = outside_speech_weights(settings)
    assert (record.name, record.role, record.licence, len(record.sha256)) == (str(own), "speech", "the user's own", 64)
    loaded = load_speech(settings).transcriber
    assert loaded is not None
    silent: Transcript = loaded(np.zeros(RATE, np.float32), np.ones(25, np.bool_))
    assert silent.model == "mine"
    named = changed_settings(quiet, None, ["transcript=whisper-tiny.en"])
    assert speech_assets(named) == ["whisper-tiny.en"]
    assert outside_speech_weights(named) == []
    assert load_speech(named.without_transcript).transcriber is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda own: (own / "model.bin").unlink(), "has no model.bin; write none, whisper-tiny.en, or a folder"),
        (lambda own: (own / "vocabulary.txt").unlink(), "has no vocabulary.json or vocabulary.txt"),
        (lambda own: (own / "vocabulary.txt").write_text("a\nb"), "the vocabulary in .* is not that of Whisper"),
        (lambda own: (own / "vocabulary.json").write_text("[1"), "is no model of Whisper"),
        (lambda own: (own / "vocabulary.txt").write_bytes(b"\xff\n"), "the vocabulary in .* cannot be read"),
        (lambda own: (own / "model.bin").write_bytes(b"no model at all"), "is no model of Whisper"),
    ],
)
def test_a_folder_that_is_no_model_cannot_start(
    folder: Path, tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    own = Path(shutil.copytree(folder, tmp_path / "mine", symlinks=True))
    spoil(own)
    settings = SpeechSettings(denoiser="none", encoder="none", transcript=str(own))
    with pytest.raises(TranscriptModelError, match=said) as caught:
        load_speech(settings)
    assert caught.value.exit_code == 3


def test_a_word_that_is_no_model_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"'none' or 'whisper-tiny.en'.*a folder with a model of Whisper"):
        changed_settings(SpeechSettings(), None, ["transcript=whisper-tiny"])
