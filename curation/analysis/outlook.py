"""Which ticks of a range have to be measured, as far as the pictures seen up to now tell."""

from typing import Protocol

from curation.evidence.measures import Faces

__all__ = ["BeginOutlook", "Outlook"]


class Outlook(Protocol):
    """What the grid ticks of one range leave to be measured. Grid ticks and questions come in ascending order."""

    @property
    def free_from(self) -> int | None:
        """First tick of the stretch that goes on now and may become a clip; None where none goes on."""

    @property
    def longest_wait_ticks(self) -> int:
        """Ticks that may pass before it is certain whether a tick is needed, where a clip may begin."""

    def add(self, tick: int, faces: Faces) -> None:
        """Add a grid tick with its faces, whose `tick` it is. Of these, only what the finder gives is measured."""

    def needs(self, first: int, end: int) -> bool | None:
        """Return whether a tick of ``[first, end)`` has to be measured; None while that is not certain."""

    def finish(self, end_tick: int, *, goes_on: bool) -> None:
        """End the range before a tick; after that all is certain. `goes_on` where the video has more."""


class BeginOutlook(Protocol):
    """Begins an outlook on a range."""

    def __call__(self, first_tick: int, *, goes_on_before: bool) -> Outlook:
        """Return it; `goes_on_before` where the video has ticks before the range."""
