"""Choice of the ticks to measure, while the grid ticks of a range come in."""

from collections.abc import Collection

import numpy as np

from curation.decision.grid import GridLook, cores, grid_look, margin_ticks
from curation.decision.grid_company import SEEN_GRID_TICKS
from curation.decision.settings import RulesSettings
from curation.evidence.measures import GRID_TICKS, Faces
from curation.rules.runs import true_runs
from foundation.array_types import BoolArray, Float32Array
from manifests.schema.face_measures import FACE_MEASURES
from manifests.vocabulary import Tier

__all__ = ["CoreChoice"]


class CoreChoice:
    """Chooses the cores of a range, and as much around them as makes what is measured in them exact.

    Faces are followed from tick to tick, and masks are interpolated between ticks that are multiples of a stride. So a
    run begins in the group before its core, at a multiple of the stride or before it, and ends at one.
    """

    def __init__(
        self,
        rules: RulesSettings,
        tiers: Collection[Tier],
        face_ratio: float,
        mask_stride: int,
        *,
        first_tick: int,
        goes_on: tuple[bool, bool],
    ) -> None:
        """Begin a range.

        Args:
            rules: their settings.
            tiers: of which clips are asked for.
            face_ratio: width of the face over that of the square that a clip shows.
            mask_stride: ticks between two measurements of a mask.
            first_tick: of the range.
            goes_on: whether the video goes on before the range, and after it.
        """
        self._rules, self._tiers, self._face_ratio = rules, tiers, face_ratio
        self._stride, self._first, self._goes_on = mask_stride, first_tick, goes_on
        self._margin = margin_ticks(rules)
        self._recent: list[tuple[int, Float32Array, Float32Array, Float32Array]] = []
        self._tick: list[int] = []
        self._reason: list[int] = []

    def saw(self, row: int, box_px: Float32Array, score: Float32Array, key_points_px: Float32Array) -> None:
        """Take notice of the faces on a grid tick; see `TickChoice`."""
        self._recent = [*self._recent[1 - SEEN_GRID_TICKS :], (row, box_px, score, key_points_px)]
        look = grid_look(
            _faces(self._recent),
            np.array([recent[0] for recent in self._recent], dtype=np.int64),
            self._rules,
            self._tiers,
            self._face_ratio,
        )
        self._tick.append(row)
        self._reason.append(int(look.reason[-1]))

    def certain(self, n_rows: int) -> tuple[BoolArray, BoolArray]:
        """Return (n_rows,) which rows are measured for certain, and which are not."""
        shut = self._cores(n_rows, goes_on=False)
        ajar = self._cores(n_rows, goes_on=True)
        return self._widened(shut), ~self._widened(ajar)

    def final(self, n_rows: int) -> tuple[BoolArray, BoolArray]:
        """Return (n_rows,) which rows are measured, after the last, and the cores among them."""
        core = self._cores(n_rows, goes_on=self._goes_on[1])
        return self._widened(core), core

    def _cores(self, n_rows: int, *, goes_on: bool) -> BoolArray:
        look = GridLook(
            tick=np.array(self._tick, dtype=np.int64),
            reason=np.array(self._reason, dtype=np.int64),
            value=np.zeros(0, dtype=np.float32),
        )
        return cores(look, n_rows, self._rules, self._margin, goes_on=(self._goes_on[0], goes_on))

    def _widened(self, core: BoolArray) -> BoolArray:
        wide = core.copy()
        for first, end in true_runs(core):
            tick, last = self._first + first, self._first + end - 1
            begin = (tick // self._stride * self._stride // GRID_TICKS - 1) * GRID_TICKS
            stop = -(-last // self._stride) * self._stride + 1
            wide[max(0, begin - self._first) : stop - self._first] = True
        return wide


def _faces(recent: list[tuple[int, Float32Array, Float32Array, Float32Array]]) -> Faces:
    """Return faces of which boxes, scores and points alone are known."""
    tick = np.concatenate([np.full(len(boxes), row, dtype=np.int64) for row, boxes, _, _ in recent])
    known = {
        "box_px": np.concatenate([boxes for _, boxes, _, _ in recent]),
        "score": np.concatenate([score for _, _, score, _ in recent]),
        "key_points_px": np.concatenate([points for _, _, _, points in recent]),
    }
    missing = {m.field: m.unmeasured(len(tick)) for m in FACE_MEASURES if m.field not in known}
    return Faces(tick=tick, **known, **missing)  # type: ignore[arg-type]  # by the names of its fields
