"""The network gives dlib's own numbers, and a damaged weight file is refused."""

from collections.abc import Callable
from pathlib import Path

import dlib
import numpy as np
import pytest

from curation.perception.identity.dlib_network import DlibNetwork
from curation.perception.identity.dlib_weights import read_face_weights
from foundation.array_types import RgbImage
from foundation.weights import ensure_assets


@pytest.fixture(scope="module")
def weight_file() -> Path:
    return ensure_assets(["dlib_face_recognition_resnet"])["dlib_face_recognition_resnet"]


def chips() -> dict[str, RgbImage]:
    """Pictures unlike each other: the network's numbers range over all that pictures can make of them."""
    rng = np.random.default_rng(2)
    ramp = np.linspace(0, 255, 150)
    return {
        "noise": rng.integers(0, 256, (150, 150, 3), dtype=np.uint8),
        "black": np.zeros((150, 150, 3), np.uint8),
        "red": np.tile(np.array([255, 0, 0], np.uint8), (150, 150, 1)),
        "ramps": np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], 255 - ramp[:, None]), axis=2).astype(np.uint8),
    }


def test_descriptors_are_those_of_dlib(weight_file: Path) -> None:
    network, reference = DlibNetwork(weight_file), dlib.face_recognition_model_v1(str(weight_file))
    for name, chip in chips().items():
        descriptor = network(chip)
        assert descriptor.shape == (128,)
        assert descriptor.dtype == np.float32
        np.testing.assert_allclose(
            descriptor, np.array(reference.compute_face_descriptor(chip)), rtol=0, atol=1e-5, err_msg=name
        )


def test_a_picture_of_another_size_is_refused(weight_file: Path) -> None:
    with pytest.raises(ValueError, match=r"\(151, 150, 3\)"):
        DlibNetwork(weight_file)(np.zeros((151, 150, 3), np.uint8))


def test_the_mean_is_that_of_the_example(weight_file: Path) -> None:
    # dlib's input_rgb_image_sized: average red, green and blue of its training pictures
    assert read_face_weights(weight_file).mean_rgb == pytest.approx([122.782, 117.001, 104.298], abs=1e-5)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda whole: whole[:0], "byte 0: .* the file ends after 0"),
        (lambda whole: whole[:1000], "a tensor of shape .4736, 1, 1, 1. takes 18944 bytes, but the file ends after 6"),
        (lambda whole: whole[:-1], "the file ends after 0"),
        (lambda whole: whole + b"\x00", "expected the end of the file, found 1 bytes more"),
        (lambda whole: whole.replace(b"con_4", b"con_5", 1), "byte 334: expected the name con_4, found b'con_5'"),
        (lambda whole: whole.replace(b"\x05relu_", b"\x06relu__", 1), "expected 5 .length of the name relu_., found 6"),
        (lambda whole: whole[:341] + b"\x01\x01" + whole[343:], "byte 341: expected 2 .format of a tensor., found 1"),
        (lambda whole: b"\x80\x02}q" + whole[4:], "byte 0: expected an integer"),
    ],
    ids=["empty", "cut in a layer", "cut by one byte", "one byte more", "tag", "length of a tag", "format", "a pickle"],
)
def test_a_damaged_file_is_refused(
    weight_file: Path, tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / "damaged.dat"
    path.write_bytes(damage(weight_file.read_bytes()))
    with pytest.raises(ValueError, match=message) as raised:
        DlibNetwork(path)
    assert str(raised.value).startswith(f"{path}: byte ")
