"""Reader of numbers, names and tensors from a file of dlib's `serialize`, in an order that the caller knows.

| item | bytes |
|---|---|
| integer | a byte: how many follow, plus 128 for a negative number; then the magnitude, low byte first |
| real | two integers m and e, for m 2^e |
| flag | the letter 0 or 1 |
| name | an integer, the length; then the letters |
| tensor | the integer 2 (format), four integers (shape), then the float32 numbers, low byte first |
| view of a tensor | the integer 1 (format), four integers (shape) |

Formats: dlib's dlib/serialize.h and dlib/cuda/tensor.h.
"""

from math import prod
from pathlib import Path

import numpy as np

from foundation.array_types import Float32Array

__all__ = ["DlibFile"]


class DlibFile:
    """The content of a file and the read position.

    Every method raises ValueError where the file does not hold the expected item; the message says at which byte, what
    was expected and what was found.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            OSError: it cannot be read.
        """
        self._path = path
        self._content = path.read_bytes()
        self._at = 0

    def _error(self, at: int, what: str) -> ValueError:
        return ValueError(
            f"{self._path}: byte {at}: {what}; the file is damaged or not dlib's face recognition network: delete it "
            "and fetch it again"
        )

    def _take(self, size: int, what: str) -> memoryview:
        """Return the next `size` bytes."""
        left = len(self._content) - self._at
        if size > left:
            raise self._error(self._at, f"{what} takes {size} bytes, but the file ends after {left}")
        self._at += size
        return memoryview(self._content)[self._at - size : self._at]

    def _integer(self, what: str) -> int:
        control = self._take(1, what)[0]
        size = control & 0x7F
        if not 1 <= size <= 8:
            raise self._error(self._at - 1, f"expected an integer of 1 to 8 bytes ({what}), found one of {size}")
        magnitude = int.from_bytes(self._take(size, what), "little")
        return -magnitude if control & 0x80 else magnitude

    def expect_integer(self, value: int, what: str) -> None:
        """Read an integer that has to be `value`."""
        at = self._at
        found = self._integer(what)
        if found != value:
            raise self._error(at, f"expected {value} ({what}), found {found}")

    def expect_name(self, name: str) -> None:
        """Read a name that has to be `name`."""
        at = self._at
        self.expect_integer(len(name), f"length of the name {name}")
        found = bytes(self._take(len(name), f"the name {name}"))
        if found != name.encode("ascii"):
            raise self._error(at, f"expected the name {name}, found {found!r}")

    def real(self, what: str) -> float:
        """Read a real number."""
        at = self._at
        mantissa, exponent = self._integer(what), self._integer(what)
        if abs(exponent) > 64:
            raise self._error(at, f"expected a number of ordinary size ({what}), found {mantissa} times 2^{exponent}")
        return float(mantissa * 2.0**exponent)

    def tensor(self, shape: tuple[int, int, int, int]) -> Float32Array:
        """Read the numbers of a tensor that has to have this shape; flat."""
        self.expect_integer(2, "format of a tensor")
        for size in shape:
            self.expect_integer(size, f"size of a tensor of shape {shape}")
        at = self._at
        values: Float32Array = np.frombuffer(self._take(4 * prod(shape), f"a tensor of shape {shape}"), "<f4")
        if not np.isfinite(values).all():
            wrong = int(np.flatnonzero(~np.isfinite(values))[0])
            raise self._error(at + 4 * wrong, f"expected a finite number, found {values[wrong]}")
        return values

    def expect_view(self, shape: tuple[int, int, int, int]) -> None:
        """Read the view of a tensor, which has to have this shape."""
        self.expect_integer(1, "format of a view")
        for size in shape:
            self.expect_integer(size, f"size of a view of shape {shape}")

    def training_rates(self) -> None:
        """Skip a layer's four factors of learning rate and weight decay."""
        for what in ("learning rate", "weight decay", "learning rate of the bias", "weight decay of the bias"):
            self.real(what)

    def training_state(self) -> None:
        """Skip the training state of a layer: three flags, three empty tensors."""
        at = self._at
        flags = bytes(self._take(3, "three flags"))
        if not set(flags) <= set(b"01"):
            raise self._error(at, f"expected three flags of 0 or 1, found {flags!r}")
        for _ in range(3):
            self.tensor((0, 0, 0, 0))

    def expect_end(self) -> None:
        """Make sure that nothing follows."""
        left = len(self._content) - self._at
        if left:
            raise self._error(self._at, f"expected the end of the file, found {left} bytes more")
