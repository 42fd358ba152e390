"""Search for the cores of a range while its grid ticks come in, so that few pictures wait to be measured."""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from curation.decision.grid import grid_look, margin_ticks
from curation.decision.grid_company import SEEN_GRID_TICKS
from curation.decision.settings import RulesSettings
from curation.evidence.measures import GRID_TICKS, Faces
from manifests.timeline import TickRange
from manifests.vocabulary import Tier

__all__ = ["CoreSearch"]


class CoreSearch:
    """The cores of one range of a video, as far as the grid ticks up to now tell.

    At every moment two bounds are known. Ticks that lie in a core even if the video stops here are needed. Ticks that
    lie in no core even if a clip begins here are not. What lies between waits for the next grid ticks. At the end of the
    range the needed ticks are those of `cores`, with a margin that is wider by the stride of the masks.
    """

    def __init__(
        self,
        rules: RulesSettings,
        tiers: Collection[Tier],
        face_ratio: float,
        mask_stride: int,
        first_tick: int,
        *,
        goes_on_before: bool,
    ) -> None:
        """Begin a range.

        Args:
            rules: their settings.
            tiers: of which clips are asked for.
            face_ratio: width of the face over that of the square that a clip shows.
            mask_stride: ticks between two measurements of a mask.
            first_tick: of the range.
            goes_on_before: whether the video has ticks before the range, of which nothing is known here.
        """
        self._rules, self._tiers, self._face_ratio = rules, tiers, face_ratio
        # a mask is interpolated between two measurements, of which one may lie a stride outside of a core
        self._margin = margin_ticks(rules) + mask_stride
        self._least = 2 + rules.no_face.bridge_ticks // GRID_TICKS
        self._first = first_tick
        self._goes_on_before = goes_on_before
        self._recent: deque[Faces] = deque(maxlen=SEEN_GRID_TICKS)
        self._recent_ticks: deque[int] = deque(maxlen=SEEN_GRID_TICKS)
        self._free_from: int | None = first_tick
        """First tick of the stretch that is free of barriers up to now; None within a barrier."""
        self._bad: tuple[int, int, int] | None = None
        """First tick, last tick and number of the bad grid ticks that came last, in a row."""
        self._end = first_tick
        """Tick after the last that is known not to be behind a barrier."""
        self._needed: list[TickRange] = []
        """Of stretches that have ended, ascending."""
        if goes_on_before:
            self._needed.append((first_tick, first_tick + self._margin))

    @property
    def free_from(self) -> int | None:
        """First tick of the stretch, free of barriers, that goes on now; None within a barrier."""
        return self._free_from

    @property
    def longest_wait_ticks(self) -> int:
        """Ticks that may pass before it is certain whether a tick is needed, where a clip may begin."""
        return self._margin + self._rules.too_short.min_ticks + (self._least + 2) * GRID_TICKS

    def add(self, tick: int, faces: Faces) -> None:
        """Add a grid tick with its faces, whose `tick` it is."""
        self._recent.append(faces)
        self._recent_ticks.append(tick)
        if not self._is_bad(tick, faces):
            if self._free_from is None and self._bad is not None:
                self._free_from = self._bad[1] + 1
            self._bad, self._end = None, tick + 1
            return
        if self._bad is None or tick - self._bad[1] >= 2 * GRID_TICKS:
            if self._free_from is None and self._bad is not None:
                self._free_from = self._bad[1] + 1
            self._bad, self._end = (tick, tick, 1), tick
        else:
            self._bad = (self._bad[0], tick, self._bad[2] + 1)
        if self._bad[2] >= self._least and self._free_from is not None:
            self._close(self._free_from, self._bad[0])
            self._free_from = None

    def needs(self, first: int, end: int) -> bool | None:
        """Return whether a tick of ``[first, end)`` has to be measured; None while that is not certain."""
        current = [] if self._free_from is None else self._certain(self._free_from, self._end)
        for low, high in reversed([*self._needed, *current]):
            if high <= first:
                break
            if low < end:
                return True
        begins = self._free_from if self._free_from is not None or self._bad is None else self._bad[1] + 1
        return False if begins is not None and end <= begins - self._margin else None

    def finish(self, end_tick: int, *, goes_on: bool) -> None:
        """End the range at a tick; `goes_on` where the video has more. Then nothing is uncertain.

        Args:
            end_tick: tick after the last.
            goes_on: whether the video has ticks after the range.
        """
        free_from = self._free_from
        if free_from is None and self._bad is not None:
            free_from = self._bad[1] + 1
        if free_from is not None and free_from < end_tick:
            if goes_on:
                self._needed.append((free_from - self._margin, end_tick))
            else:
                self._close(free_from, end_tick)
        if goes_on:
            self._needed.append((end_tick - self._margin, end_tick))
        self._free_from, self._bad = end_tick + self._margin, None
        self._end = self._free_from

    def _close(self, first: int, end: int) -> None:
        self._needed += self._certain(first, end)

    def _certain(self, first: int, end: int) -> list[TickRange]:
        """Return the ticks that a free stretch ``[first, end)`` makes needed, one range or none."""
        may_be_longer = self._goes_on_before and first == self._first
        if end > first and (may_be_longer or end - first >= self._rules.too_short.min_ticks):
            return [(first - self._margin, end + self._margin)]
        return []

    def _is_bad(self, tick: int, faces: Faces) -> bool:
        recent, ticks = [faces], [tick]
        if len(faces) > 1:  # whether two people are alive is seen on several pictures
            recent, ticks = list(self._recent), list(self._recent_ticks)
        look = grid_look(_joined(recent), np.array(ticks), self._rules, self._tiers, self._face_ratio)
        return bool(look.reason[-1] >= 0)


def _joined(parts: Sequence[Faces]) -> Faces:
    """Return the faces of grid ticks in one, as far as `grid_look` reads them."""
    if len(parts) == 1:
        return parts[0]
    return replace(
        parts[0],
        tick=np.concatenate([faces.tick for faces in parts]),
        box_px=np.concatenate([faces.box_px for faces in parts]),
        score=np.concatenate([faces.score for faces in parts]),
        key_points_px=np.concatenate([faces.key_points_px for faces in parts]),
    )
