import hashlib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch.nn import functional

from curation.perception.models import load_lip_sync, outside_perception_weights
from curation.perception.settings import PerceptionSettings
from curation.perception.sync.model import EMBEDDED_SYNC, SyncModel, UnfitSyncModelError
from curation.perception.sync.network import EDGE_TICKS, N_GROUPS, Side, lag_scores
from foundation.array_types import Float32Array

LAGS = range(-15, 16)

PACKAGED = Path(str(resources.files("curation.perception.sync").joinpath("sync.safetensors")))


def _side(channels: int, rng: np.random.Generator) -> Side:
    def drawn(*shape: int) -> Float32Array:
        return rng.standard_normal(shape).astype(np.float32)

    return Side(
        near=drawn(5, channels, 48),
        near_bias=drawn(48),
        near_scale=drawn(48),
        near_shift=drawn(48),
        far=drawn(5, 48, 48),
        far_bias=drawn(48),
        far_scale=drawn(48),
        far_shift=drawn(48),
        out=drawn(48, 64),
        out_bias=drawn(64),
    )


def test_a_side_is_the_same_network_in_torch() -> None:
    rng = np.random.default_rng(0)
    side, rows = _side(52, rng), rng.standard_normal((40, 52)).astype(np.float32)

    def tensor(array: Float32Array) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array))

    hidden = tensor(rows).T[None]
    for kernel, bias, scale, shift, dilation in (
        (side.near, side.near_bias, side.near_scale, side.near_shift, 1),
        (side.far, side.far_bias, side.far_scale, side.far_shift, 2),
    ):
        weight = tensor(kernel.transpose(2, 1, 0))
        hidden = functional.conv1d(hidden, weight, tensor(bias), padding=2 * dilation, dilation=dilation)
        hidden = functional.gelu(functional.group_norm(hidden, N_GROUPS, tensor(scale), tensor(shift)))
    expected = functional.normalize(hidden[0].T @ tensor(side.out) + tensor(side.out_bias), dim=1)
    np.testing.assert_allclose(side(rows), expected.numpy(), atol=2e-6)


def test_lag_scores_pair_lips_with_later_sound() -> None:
    rng = np.random.default_rng(1)
    lips = rng.standard_normal((60, 64)).astype(np.float32)
    lips /= np.linalg.norm(lips, axis=1, keepdims=True)
    scores = lag_scores(lips, np.roll(lips, 3, axis=0), LAGS)  # the sound is what the lips were 3 ticks before
    assert scores.shape == (60, 31)
    assert np.nanmean(scores, axis=0).argmax() == LAGS.index(3)
    np.testing.assert_allclose(scores[EDGE_TICKS:-EDGE_TICKS, LAGS.index(3)][:-3], 1.0, atol=1e-5)


def test_no_score_where_lips_or_sound_are_at_an_edge() -> None:
    vectors = np.ones((40, 1), dtype=np.float32)
    known = np.isfinite(lag_scores(vectors, vectors, LAGS))
    expected = [[7 <= tick < 33 and 7 <= tick + lag < 33 for lag in LAGS] for tick in range(40)]
    assert known.tolist() == expected


def test_the_packaged_network_is_small_and_known_by_its_digest() -> None:
    content = PACKAGED.read_bytes()
    assert len(content) < 250_000
    assert SyncModel().digest == hashlib.sha256(content).hexdigest()
    assert EMBEDDED_SYNC.weights(PerceptionSettings())[0].sha256 == hashlib.sha256(content).hexdigest()


def test_a_file_in_the_setting_is_the_network_that_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "own.safetensors"
    file.write_bytes(PACKAGED.read_bytes())
    settings = PerceptionSettings(sync=str(file))
    model = load_lip_sync(settings)
    assert model is not None
    assert (model.name, model.digest) == (str(file), SyncModel().digest)
    records = [record for record in outside_perception_weights(settings) if record.name == str(file)]
    assert [record.sha256 for record in records] == [model.digest]


def test_a_word_that_is_no_model_and_no_file_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'none' or 'embedded'.*sync fit"):
        PerceptionSettings(sync="embeded")


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "own.safetensors"
    file.write_bytes(content)
    with pytest.raises(UnfitSyncModelError, match="sync fit"):
        SyncModel(file)


def test_a_network_of_another_shape_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "own.safetensors"
    arrays = load_file(PACKAGED)
    save_file(arrays | {"lips.near": arrays["lips.near"][:3]}, file)
    with pytest.raises(UnfitSyncModelError, match=r"'lips\.near' has shape \(3, 52, 48\), not \(5, 52, 48\)"):
        SyncModel(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnfitSyncModelError, match=r"gone\.safetensors"):
        SyncModel(tmp_path / "gone.safetensors")
