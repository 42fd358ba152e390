import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from denoiser import pretrained
from denoiser.demucs import Demucs
from denoiser.resample import upsample2

from curation.speech import demucs
from curation.speech.demucs import DEMUCS_MODELS, DemucsDenoiser
from foundation.array_types import Float32Array
from foundation.packages import MissingPackageError
from foundation.weights import MissingAssetsError, UnsafeAssetError


def as_if_trained(model: Demucs) -> Demucs:
    """Make every convolution's output of deviation 1 and the LSTM's memory long.

    Else the output is faint, and random deep layers and a random memory hardly take part in it.
    """
    with torch.no_grad():
        n = model.lstm.lstm.hidden_size
        for bias in (model.lstm.lstm.bias_ih_l0, model.lstm.lstm.bias_ih_l1):
            bias[n : 2 * n] += 4.0  # the forget gates
        x, skips = upsample2(upsample2(torch.randn(1, 1, model.valid_length(8_000)))), []
        for block in model.encoder:
            x = _of_deviation_1(block, x)
            skips.append(x)
        x = model.lstm(x.permute(2, 0, 1))[0].permute(1, 2, 0)
        for block in model.decoder:
            x = _of_deviation_1(block, x + skips.pop()[..., : x.shape[-1]])
    return model.eval()


def _of_deviation_1(block: torch.nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    for module in block:
        if isinstance(module, torch.nn.Conv1d | torch.nn.ConvTranspose1d):
            deviation = module(x).std()
            module.weight /= deviation
            module.bias /= deviation
        x = module(x)
    return x


@pytest.fixture(scope="module")
def narrow() -> Demucs:
    """The architecture with 8 channels in place of 48: all that chunks have to do with, a thirtieth of the work."""
    torch.manual_seed(0)
    return as_if_trained(Demucs(hidden=8, sample_rate=16_000))


@pytest.fixture(scope="module")
def denoise(narrow: Demucs, tmp_path_factory: pytest.TempPathFactory) -> DemucsDenoiser:
    weights = tmp_path_factory.mktemp("weights") / "dns48.th"
    torch.save(narrow.state_dict(), weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrained, "dns48", lambda **_: Demucs(hidden=8, sample_rate=16_000))
        return DemucsDenoiser("dns48", "cpu", weights)


def one_pass(model: Demucs, audio: Float32Array) -> Float32Array:
    with torch.no_grad():
        return model(torch.from_numpy(audio)[None])[0, 0].numpy()


@pytest.mark.slow
@pytest.mark.parametrize("name", DEMUCS_MODELS)
def test_each_model_says_what_the_package_says(name: str, speech: Float32Array, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = as_if_trained(getattr(pretrained, name)(pretrained=False))
    torch.save(model.state_dict(), tmp_path / "weights.th")
    own = DemucsDenoiser(name, "cpu", tmp_path / "weights.th")(speech[4_000:12_000])
    want = one_pass(model, speech[4_000:12_000])
    assert np.abs(want).max() > 0.05
    np.testing.assert_allclose(own, want, rtol=0, atol=1e-6)


# a frame of the LSTM is 256 samples: whole chunks, one frame or sample more or less, the last chunk of a single frame
@pytest.mark.parametrize("n", [40_000, 20 * 256, 20 * 256 + 1, 40 * 256 + 341, 40 * 256 + 342, 41 * 256 + 341, 50_001])
def test_chunks_say_what_one_pass_says(
    denoise: DemucsDenoiser, narrow: Demucs, speech: Float32Array, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demucs, "_CHUNK_FRAMES", 20)
    want = one_pass(narrow, speech[:n])
    own = denoise(speech[:n])
    assert own.shape == (n,)
    np.testing.assert_allclose(own, want, rtol=0, atol=1e-5)


def test_the_sound_before_reaches_every_later_chunk(
    denoise: DemucsDenoiser, speech: Float32Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise the test above could not tell whether chunks hand anything on.
    monkeypatch.setattr(demucs, "_CHUNK_FRAMES", 20)
    audio = speech[4_000:34_000].copy()
    audio[:4_000] = audio[3_999::-1]  # the deviation stays the same
    change = np.abs(denoise(audio) - denoise(speech[4_000:34_000]))
    assert change[11_000:16_000].max() > 1e-4


def test_a_long_clip_comes_out_of_real_chunks_as_of_one_pass(
    denoise: DemucsDenoiser, narrow: Demucs, speech: Float32Array
) -> None:
    audio = np.tile(speech, 3)[:300_000]  # 18.75 s, three chunks of 8 s
    np.testing.assert_allclose(denoise(audio), one_pass(narrow, audio), rtol=0, atol=1e-5)


def test_the_same_samples_give_the_same_bytes_after_other_sound(denoise: DemucsDenoiser, speech: Float32Array) -> None:
    first = denoise(speech[:16_000])
    denoise(speech[20_000:30_000])
    np.testing.assert_array_equal(denoise(speech[:16_000]), first)


@pytest.mark.parametrize("n", [0, 1, 2, 479])
def test_any_length_comes_back_and_silence_stays_silent(denoise: DemucsDenoiser, n: int) -> None:
    quiet = denoise(np.zeros(n, np.float32))
    assert quiet.dtype == np.float32
    np.testing.assert_array_equal(quiet, np.zeros(n))


def test_a_sample_that_is_no_number_is_named(denoise: DemucsDenoiser) -> None:
    with pytest.raises(ValueError, match="sample 7 of the speech to denoise is inf"):
        denoise(np.where(np.arange(20) == 7, np.inf, 0.0).astype(np.float32))


def test_a_missing_package_is_answered_with_the_command_that_make_runs(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "denoiser", None)
    monkeypatch.delitem(sys.modules, "denoiser.pretrained")
    with pytest.raises(MissingPackageError, match="the package 'denoiser'") as refused:
        DemucsDenoiser("dns64")
    command = re.search(r"python -m pip install --no-deps (\S+)$", str(refused.value))
    assert command is not None
    locked = (repository / "requirements-no-deps.lock").read_text(encoding="utf-8")
    assert re.search(rf"^{re.escape(command[1])} --hash=sha256:[0-9a-f]{{64}}$", locked, re.MULTILINE)


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path))
    monkeypatch.delenv("GAIA_MODELS", raising=False)
    with pytest.raises(MissingAssetsError, match="dns64"):
        DemucsDenoiser("dns64")


def test_a_pickle_called_weights_is_refused_and_not_run(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    (tmp_path / "dns48.th").write_bytes(pickle.dumps({"encoder.0.0.weight": Harmful()}, protocol=2))
    with pytest.raises(UnsafeAssetError, match="refused"):
        DemucsDenoiser("dns48", "cpu", tmp_path / "dns48.th")
    assert not (tmp_path / "ran").exists()
