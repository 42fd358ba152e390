"""What training relies on: row k of the speech features belongs to frame k, and a clip of N frames has N rows.

The manifest has one row per frame, at the middle of its tick, whichever encoder gave it.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from curation.speech.protocols import SpeechEncoder
from curation.speech.wav2vec2 import Wav2Vec2Encoder
from curation.speech.wav2vec2_checkpoint import Wav2Vec2Settings
from curation.speech.whisper import WhisperTinyEncoder
from foundation.array_types import Float32Array
from foundation.weights import ensure_assets

TICKS_10_S = 250


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory) -> Wav2Vec2Encoder:
    """The base architecture, narrower and with 3 layers, random weights: its convolutions set the clock."""
    folder = tmp_path_factory.mktemp("wav2vec2")
    torch.manual_seed(0)
    config = Wav2Vec2Config(hidden_size=192, num_hidden_layers=3, num_attention_heads=12, intermediate_size=256)
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return Wav2Vec2Encoder(Wav2Vec2Settings(model=str(folder), layer="context:3"), "cpu")


@pytest.fixture(scope="module")
def whisper() -> WhisperTinyEncoder:
    return WhisperTinyEncoder(Path(ensure_assets(["whisper-tiny.en"])["whisper-tiny.en"]))


@pytest.fixture(params=["whisper", "wav2vec2"])
def encoder(request: pytest.FixtureRequest) -> SpeechEncoder:
    found: SpeechEncoder = request.getfixturevalue(request.param)
    return found


def test_an_impulse_in_a_frame_of_ten_seconds_changes_its_row_most(
    encoder: SpeechEncoder, speech: Float32Array
) -> None:
    clip = np.tile(speech, 2)[: TICKS_10_S * 640]
    before = encoder(clip, TICKS_10_S).astype(np.float64)
    for frame in (3, 121, 246):
        struck = clip.copy()
        struck[frame * 640 + 300 : frame * 640 + 340] += 0.5 * np.hanning(40).astype(np.float32)
        change = np.square(encoder(struck, TICKS_10_S) - before).sum(axis=1)
        assert abs(int(np.argmax(change)) - frame) <= 1


@pytest.mark.parametrize("seconds", range(1, 13))
def test_a_clip_has_as_many_rows_as_frames(whisper: WhisperTinyEncoder, speech: Float32Array, seconds: int) -> None:
    """For wav2vec 2.0, `test_wav2vec2_features` has the same test."""
    n_frames = 25 * seconds + seconds % 2
    spoken = np.tile(speech, 2)[: n_frames * 640 - 37 * seconds]
    assert whisper(spoken, n_frames).shape == (n_frames, 384)
