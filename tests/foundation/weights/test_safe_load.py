"""Weights are read and programs are not run."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from foundation.weights import UnsafeAssetError
from foundation.weights.safe_load import load_pickled_arrays, load_torch_weights


class Program:
    """Makes a folder when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.trace),)


class Network(torch.nn.Linear):
    """A module whose class a reader would have to import."""


def pickled(path: Path, content: object, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_the_tensors_of_a_checkpoint_are_read_by_name(tmp_path: Path, *, zipped: bool) -> None:
    weights = OrderedDict(a=torch.arange(6.0).reshape(2, 3), b=torch.tensor(7))
    for name, content in (("bare.th", weights), ("wrapped.pth", {"epoch": 3, "state_dict": weights})):
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=zipped)
        read = load_torch_weights(tmp_path / name)
        assert list(read) == ["a", "b"]
        assert all(torch.equal(read[key], weights[key]) for key in weights)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # torch reads on, and then refuses
def test_a_pickle_renamed_to_pth_is_refused_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "it_ran"
    for protocol in range(6):
        path = pickled(tmp_path / "weights.pth", {"state_dict": Program(trace)}, protocol)
        with pytest.raises(UnsafeAssetError) as caught:
            load_torch_weights(path)
        for part in (str(path), "is refused", "nothing in it was run", "gaia-curate models list", "torch.save"):
            assert part in str(caught.value)
    assert not trace.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_program_inside_a_checkpoint_is_refused_by_name(tmp_path: Path, *, zipped: bool) -> None:
    trace = tmp_path / "it_ran"
    torch.save({"a": torch.ones(1), "b": Program(trace)}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnsafeAssetError, match=r"it asks for \w+\.mkdir, which is a program"):
        load_torch_weights(tmp_path / "w.pth")
    assert not trace.exists()


def test_a_whole_pickled_module_is_refused_by_the_name_of_its_class(tmp_path: Path) -> None:
    torch.save(Network(2, 2), tmp_path / "net.pth")
    with pytest.raises(UnsafeAssetError, match=r"it asks for \S*Network, .*torch\.onnx\.export"):
        load_torch_weights(tmp_path / "net.pth")


def test_the_mask_networks_upstream_file_is_refused(shared_dir: Path) -> None:
    with pytest.raises(UnsafeAssetError, match=r"face_mask_detection\.pth is refused.*MainModel\.KitModel"):
        load_torch_weights(shared_dir / "models" / "face_mask_detection.pth")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a zip"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(UnsafeAssetError, match="it is no checkpoint of tensors"):
        load_torch_weights(tmp_path / "w.pth")


def test_a_checkpoint_of_other_things_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.ones(1), "b": "text"}}, tmp_path / "w.pth")
    with pytest.raises(UnsafeAssetError, match="other things than tensors"):
        load_torch_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_are_read_as_pickle_reads_them(tmp_path: Path, protocol: int) -> None:
    arrays = {
        "mean": np.linspace(-1, 1, 62, dtype=np.float32),
        "table": np.arange(12, dtype=">i2").reshape(3, 4),
        "by_column": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "flags": np.array([True, False]),
        "scalar": np.array(2 + 1j),
        "empty": np.empty((0, 3), np.uint8),
    }
    read = load_pickled_arrays(pickled(tmp_path / "a.pkl", arrays, protocol))
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        assert np.array_equal(read[name], array)
        assert read[name].shape == array.shape
        assert read[name].flags.writeable


def test_the_whitening_of_3ddfa_is_read_as_pickle_reads_it(shared_dir: Path) -> None:
    path = shared_dir / "models" / "param_mean_std_62d_120x120.pkl"
    trusted = pickle.loads(path.read_bytes())  # noqa: S301 - its hash is pinned; the reference of this test
    read = load_pickled_arrays(path)
    assert set(read) == set(trusted) == {"mean", "std"}
    assert all(np.array_equal(read[name], trusted[name]) for name in trusted)


def test_a_program_among_arrays_is_refused_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "it_ran"
    path = pickled(tmp_path / "a.pkl", {"mean": np.ones(3), "std": Program(trace)})
    with pytest.raises(UnsafeAssetError, match=r"a\.pkl is refused, nothing in it was run: it asks for"):
        load_pickled_arrays(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"mean": np.array([{}], dtype=object)}, "only numbers are read"),
        ({"mean": np.zeros(2, dtype=[("a", "i4")])}, "only numbers are read"),
        ({"mean": [1.0, 2.0]}, "its entry 'mean' is a list, not an array"),
        ({3: np.ones(2)}, "its entry 3 is"),
        ([np.ones(2)], "it holds a list, not a dict of arrays"),
        ({"mean": np.float32(1)}, "it asks for"),
        ({"mean": np.ndarray}, "its entry 'mean' is a type"),
    ],
)
def test_anything_but_arrays_of_numbers_by_name_is_refused(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(UnsafeAssetError, match=said):
        load_pickled_arrays(pickled(tmp_path / "a.pkl", content))


def test_a_pickle_that_claims_more_numbers_than_it_has_is_refused(tmp_path: Path) -> None:
    whole = pickle.dumps({"mean": np.ones(62, np.float64)}, protocol=3)
    claims = whole.replace(b"K\x3e", b"K\x7f")
    assert claims != whole
    (tmp_path / "a.pkl").write_bytes(claims)
    with pytest.raises(UnsafeAssetError, match=r"its array of shape \(127,\) has 496 bytes; it is damaged"):
        load_pickled_arrays(tmp_path / "a.pkl")


@pytest.mark.parametrize("cut", [0, 1, 40, -1])
def test_a_cut_pickle_is_refused(tmp_path: Path, cut: int) -> None:
    content = pickle.dumps({"mean": np.ones(62)}, protocol=3)
    (tmp_path / "a.pkl").write_bytes(content[:cut])
    with pytest.raises(UnsafeAssetError, match="it is no pickle of arrays"):
        load_pickled_arrays(tmp_path / "a.pkl")
