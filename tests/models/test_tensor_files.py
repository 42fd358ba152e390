import hashlib
import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from foundation.storage.regular_files import NotRegularFileError
from models.tensor_files import MAX_HEADER_BYTES, TensorFileError, open_tensors, tensor_shapes, write_tensors
from models.vae.vae import VAE_SIZES, Vae, VaeConfig
from models.weights import WeightFacts, WeightsError, load_weights, save_weights

FACTS = WeightFacts(landmark_scheme="ibug68", speech_encoder=None)

TENSORS = {
    "z": torch.arange(12.0).reshape(3, 4).t(),
    "a": torch.tensor([1.5, 2.0], dtype=torch.bfloat16),
    "count": torch.tensor([1, 2]),
    "known": torch.tensor([True, False, True]),
    "number": torch.tensor(3.0, dtype=torch.float64),
    "nothing": torch.ones(0, 3),
    "image": torch.full((3,), 7, dtype=torch.uint8),
}


def _written(metadata: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    write_tensors(stream, TENSORS, metadata)
    return stream.getvalue()


def test_the_library_would_write_the_same_bytes() -> None:
    contiguous = {name: tensor.contiguous() for name, tensor in TENSORS.items()}
    # with one text in the header there is but one order
    assert _written({"format": 'é"\n'}) == safetensors.torch.save(contiguous, {"format": 'é"\n'})


def test_the_library_reads_what_was_written() -> None:
    read = safetensors.torch.load(_written({"b": "1", "a": "2"}))
    assert read.keys() == TENSORS.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in TENSORS.items())


_SAVE = """
import sys, torch
from pathlib import Path
from models.vae.vae import VAE_SIZES, Vae
from models.weights import WeightFacts, save_weights
torch.manual_seed(0)
facts = WeightFacts(landmark_scheme="ibug68", speech_encoder=None)
save_weights(Path(sys.argv[1]), Vae(VAE_SIZES["tiny"]), VAE_SIZES["tiny"], facts)
"""


def test_equal_weights_give_equal_files_in_every_process(tmp_path: Path) -> None:
    torch.manual_seed(0)
    vae = Vae(VAE_SIZES["tiny"])
    for number in range(10):
        save_weights(tmp_path / f"{number}.safetensors", vae, VAE_SIZES["tiny"], FACTS)
    for seed in ("1", "2"):
        command = [sys.executable, "-c", _SAVE, str(tmp_path / f"seed{seed}.safetensors")]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed})
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()}
    assert len(list(tmp_path.iterdir())) == 12
    assert len(digests) == 1


def test_a_header_longer_than_is_read_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for length in (MAX_HEADER_BYTES + 1, 2**62, 2**64 - 1):
        path.write_bytes(length.to_bytes(8, "little") + b"{}")
        with pytest.raises(TensorFileError, match=f"header claims {length} bytes, and at most {MAX_HEADER_BYTES}"):
            open_tensors(path)


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}},  # 4 TiB in a file of a few bytes
        {"a": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}},
        {"a": {"dtype": "F128", "shape": [1], "data_offsets": [0, 4]}},
        {"a": "no tensor"},
        [],
    ],
)
def test_a_header_that_does_not_fit_its_file_is_refused(tmp_path: Path, header: object) -> None:
    path = tmp_path / "a.safetensors"
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
    with pytest.raises(TensorFileError):
        open_tensors(path)


def test_a_header_of_many_nested_lists_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    text = b"[" * 100_000
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(TensorFileError):
        open_tensors(path)


def test_types_that_are_not_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    text = json.dumps({"a": {"dtype": "U64", "shape": [1], "data_offsets": [0, 8]}}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    with open_tensors(path) as opened, pytest.raises(TensorFileError, match="'a' is of type U64"):
        tensor_shapes(opened)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name in ("fifo", "socket", "."):
            with pytest.raises(NotRegularFileError):
                open_tensors(tmp_path / name)
            with pytest.raises(WeightsError, match="not a regular file"):
                load_weights(tmp_path / name, Vae, VaeConfig, FACTS)


def _with_config(path: Path, **changes: object) -> None:
    """Save a tiny network with another config in the header."""
    save_weights(path, Vae(VAE_SIZES["tiny"]), VAE_SIZES["tiny"], FACTS)
    with safetensors.safe_open(path, framework="pt") as opened:
        metadata = opened.metadata()
    config = {**json.loads(metadata["config"]), **changes}
    safetensors.torch.save_file(safetensors.torch.load_file(path), path, {**metadata, "config": json.dumps(config)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 4 * 10**6}, "size mismatch"),  # petabytes by its config
        ({"width": 10**30 * 4}, "does not fit"),
        ({"n_layers": 10**9}, "config: setting 'n_layers' is 1000000000"),
        ({"image_px": 2**30}, "config: setting 'image_px' is 1073741824"),
        ({"multipliers": [1, 2, 2**16]}, "size mismatch"),
        ({"multipliers": "x"}, "config: setting 'multipliers'"),
    ],
)
def test_sizes_that_a_config_claims_are_refused_before_they_are_allocated(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = tmp_path / "vae.safetensors"
    _with_config(path, **changes)
    with pytest.raises(WeightsError, match=message):
        load_weights(path, Vae, VaeConfig, FACTS)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "null", "3"])
def test_a_config_that_is_none_is_refused_by_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "vae.safetensors"
    save_weights(path, Vae(VAE_SIZES["tiny"]), VAE_SIZES["tiny"], FACTS)
    with safetensors.safe_open(path, framework="pt") as opened:
        metadata = opened.metadata()
    tensors = safetensors.torch.load_file(path)
    for key in ("config", "facts"):
        safetensors.torch.save_file(tensors, path, {**metadata, key: text})
        with pytest.raises(WeightsError, match=f"{key}: "):
            load_weights(path, Vae, VaeConfig, FACTS)
        safetensors.torch.save_file(tensors, path, {name: value for name, value in metadata.items() if name != key})
        with pytest.raises(WeightsError, match=f"{key}: "):
            load_weights(path, Vae, VaeConfig, FACTS)
