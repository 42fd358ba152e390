"""Units and results of a long video that nobody measures."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from curation.engine.units import GatherVideo, RenderSlice, Result
from curation.media.probe import VideoInfo
from curation.output.ledger import VideoRecord
from curation.rendering.slices import Slice
from curation.sources.entries import SourceVideo

INFO = VideoInfo(
    path=Path("a.mp4"),
    size_bytes=1,
    duration_s=20.0,
    n_ticks=500,
    width_px=64,
    height_px=64,
    fps=Fraction(25),
    codec="h264",
    sound=None,
    rotation_deg=0,
    variable_rate=False,
    time_base=Fraction(1, 25),
    first_pts=0,
    end_pts=500,
    stamps="pts",
    output_delay=0,
)
"""What was probed of it."""


def decided(video: SourceVideo, slices: Iterable[Slice], todo: Iterable[Slice], record: VideoRecord) -> Result:
    """Return the result of deciding it; `todo` are the slices that no earlier run has rendered."""
    return Result(
        word="decided",
        steps=tuple(RenderSlice(video=video, piece=piece, info=INFO) for piece in todo),
        then=GatherVideo(video=video, windows=(), slices=tuple(slices), decided=record),
    )
