"""A speech model that fails on any sound is found when the models are loaded, before a video is analysed."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from curation.speech.protocols import SpeechClip
from curation.speech.trial import SpeechTrialError, require_working
from foundation.array_types import Float16Array, Float32Array
from foundation.devices import DeviceError


class MadeEncoder:
    name = "made"
    dim = 4

    def __init__(self, answer: Callable[[int], Float16Array]) -> None:
        self.answer = answer
        self.heard: list[SpeechClip] = []

    def __call__(self, audio_16k: Float32Array, n_ticks: int) -> Float16Array:
        return self.encode_clips([SpeechClip(audio_16k, n_ticks)])[0]

    def encode_clips(self, clips: Sequence[SpeechClip]) -> list[Float16Array]:
        self.heard += clips
        return [self.answer(clip.n_ticks) for clip in clips]


def rows(n_ticks: int) -> Float16Array:
    return np.zeros((n_ticks, 4), np.float16)


def halved(n_ticks: int) -> Float16Array:
    message = f"mat1 and mat2 must have the same dtype, but got Float and Half, for {n_ticks} ticks"
    raise RuntimeError(message)


def test_models_that_work_are_tried_on_a_second_of_sound() -> None:
    encoder = MadeEncoder(rows)
    require_working(lambda audio: audio * 0.5, encoder)
    (clip,) = encoder.heard
    assert clip.n_ticks == 25
    assert clip.audio_16k.shape == (16_000,)
    assert clip.audio_16k.dtype == np.float32
    assert 0.01 < clip.audio_16k.std() < 0.1  # the encoder hears what the denoiser returned
    require_working(None, None)


def test_an_encoder_with_a_quick_way_is_tried_by_it() -> None:
    class QuickEncoder(MadeEncoder):
        def try_out(self, clip: SpeechClip) -> Float16Array:
            return rows(clip.n_ticks - 1)

    encoder = QuickEncoder(rows)
    with pytest.raises(SpeechTrialError, match=r"shape \(24, 4\) instead of \(25, 4\)"):
        require_working(None, encoder)
    assert encoder.heard == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (halved, r"speech\.encoder.*raises RuntimeError: mat1 and mat2 must have the same dtype.*so none was begun"),
        (lambda n: rows(n)[:-1], r"speech\.encoder.*shape \(24, 4\) instead of \(25, 4\)"),
        (lambda n: rows(n) * np.float16(np.nan), r"speech\.encoder.*numbers that are not finite"),
    ],
)
def test_an_encoder_that_does_not_work_cannot_start(answer: Callable[[int], Float16Array], said: str) -> None:
    with pytest.raises(SpeechTrialError, match=said) as caught:
        require_working(None, MadeEncoder(answer))
    assert caught.value.exit_code == 3


def test_a_denoiser_that_does_not_work_cannot_start() -> None:
    with pytest.raises(SpeechTrialError, match=r"speech\.denoiser.*shape \(15999,\) instead of \(16000,\)"):
        require_working(lambda audio: audio[1:], None)
    with pytest.raises(SpeechTrialError, match=r"speech\.denoiser.*not finite"):
        require_working(lambda audio: audio * np.float32(np.inf), None)


def test_an_error_that_says_itself_what_is_missing_is_passed_on() -> None:
    def no_gpu(_n_ticks: int) -> Float16Array:
        message = "device 'cuda:0': torch cannot use it"
        raise DeviceError(message)

    with pytest.raises(DeviceError, match="torch cannot use it"):
        require_working(None, MadeEncoder(no_gpu))
