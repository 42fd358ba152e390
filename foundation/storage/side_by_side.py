"""Reads side by side, since most of the time of a remote read is waiting."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["side_by_side"]

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


def side_by_side(read: Callable[[InputT], OutputT], inputs: Iterable[InputT], threads: int) -> list[OutputT]:
    """Return what `read` returns for each input, in their order.

    The first error is raised at once: reads in flight are left alone, for a store may keep one waiting for long.

    >>> side_by_side(str.upper, ["a", "b"], threads=2)
    ['A', 'B']
    """
    pool = ThreadPoolExecutor(threads)
    try:
        return list(pool.map(read, inputs))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
