"""Arrays of numbers read from their own bytes of a Parquet file, with neither footer nor Arrow.

In a file with one row a row group, such as a manifest of clips, a column of a row is one range of bytes. Where it lies
is looked up once (`array_ranges`); `array_in` then decodes it in a quarter of the time that Arrow takes, which builds
lists in lists, number by number. It accepts what this software writes: pages of the first version, compressed with
zstd, values plain or as split byte streams, no nulls, lists of equal length. Of anything else it says nothing, and
Arrow decides what it is. The format is that of parquet-format's `Encodings.md` and `parquet.thrift`.
"""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from foundation.storage.array_columns import ArrayKind, Numbers
from foundation.storage.parquet_pages import DATA_PAGE, PLAIN, RLE, SPLIT, OversizedError, long_number, page_at

__all__ = ["MOST_BYTES", "array_in"]

MOST_BYTES = 512 << 20
"""Most bytes of the numbers of an array, and of what is stored of it. A clip of ten minutes takes a tenth of it."""

_LEVELS_BYTES = 2
"""Bytes of the levels of a value; two bits are usual."""

_LEVEL_BITS = 2
"""Bits of a repetition level of two or three nested lists."""

_FOUR_LEVELS = (
    np.stack([np.arange(256) >> shift & 3 for shift in (0, 2, 4, 6)], axis=1).astype(np.uint8).view(np.uint32)[:, 0]
)
"""By the value of a byte, the four levels in it, as one number of four bytes."""

_KNOWN = 4096
"""Encodings of levels that are remembered."""


class _NumberPage(NamedTuple):
    levels: bytes
    """Repetition levels, encoded."""
    n_values: int
    encoding: int
    numbers: npt.NDArray[np.uint8]
    """Encoded."""


class _OtherBytesError(Exception):
    """A column is not as this software writes it."""


def array_in(
    content: bytes,
    kind: ArrayKind,
    inner: Sequence[int | None],
    n_rows: int,
    rows: Sequence[int] | None = None,
    *,
    finite: bool = False,
) -> Numbers | None:
    """Return the array in the bytes of a column of a row; None where Arrow has to read it.

    Args:
        content: the bytes.
        kind: the column.
        inner: lengths of the inner lists, such as (478, 2) of landmarks; None: any.
        n_rows: length of the outer list; no more numbers than it has are decoded.
        rows: places in the outer list, of which alone the numbers are returned, in their order; None: of all.
        finite: only an array whose numbers are all finite, those that are not returned included.
    """
    try:
        return _array_in(content, kind, inner, n_rows, rows, finite=finite)
    except (_OtherBytesError, OversizedError, pa.ArrowException, ValueError, IndexError, OSError):  # OSError: of zstd
        return None


