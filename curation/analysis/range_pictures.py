"""The pictures of a range of ticks: each is measured as it comes, or as soon as it is certain that it is needed."""

import numpy as np

from curation.analysis.face_collector import FaceCollector
from curation.analysis.outlook import BeginOutlook
from curation.analysis.waiting import WaitingPictures
from curation.evidence.measures import GRID_TICKS, FrameEvidence
from curation.media.convert import LazyImage
from curation.media.frames_again import FramesAgain
from curation.media.probe import VideoInfo
from curation.media.settings import MediaSettings
from curation.perception.models import Perception
from foundation.array_types import Float32Array
from manifests.timeline import TickRange

__all__ = ["RangePictures"]


class RangePictures:
    """Collector of the evidence of a range, picture by picture."""

    def __init__(
        self,
        info: VideoInfo,
        models: Perception,
        ticks: TickRange,
        media: MediaSettings,
        begin_outlook: BeginOutlook | None,
    ) -> None:
        """Begin a range of ticks ``ticks``; arguments as for `analyze_frames`."""
        self._ticks = ticks
        self._goes_on = ticks[1] < info.n_ticks
        n_ticks = ticks[1] - ticks[0]
        self._decoded, self._grid = np.zeros(n_ticks, dtype=np.bool_), np.zeros(n_ticks, dtype=np.bool_)
        self._collected = FaceCollector(models)
        self._source_frame: int | None = None
        self._group: int | None = None
        """Last group of ticks with a new picture."""
        self._waiting: WaitingPictures | None = None
        if begin_outlook is not None:
            outlook = begin_outlook(ticks[0], goes_on_before=ticks[0] > 0)
            self._waiting = WaitingPictures(models, self._collected, outlook, FramesAgain(info, media), n_ticks)

    def begin_shot(self) -> None:
        """Forget the faces of the frames before: they cannot be followed into those that come."""
        self._source_frame = None
        (self._collected if self._waiting is None else self._waiting).begin_shot()

    def add(self, tick: int, source_frame: int | None, shown: LazyImage) -> None:
        """Add the picture of a tick, later than those before; arguments as of `TickFrame`."""
        row, group = tick - self._ticks[0], tick // GRID_TICKS
        is_new = source_frame is None or source_frame != self._source_frame
        on_grid = is_new and group != self._group
        self._decoded[row], self._grid[row] = True, on_grid
        self._source_frame = source_frame
        if is_new:
            self._group = group
        if self._waiting is None:
            self._collected.add(tick, row, source_frame, shown)
        else:
            self._waiting.add((tick, row), source_frame, shown, on_grid=on_grid)

    def evidence(self, cut_score: Float32Array) -> FrameEvidence:
        """Return the evidence of the range, whose pictures have all been added.

        Args:
            cut_score: (T,) of the range.
        """
        measured = None
        if self._waiting is not None:
            self._waiting.finish(self._ticks[1], goes_on=self._goes_on)
            measured = self._waiting.measured
        return FrameEvidence(
            decoded=self._decoded, faces=self._collected.faces(), cut_score=cut_score, grid=self._grid, measured=measured
        )
