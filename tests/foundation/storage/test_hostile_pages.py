"""Pages of Parquet that somebody made to be read: no array, no wait, and no more memory than an honest page takes."""

import tracemalloc
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from foundation.storage.array_columns import array_kind
from foundation.storage.parquet_arrays import array_in
from manifests.schema.clips import CLIPS

POSE = array_kind(CLIPS.column("pose_deg").field)

N_ROWS = 4

NUMBERS = np.arange(3 * N_ROWS, dtype="<f4").tobytes()

REPEATED = (
    bytes([2 << 1 | 1])
    + np.packbits(
        np.array([[level & 1, level >> 1] for level in ([0, 2, 2] + [1, 2, 2] * (N_ROWS - 1) + [0] * 4)]).ravel(),
        bitorder="little",
    ).tobytes()
)
"""Levels of four rows of three numbers, two bits each: a run of two groups of eight, the last four for nothing."""

ALL_THERE = bytes([12 << 1, POSE.present])
"""One run of twelve numbers that are there."""

MOST_BYTES = 1 << 20
"""Memory that may be taken meanwhile; the bombs take a hundred times as much."""


def _varint(number: int) -> bytes:
    number = number << 1 ^ (-1 if number < 0 else 0)
    groups = [number >> shift & 127 for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def _fields(numbers: Sequence[int]) -> bytes:
    return b"".join(b"\x15" + _varint(number) for number in numbers)


def _page(
    *,
    body: bytes | None = None,
    kind: int = 0,
    n_values: int = 12,
    encoding: int = 0,
    levels: tuple[int, int] = (3, 3),
    n_bytes: int | None = None,
    stored: int | None = None,
    repeated: bytes = REPEATED,
    defined: bytes = ALL_THERE,
) -> bytes:
    """A page of version 1 as `parquet.thrift` has it, with whatever is wrong about it."""
    if body is None:
        body = b"".join(len(part).to_bytes(4, "little") + part for part in (repeated, defined)) + NUMBERS
    content = pa.compress(body, codec="zstd", asbytes=True)
    head = _fields([kind, len(body) if n_bytes is None else n_bytes, len(content) if stored is None else stored])
    return head + b"\x2c" + _fields([n_values, encoding, *levels]) + b"\0\0" + content


def _found(content: bytes) -> np.ndarray | None:
    return array_in(content, POSE, (3,), N_ROWS)


def test_the_page_without_a_fault_is_read() -> None:
    found = _found(_page())
    assert found is not None
    assert np.array_equal(found, np.arange(12).reshape(4, 3))


_WRONG = {
    "another kind of page": _page(kind=2),
    "a kind that is none": _page(kind=77),
    "no values": _page(n_values=0),
    "fewer than no values": _page(n_values=-12),
    "more values than the array has": _page(n_values=13),
    "values of four GiB": _page(n_values=1 << 30),
    "values beyond 64 bits": _page(n_values=1 << 62),
    **{f"encoding {number}": _page(encoding=number) for number in (-1, 2, 5, 6, 7, 8, 99)},
    "levels in the old way": _page(levels=(4, 4)),
    "levels in no way": _page(levels=(3, 12)),
    "fewer than no bytes": _page(n_bytes=-1),
    "two GiB": _page(n_bytes=(1 << 31) - 1),
    "bytes beyond 64 bits": _page(n_bytes=1 << 62),
    "fewer bytes than there are": _page(n_bytes=20),
    "more bytes than there are": _page(n_bytes=75),
    "nothing stored": _page(stored=0),
    "fewer than nothing stored": _page(stored=-5),
    "stored beyond the end": _page(stored=1 << 40),
    "a bomb": _page(body=bytes(200 << 20), n_bytes=70),
    "a run of no levels": _page(repeated=b"\0\1" * 20),
    "a run of no groups": _page(repeated=b"\1" * 20),
    "a run of levels without end": _page(repeated=b"\xff\xff\xff\xff\xff\xff\xff\xff\x7e\1"),
    "groups without end": _page(repeated=b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
    "a length of a run without end": _page(repeated=b"\xff" * 40),
    "levels of something else": _page(repeated=REPEATED[:1] + b"\0\0\0\0"),
    "levels and more": _page(repeated=REPEATED + b"\2\1"),
    "no levels": _page(repeated=b""),
    "levels beyond the page": _page(body=b"\xff\xff\xff\xff" + bytes(66)),
    "a null": _page(defined=bytes([12 << 1, POSE.present - 1])),
    "nulls in two runs": _page(defined=bytes([6 << 1, POSE.present, 6 << 1, POSE.present])),
    "a header of a number without end": b"\x15" + b"\xff" * 100_000,
    "structures in each other": b"\x1c" * 100_000,
    "a list": b"\x19" * 100,
    "a text without end": b"\x18\xff\xff\xff\xff\x7f",
    "a header that does not end": b"\x11" * 3_000_000,
    "nothing": b"",
    "a page too many": _page() * 2,
    "thousands of pages": _page(n_values=1) * 20_000,
}


@pytest.mark.parametrize("content", _WRONG.values(), ids=_WRONG)
def test_a_page_that_is_wrong_is_no_array_and_takes_no_memory(content: bytes) -> None:
    tracemalloc.start()
    try:
        assert _found(content) is None
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES + 2 * len(content)
    finally:
        tracemalloc.stop()