def _array_in(
    content: bytes,
    kind: ArrayKind,
    inner: Sequence[int | None],
    n_rows: int,
    rows: Sequence[int] | None,
    *,
    finite: bool,
) -> Numbers:
    most_values = (
        MOST_BYTES // kind.number.itemsize if None in inner else n_rows * math.prod(size or 0 for size in inner)
    )
    pages = list(_pages(content, kind, most_values))
    n_values = sum(page.n_values for page in pages)
    if None in inner:
        known = n_rows * math.prod(size for size in inner if size is not None)
        inner = [n_values // known if size is None else size for size in inner]
    shape = (n_rows, *(size or 0 for size in inner))
    _require(len(shape) == kind.lists and n_values == math.prod(shape))
    _require_array([(page.levels, page.n_values) for page in pages], shape)
    if finite:
        _require(all(_is_finite(page, kind) for page in pages))
    if rows is None or len(pages) > 1:
        whole = np.concatenate([_numbers(page, kind, 0, page.n_values) for page in pages]).reshape(shape)
        return whole if rows is None else whole[list(rows)]
    of_row = n_values // n_rows
    return np.stack([_numbers(pages[0], kind, of_row * row, of_row * (row + 1)).reshape(shape[1:]) for row in rows])


_known_levels: OrderedDict[tuple[bytes, tuple[int, ...]], None] = OrderedDict()
"""Digests of encodings of levels that were found to be those of arrays, and the shapes of these.

Levels depend on the shape alone, and take a third of the time of a clip's landmarks to decode.
"""


def _require_array(encoded: Sequence[tuple[bytes, int]], shape: tuple[int, ...]) -> None:
    """Require repetition levels of an array.

    Args:
        encoded: of each page, its levels and how many they are.
        shape: of the array.
    """
    digest = hashlib.sha256(usedforsecurity=False)
    for levels, n_values in encoded:
        digest.update(b"%d %d " % (n_values, len(levels)))
        digest.update(levels)
    known = (digest.digest(), shape)
    if known in _known_levels:
        return
    _require_levels(np.concatenate([_levels(levels, n_values) for levels, n_values in encoded]).reshape(shape))
    _known_levels[known] = None
    if len(_known_levels) > _KNOWN:
        _known_levels.popitem(last=False)


def _require_levels(levels: npt.NDArray[np.uint8]) -> None:
    """Require repetition levels of an array: each is the number of lists, from outside, that go on at its number."""
    shape = levels.shape
    expected = np.full(shape[1:], len(shape), np.uint8)
    for level in reversed(range(1, len(shape))):
        expected[(...,) + (0,) * (len(shape) - level)] = level
    _require(levels.flat[0] == 0)
    levels.flat[0] = 1
    _require((levels == expected).all())


def _require(holds: bool | np.bool_) -> None:
    if not holds:
        raise _OtherBytesError


def _pages(content: bytes, kind: ArrayKind, most_values: int) -> Iterator[_NumberPage]:
    """Yield the pages, with as many numbers as are stated and no more than `most_values` in all."""
    position = 0
    whole = memoryview(content)
    width = kind.number.itemsize
    while position < len(content):
        page, length = page_at(lambda at, n_bytes: content[at : at + n_bytes], position)
        position += length
        _require(page.kind == DATA_PAGE and page.level_encodings == (RLE, RLE))
        _require(0 < page.n_values <= most_values)
        most_values -= page.n_values
        # before memory is reserved: no more than the numbers and their levels take
        _require(0 <= page.n_bytes <= width * page.n_values + _LEVELS_BYTES * (page.n_values + 8))
        _require(0 < page.stored_bytes <= len(content) - position)
        body = pa.decompress(whole[position : position + page.stored_bytes], page.n_bytes, codec="zstd", asbytes=True)
        position += page.stored_bytes
        repeated, at = _levels_at(body, 0)
        defined, at = _levels_at(body, at)
        _require_all_present(defined, page.n_values, kind.present)
        _require(len(body) - at == width * page.n_values)
        _require(page.encoding == PLAIN or (page.encoding == SPLIT and width == 4))
        yield _NumberPage(repeated, page.n_values, page.encoding, np.frombuffer(body, np.uint8, offset=at))


def _levels_at(body: bytes, at: int) -> tuple[bytes, int]:
    """Return encoded levels, which follow their length, and where they end."""
    _require(at + 4 <= len(body))
    end = at + 4 + int.from_bytes(body[at : at + 4], "little")
    _require(end <= len(body))
    return body[at + 4 : end], end


def _require_all_present(encoded: bytes, n_values: int, present: int) -> None:
    """Require one run of one level."""
    header, at = long_number(encoded, 0)
    _require(header == n_values << 1 and len(encoded) == at + 1 and encoded[at] == present)


def _levels(encoded: bytes, n_values: int) -> npt.NDArray[np.uint8]:
    """Return (n_values,) repetition levels: runs of one level, and groups of eight levels of two bits."""
    found = np.empty(n_values + 7, np.uint8)
    content = np.frombuffer(encoded, np.uint8)
    at = done = 0
    while done < n_values:
        header, first = long_number(encoded, at)
        count = header >> 1
        if header & 1:
            n_bytes = _LEVEL_BITS * count
            # many runs of the same length follow each other: all are taken at once
            runs = _equal_runs(content[at:], first - at, n_bytes)
            levels = _FOUR_LEVELS[runs[:, first - at :].ravel()].view(np.uint8)
            at += runs.size
            _require(0 < len(levels) < n_values - done + 8)  # the last group may be larger than what is left
            count = len(levels)
            found[done : done + count] = levels
        else:
            _require(0 < count <= n_values - done)
            found[done : done + count] = encoded[first]
            at = first + 1
        done += count
    _require(at == len(encoded))
    return found[:n_values]


def _equal_runs(content: npt.NDArray[np.uint8], header: int, n_bytes: int) -> npt.NDArray[np.uint8]:
    """Return (runs, header + n_bytes) the runs at the beginning that have the same header, one of them at least."""
    length = header + n_bytes
    _require(length <= len(content))
    if header > 1:
        return content[None, :length]
    runs = content[: len(content) // length * length].reshape(-1, length)
    others = np.flatnonzero(runs[:, 0] != runs[0, 0])
    return runs[: others[0]] if len(others) else runs


def _numbers(page: _NumberPage, kind: ArrayKind, first: int, last: int) -> Numbers:
    """Return (last - first,) numbers of a page."""
    if page.encoding == PLAIN:
        return np.asarray(page.numbers.view(kind.number)[first:last])
    # the first bytes of all numbers, then their second ones, and so on, the lowest first
    streams = page.numbers.reshape(4, -1)[:, first:last]
    bits = streams[3].astype(np.uint32)
    for stream in streams[2::-1]:
        bits <<= np.uint32(8)
        bits |= stream
    numbers: Numbers = bits.view(np.float32)
    return numbers


def _is_finite(page: _NumberPage, kind: ArrayKind) -> bool:
    """Return whether all numbers are finite; False also where a split one is 2^127 or more."""
    if page.encoding == PLAIN:
        return bool(np.isfinite(page.numbers.view(kind.number)).all())
    # sign and the upper seven bits of the exponent
    upper = page.numbers[3 * page.n_values :]
    return not bool(((upper & np.uint8(127)) == 127).any())
