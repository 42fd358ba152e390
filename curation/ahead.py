"""Reading on while what was read is written."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ahead"]

_T = TypeVar("_T")


class _End:
    """There is nothing more."""


def ahead(items: Iterator[_T], n: int) -> Generator[_T, None, None]:
    """Yield what an iterator yields, which a thread asks for up to `n` items before they are wanted.

    What the iterator raises is raised when its turn comes. Close this generator before what the iterator reads from.

    >>> list(ahead(iter("abc"), 2))
    ['a', 'b', 'c']
    """
    end = _End()
    with ThreadPoolExecutor(1) as thread:
        waiting = deque(thread.submit(next, items, end) for _ in range(n))
        while not isinstance(item := waiting.popleft().result(), _End):
            waiting.append(thread.submit(next, items, end))
            yield item
