from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from helpers.made_videos import Coding, Sound, counted_video, frame_times
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from curation.media.audio import tick_audio
from curation.media.probe import probe
from curation.speech.protocols import SpeechClip
from curation.speech.wav2vec2 import Wav2Vec2Encoder
from curation.speech.wav2vec2_checkpoint import Wav2Vec2Settings
from foundation.array_types import Float32Array

SIZES = {
    "base": {"feat_extract_norm": "group", "do_stable_layer_norm": False, "conv_bias": False},
    "large": {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True},
}
"""What the two architectures differ in, but for their width."""


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `base` and `large`: the official architectures, 4 times narrower or more, 3 layers, random weights."""
    root = tmp_path_factory.mktemp("checkpoints")
    for name, size in SIZES.items():
        torch.manual_seed(0)
        config = Wav2Vec2Config(
            hidden_size=192, num_hidden_layers=3, num_attention_heads=12, intermediate_size=256, **size
        )
        Wav2Vec2Model(config).save_pretrained(root / name)
        Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(root / name)
    return root


@pytest.fixture(scope="module", params=SIZES)
def folder(checkpoints: Path, request: pytest.FixtureRequest) -> Path:
    return checkpoints / str(request.param)


def encoder(folder: Path, layer: str = "context:3", **settings: str) -> Wav2Vec2Encoder:
    return Wav2Vec2Encoder(Wav2Vec2Settings(model=str(folder), layer=layer, **settings), "cpu")


def frames_of_transformers(folder: Path, layer: str, audio: Float32Array) -> np.ndarray:
    """(F, D) what the documented calls of transformers give for a clip."""
    heard = Wav2Vec2FeatureExtractor.from_pretrained(folder)(audio, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        answer = Wav2Vec2Model.from_pretrained(folder).eval()(heard.input_values, output_hidden_states=True)
    chosen = {"cnn": answer.extract_features, "context:3": answer.last_hidden_state}
    return chosen.get(layer, answer.hidden_states[int(layer[-1])] if layer != "cnn" else None)[0].numpy()


@pytest.mark.parametrize("layer", ["cnn", "context:1", "context:2", "context:3"])
def test_rows_are_the_frames_of_transformers_at_the_middles_of_ticks(
    folder: Path, layer: str, speech: Float32Array
) -> None:
    n = 75
    audio = speech[4_000:][: n * 640]
    frames = frames_of_transformers(folder, layer, audio)
    assert len(frames) == 2 * n - 1
    at_s, middles_s = 0.0125 + 0.02 * np.arange(2 * n - 1), (np.arange(n) + 0.5) / 25
    want = np.stack([np.interp(middles_s, at_s, column) for column in frames.T], axis=1)
    rows = encoder(folder, layer)(audio, n)
    assert rows.dtype == np.float16
    assert rows.shape == (n, 512 if layer == "cnn" else 192)
    np.testing.assert_allclose(rows, want, rtol=1e-3, atol=1e-4)  # float16 has 11 bits


@pytest.mark.parametrize("n", [1, 2, *range(25, 301, 25)])
def test_a_clip_of_any_length_has_a_row_per_tick(n: int, one: dict[str, Wav2Vec2Encoder]) -> None:
    rows = one["cnn"](np.random.default_rng(n).standard_normal(n * 640).astype(np.float32), n)
    assert rows.shape == (n, 512)


@pytest.fixture(scope="module")
def one(checkpoints: Path) -> Iterator[dict[str, Wav2Vec2Encoder]]:
    return {layer: encoder(checkpoints / "base", layer) for layer in ("cnn", "context:3")}


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["cnn", "context:3"])
def test_an_impulse_in_a_tick_changes_its_row_most(folder: Path, layer: str, speech: Float32Array) -> None:
    encode = encoder(folder, layer)
    before = encode(speech[4_000:], 100).astype(np.float64)
    offsets = []
    for tick in (20, 37, 55, 76):
        struck = speech[4_000:].copy()
        struck[tick * 640 + 320] += 0.9
        change = np.square(encode(struck, 100) - before).sum(axis=1)
        assert abs(int(np.argmax(change)) - tick) <= 1
        around = change[tick - 2 : tick + 3]
        offsets.append(around @ np.arange(-2, 3) / around.sum())
    assert abs(np.mean(offsets)) < 0.25  # frames taken 20 ms late or early make it 0.5


@pytest.mark.slow
def test_a_clip_gives_the_same_rows_out_of_a_longer_file(
    one: dict[str, Wav2Vec2Encoder], speech: Float32Array, tmp_path: Path
) -> None:
    # The sound is stored as it is, so that the clip is the same in both: 20 s, which begin at 4 s in the longer one.
    long = np.tile((speech * 32_000).round() / 32_768, 4)[: 28 * 16_000].astype(np.float32)
    coding = Coding(options={"crf": "51", "preset": "ultrafast"})
    samples = []
    for name, sound, first in (("long", long, 100), ("short", long[64_000:384_000], 0)):
        times_s = frame_times(Fraction(25), sound.size // 640)
        path = counted_video(
            tmp_path / f"{name}.mkv",
            times_s,
            sound=Sound(samples=sound, rate_hz=16_000, codec="pcm_s16le"),
            coding=coding,
        )
        heard = tick_audio(probe(path), first, first + 500)
        assert heard is not None
        samples.append(heard)
    np.testing.assert_array_equal(samples[0], samples[1])
    rows = [one["context:3"](heard, 500) for heard in samples]
    assert np.isfinite(rows[0]).all()
    np.testing.assert_array_equal(rows[0], rows[1])


def test_without_norms_over_the_clip_rows_are_those_of_the_longer_sound(
    checkpoints: Path, speech: Float32Array
) -> None:
    # The layer-norm convolutions, unnormalised sound: a row depends on the 45 ms around it and on nothing else.
    folder = with_do_normalize(checkpoints / "large", do_normalize=False)
    encode = encoder(folder, "cnn")
    np.testing.assert_array_equal(encode(speech[25 * 640 :], 100)[:99], encode(speech, 150)[25:124])


def with_do_normalize(folder: Path, *, do_normalize: bool) -> Path:
    """A copy of a checkpoint whose preprocessor_config.json says that."""
    copy = folder.with_name(f"{folder.name}_{do_normalize}")
    Wav2Vec2Model.from_pretrained(folder).save_pretrained(copy)
    Wav2Vec2FeatureExtractor(do_normalize=do_normalize).save_pretrained(copy)
    return copy


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["float16", "bfloat16"])
@pytest.mark.parametrize("layer", ["cnn", "context:3"])
def test_a_checkpoint_in_half_precision_gives_the_features_of_its_numbers_in_float32(
    folder: Path, layer: str, dtype: torch.dtype, speech: Float32Array, tmp_path: Path
) -> None:
    rounded = Wav2Vec2Model.from_pretrained(folder).to(dtype)
    for name, model in (("half", rounded), ("single", Wav2Vec2Model(rounded.config).to(dtype))):
        model.load_state_dict(rounded.state_dict())
        (model if name == "half" else model.float()).save_pretrained(tmp_path / name)
        Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(tmp_path / name)
    stored = safetensors.torch.load_file(tmp_path / "half" / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {dtype}
    audio = speech[4_000:52_000]
    half, single, whole = (encoder(one, layer)(audio, 75) for one in (tmp_path / "half", tmp_path / "single", folder))
    np.testing.assert_array_equal(half, single)
    apart = np.linalg.norm(half.astype(float) - whole) / np.linalg.norm(whole.astype(float))
    assert apart < 0.05  # bfloat16 keeps 8 bits of a weight


def test_the_level_counts_where_the_checkpoint_sets_none(checkpoints: Path, speech: Float32Array) -> None:
    audio = speech[4_000:52_000]
    loud = (audio * (0.35 / np.abs(audio).max())).astype(np.float32)
    own_level = with_do_normalize(checkpoints / "base", do_normalize=True)
    no_level = with_do_normalize(checkpoints / "base", do_normalize=False)
    as_is, to_peak = encoder(no_level, "cnn"), encoder(no_level, "cnn", normalisation="peak")
    np.testing.assert_allclose(to_peak(audio, 75), as_is(loud, 75), rtol=2e-3, atol=2e-4)
    assert np.abs(to_peak(audio, 75) - as_is(audio, 75)).max() > 0.01
    assert to_peak.name == f"{as_is.name}:peak"
    normalised = encoder(own_level, "cnn", normalisation="peak")
    np.testing.assert_allclose(normalised(audio, 75), normalised(0.1 * audio, 75), rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(normalised(audio, 75), encoder(own_level, "cnn")(audio, 75))


@pytest.mark.parametrize("layer", ["cnn", "context:3"])
def test_clips_of_unequal_length_are_the_same_in_a_batch(folder: Path, layer: str, speech: Float32Array) -> None:
    encode = encoder(folder, layer)
    clips = [SpeechClip(speech[i * 640 :][: n * 640], n) for i, n in ((0, 75), (40, 30), (90, 100))]
    together = encode._encode(clips)
    for rows, clip in zip(together, clips, strict=True):
        np.testing.assert_allclose(rows, encode(*clip), rtol=2e-3, atol=1e-3)


def test_a_gpu_gets_as_many_clips_as_fit_and_the_cpu_one(
    one: dict[str, Wav2Vec2Encoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [SpeechClip(np.zeros(0, np.float32), n) for n in (3000, 3000, 100, 2000, 7000)]
    assert [len(batch) for batch in one["cnn"]._batches(clips)] == [1, 1, 1, 1, 1]
    monkeypatch.setattr(one["cnn"], "_device", "cuda:0")
    assert [len(batch) for batch in one["cnn"]._batches(clips)] == [2, 2, 1]  # frames: 12,000, 8,000, 14,000


def test_short_sound_is_followed_by_silence_and_long_sound_is_cut(
    one: dict[str, Wav2Vec2Encoder], speech: Float32Array
) -> None:
    padded = np.concatenate([speech[:32_000], np.zeros(16_000, np.float32)])
    np.testing.assert_array_equal(one["cnn"](speech[:32_000], 75), one["cnn"](padded, 75))
    np.testing.assert_array_equal(one["cnn"](speech, 50), one["cnn"](speech[:32_000], 50))


def test_silence_and_damaged_sound(one: dict[str, Wav2Vec2Encoder]) -> None:
    assert np.isfinite(one["context:3"](np.zeros(48_000, np.float32), 75)).all()
    with pytest.raises(ValueError, match="tick 0 of 75 are no float16 numbers"):
        one["context:3"](np.full(48_000, np.nan, np.float32), 75)
