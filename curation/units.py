"""What a worker takes at a time: a whole video, a window of a long one, or the end of one that was measured so."""

from dataclasses import dataclass
from typing import Literal

from curation.ledger import VideoRecord
from curation.media.probe import VideoInfo
from curation.sources import SourceVideo
from curation.windows import Window

__all__ = ["Divided", "Measured", "Outcome", "Unit"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """A piece of work."""

    video: SourceVideo
    kind: Literal["video", "window", "finish"] = "video"
    """`video`: all of it, or to divide it where it is long; `window`: to measure one window; `finish`: to decide and
    render a video whose windows are measured."""
    windows: tuple[Window, ...] = ()
    """The one to measure, or all of a video to finish."""
    info: VideoInfo | None = None
    """What was probed of a video in windows, for a look at all its packets is a look at the whole file."""

    @property
    def name(self) -> str:
        """Say in a few words what this is, for messages and logs."""
        if self.kind == "window":
            (window,) = self.windows
            return f"{self.video.video_id} ticks {window.first_tick} to {window.end_tick}"
        return f"{self.video.video_id} {self.kind}"


@dataclass(frozen=True, slots=True)
class Divided:
    """A long video, and its windows that are not measured yet; `windows` are all of them."""

    windows: tuple[Window, ...]
    todo: tuple[Window, ...]
    info: VideoInfo | None = None
    """What was probed of it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A window's evidence is written."""


Outcome = VideoRecord | Divided | Measured
"""What becomes of a unit; a record ends its video, whatever is still planned of it."""
