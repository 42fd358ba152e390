"""What a worker takes at a time: a whole video, or one step of a long one.

A long video goes through many hands: its windows are measured, then it is decided, then slices of its clips are
rendered, and at last all that was rendered is gathered.
"""

from dataclasses import dataclass
from typing import Literal

from curation.media.probe import VideoInfo
from curation.output.ledger import VideoRecord
from curation.rendering.slices import Slice
from curation.sources.entries import SourceVideo
from manifests.timeline import Window

__all__ = ["Decided", "Divided", "Measured", "Outcome", "Rendered", "Unit"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """A piece of work."""

    video: SourceVideo
    kind: Literal["video", "window", "decide", "render", "gather"] = "video"
    """`video`: all of it, or to divide it where it is long; `window`: to measure one window; `decide`: what is kept of
    a video whose windows are measured; `render`: one slice of its clips; `gather`: to put its slices together."""
    windows: tuple[Window, ...] = ()
    """The one to measure, or all of a video to decide or gather."""
    slices: tuple[Slice, ...] = ()
    """The one to render, or all of a video to gather."""
    info: VideoInfo | None = None
    """What was probed of a video in windows, for a look at all its packets is a look at the whole file."""
    decided: VideoRecord | None = None
    """The record of a video to gather, but for what rendering took."""

    @property
    def name(self) -> str:
        """Say in a few words what this is, for messages and logs."""
        match self.kind:
            case "window":
                (window,) = self.windows
                return f"{self.video.video_id} ticks {window.first_tick} to {window.end_tick}"
            case "render":
                (piece,) = self.slices
                return f"{self.video.video_id} clips in ticks {piece.window.first_tick} to {piece.window.end_tick}"
        return f"{self.video.video_id} {self.kind}"

    @property
    def n_ticks(self) -> int | None:
        """How much video it is about; None where that is not known yet."""
        if self.kind == "video":
            return None
        return sum(part.n_ticks for part in (*self.windows, *(piece.window for piece in self.slices)))


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


@dataclass(frozen=True, slots=True)
class Decided:
    """What is kept of a long video, and its slices that are not rendered yet; `slices` are all of them."""

    slices: tuple[Slice, ...]
    todo: tuple[Slice, ...]
    record: VideoRecord
    """As it is to be, but for what rendering takes."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The clips of a slice are written."""


Outcome = VideoRecord | Divided | Measured | Decided | Rendered
"""What becomes of a unit; a record ends its video, whatever is still planned of it."""
