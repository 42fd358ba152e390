"""Numbers that a dataset states about itself: checked where they are read, in one place."""

from typing import Annotated

from pydantic import Field

from manifests.files.names import UnsafeValueError

__all__ = [
    "LONGEST_S",
    "MOST_BYTES",
    "Count",
    "Count32",
    "Degrees",
    "FiniteNumber",
    "Hours",
    "Seconds",
    "whole_number",
]

MOST_BYTES = 2**63 - 1
"""Largest number of bytes that a column of int64 can state."""

LONGEST_S = 2 * 24 * 3600
"""Most seconds that a column can state. Videos have a day at most."""

Count = Annotated[int, Field(ge=0, le=MOST_BYTES)]

Count32 = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""What a column of int32 can count."""

Degrees = Annotated[int, Field(ge=-360, le=360)]

FiniteNumber = Annotated[float, Field(allow_inf_nan=False)]

Seconds = Annotated[float, Field(ge=0.0, le=LONGEST_S, allow_inf_nan=False)]

Hours = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


def whole_number(value: object, what: str) -> int:
    """Return a whole number from 0 to the largest of int64.

    Args:
        value: what a dataset states.
        what: what it is the number of, for the message.

    Raises:
        UnsafeValueError: it is something else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_BYTES:
        raise UnsafeValueError(f"{what} is {value!r:.100}, which it cannot be")
    return value
