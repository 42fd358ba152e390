"""Numbers, names and tensors are read as dlib writes them; anything else is an error that says what and where."""

import struct
from pathlib import Path

import pytest

from curation.perception.identity.dlib_file import DlibFile


def written(folder: Path, content: bytes) -> DlibFile:
    path = folder / "numbers.dat"
    path.write_bytes(content)
    return DlibFile(path)


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"\x01\x00", 0), (b"\x01\x96", 150), (b"\x02\x80\x12", 0x1280), (b"\x81\x04", -4), (b"\x82\x00\x01", -256)],
)
def test_an_integer_is_its_length_its_sign_and_its_bytes(tmp_path: Path, content: bytes, value: int) -> None:
    file = written(tmp_path, content)
    file.expect_integer(value, "a number")
    file.expect_end()


def test_a_real_is_a_mantissa_times_a_power_of_two(tmp_path: Path) -> None:
    assert written(tmp_path, b"\x01\x10\x81\x04").real("one") == 1.0
    assert written(tmp_path, b"\x81\x03\x01\x02").real("minus twelve") == -12.0


def test_a_tensor_is_its_format_its_shape_and_its_numbers(tmp_path: Path) -> None:
    content = b"\x01\x02" + b"\x01\x02\x01\x03\x01\x01\x01\x01" + struct.pack("<6f", 1, 2, 3, 4, 5, -0.5)
    assert written(tmp_path, content).tensor((2, 3, 1, 1)).tolist() == [1, 2, 3, 4, 5, -0.5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "byte 0: a number takes 1 bytes, but the file ends after 0"),
        (b"\x02\x80", "byte 1: a number takes 2 bytes, but the file ends after 1"),
        (b"\x00", "byte 0: expected an integer of 1 to 8 bytes .a number., found one of 0"),
        (b"\x49" + b"\x00" * 73, "found one of 73"),
        (b"\x01\x07", "byte 0: expected 8 .a number., found 7"),
    ],
)
def test_a_wrong_integer_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        written(tmp_path, content).expect_integer(8, "a number")


def test_a_number_out_of_all_proportion_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"found 1 times 2\^65535"):
        written(tmp_path, b"\x01\x01\x02\xff\xff").real("margin")


def test_a_tensor_with_a_number_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    content = b"\x01\x02" + b"\x01\x02\x01\x01\x01\x01\x01\x01" + struct.pack("<2f", 1, float("nan"))
    with pytest.raises(ValueError, match="byte 14: expected a finite number, found nan"):
        written(tmp_path, content).tensor((2, 1, 1, 1))
