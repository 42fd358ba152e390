"""Choice of the ticks to measure, while the grid ticks of a range come in."""

from collections import deque
from collections.abc import Collection

import numpy as np

from curation.decision.grid import GridLook, clear_failures, cores, grid_look, margin_ticks
from curation.decision.grid_company import SEEN_GRID_TICKS
from curation.decision.settings import RulesSettings
from curation.decision.sparse_grid import Anchors, least_bad
from curation.evidence.measures import GRID_TICKS, Faces
from foundation.array_types import BoolArray, Float32Array, Int64Array
from manifests.schema.face_measures import FACE_MEASURES
from manifests.timeline import TickRange
from manifests.vocabulary import Tier

__all__ = ["CoreChoice"]

_Seen = tuple[int, Float32Array, Float32Array, Float32Array]
"""Row of a grid tick; boxes, scores and points of its faces."""


class CoreChoice:
    """Chooses the cores of a range, and as much around them as makes what is measured in them exact.

    At every moment two bounds are known. Rows that lie in a core even if the range ends here are needed. Rows that lie
    in no core even if a clip begins here are not. What lies between waits for the next grid ticks. A mask is
    interpolated between two measurements, of which one may lie a stride outside of a core, so that as much is measured
    on both sides.
    """

    def __init__(
        self,
        rules: RulesSettings,
        tiers: Collection[Tier],
        face_ratio: float,
        mask_stride: int,
        *,
        goes_on: tuple[bool, bool],
    ) -> None:
        """Begin a range.

        Args:
            rules: their settings.
            tiers: of which clips are asked for.
            face_ratio: width of the face over that of the square that a clip shows.
            mask_stride: ticks between two measurements of a mask.
            goes_on: whether the video goes on before the range, and after it.
        """
        self._rules, self._tiers, self._face_ratio = rules, tiers, face_ratio
        self._goes_on = goes_on
        self._margin = margin_ticks(rules)
        self._reach = self._margin + mask_stride
        self._least_bad = least_bad(rules)
        self._anchors = Anchors.of(rules)
        self._recent: deque[_Seen] = deque(maxlen=SEEN_GRID_TICKS)
        self._row: list[int] = []
        self._reason: list[int] = []
        self._free_from: int | None = 0
        """First row of the stretch that is free of barriers up to now; None within a barrier."""
        self._free_to = 0
        """Row up to which it is certainly free."""
        self._bad: tuple[int, int, int] | None = None
        """First row, last row and number of the bad grid ticks that came last, in a row."""
        self._needed: list[TickRange] = [(0, self._reach)] if goes_on[0] else []
        """Rows that are needed because of stretches that have ended, ascending."""

    @property
    def n_anchors(self) -> int:
        """Groups at the beginning of each period that are searched in any case."""
        return self._anchors.n_groups

    def place(self, tick: int) -> tuple[int, int]:
        """Return the period of a tick, and the number of its group in it; see `TickChoice`."""
        return self._anchors.place(tick)

    def fails(self, box_px: Float32Array, score: Float32Array, key_points_px: Float32Array) -> bool:
        """Return whether a picture with these faces clearly fails by itself; see `TickChoice`."""
        faces, tick = _faces([(0, box_px, score, key_points_px)]), np.zeros(1, dtype=np.int64)
        return bool(clear_failures(faces, tick, self._rules, self._tiers)[0][0] >= 0)

    def saw(self, row: int, box_px: Float32Array, score: Float32Array, key_points_px: Float32Array) -> None:
        """Take notice of the faces on a grid tick; see `TickChoice`."""
        self._recent.append((row, box_px, score, key_points_px))
        # whether two people live is seen on several pictures, all else on this one
        recent = list(self._recent) if len(box_px) > 1 else [self._recent[-1]]
        ticks = np.array([seen[0] for seen in recent], dtype=np.int64)
        look = grid_look(_faces(recent), ticks, self._rules, self._tiers, self._face_ratio)
        self._row.append(row)
        self._reason.append(int(look.reason[-1]))
        self._advance(row, is_bad=self._reason[-1] >= 0)

    def needs(self, first: int, end: int) -> bool | None:
        """Return whether one of the rows ``[first, end)`` is measured; None while that is not certain."""
        current = [] if self._free_from is None else self._certain(self._free_from, self._free_to)
        for low, high in reversed([*self._needed, *current]):
            if high <= first:
                break
            if low < end:
                return True
        begins = self._next_free()
        return False if begins is not None and end <= begins - self._reach else None

    def is_likely(self, row: int) -> bool:
        """Return whether a row lies in a stretch that goes on and may become a clip."""
        return self._free_from is not None and self._free_from <= row

    def may_end(self, n_rows: int) -> bool:
        """Return whether rows after those that were seen may be part of a clip, if the range ends now."""
        begins = self._next_free()
        return self._goes_on[1] or (begins is not None and n_rows - begins >= self._rules.too_short.min_ticks)

    def finish(self, n_rows: int) -> BoolArray:
        """End the range; return (n_rows,) the cores, of which all values are kept."""
        begins, goes_on = self._next_free(), self._goes_on[1]
        if begins is not None and begins < n_rows:
            self._needed += [(begins - self._reach, n_rows)] if goes_on else self._certain(begins, n_rows)
        if goes_on:
            self._needed.append((n_rows - self._reach, n_rows))
        self._free_from, self._bad = None, (n_rows, n_rows + self._reach, 1)
        look = GridLook(
            tick=_whole_numbers(self._row), reason=_whole_numbers(self._reason), value=np.zeros(0, dtype=np.float32)
        )
        return cores(look, n_rows, self._rules, self._margin, goes_on=self._goes_on)

    def _advance(self, row: int, *, is_bad: bool) -> None:
        """Take notice of whether the next grid tick is bad."""
        last = self._bad
        goes_on = is_bad and last is not None and row - last[1] < 2 * GRID_TICKS
        if last is not None and goes_on:
            self._bad = (last[0], row, last[2] + 1)
        else:
            self._free_from = self._next_free()
            self._bad, self._free_to = ((row, row, 1), row) if is_bad else (None, row + 1)
        if self._bad is not None and self._bad[2] >= self._least_bad and self._free_from is not None:
            self._needed += self._certain(self._free_from, self._bad[0])
            self._free_from = None

    def _next_free(self) -> int | None:
        """Return the first row that may be free, of the stretch that goes on or of the next one."""
        return self._free_from if self._free_from is not None or self._bad is None else self._bad[1] + 1

    def _certain(self, first: int, end: int) -> list[TickRange]:
        """Return the rows that a free stretch ``[first, end)`` makes needed, one range or none."""
        may_be_longer = self._goes_on[0] and first == 0
        if end > first and (may_be_longer or end - first >= self._rules.too_short.min_ticks):
            return [(first - self._reach, end + self._reach)]
        return []


def _whole_numbers(values: list[int]) -> Int64Array:
    return np.array(values, dtype=np.int64)


def _faces(recent: list[_Seen]) -> Faces:
    """Return faces of which boxes, scores and points alone are known."""
    tick = np.concatenate([np.full(len(boxes), row, dtype=np.int64) for row, boxes, _, _ in recent])
    known = {
        "box_px": np.concatenate([boxes for _, boxes, _, _ in recent]),
        "score": np.concatenate([score for _, _, score, _ in recent]),
        "key_points_px": np.concatenate([points for _, _, _, points in recent]),
    }
    missing = {m.field: m.unmeasured(len(tick)) for m in FACE_MEASURES if m.field not in known}
    return Faces(tick=tick, **known, **missing)  # type: ignore[arg-type]  # by the names of its fields
