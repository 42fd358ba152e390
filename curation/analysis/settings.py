"""Settings of how much of a video is measured."""

from pydantic import Field

from foundation.settings import Settings

__all__ = ["AnalysisSettings"]


class AnalysisSettings(Settings):
    """How much of a video is measured; clips are the same with all of it, unless a rule asks for the mark."""

    every_tick: bool = False
    """Whether every tick is measured. Otherwise, where no clip can lie, faces are looked for on one tick of five at
    most. With true, `run` also measures the ticks that an earlier run left out."""
    mark_s: float = Field(default=8.0, ge=0.0, le=30.0)
    """Seconds from the beginning of a file in which the invisible mark of `gaia-generate` is sought. 0: it is not
    sought. It takes about 4 s to be found in a copy of low quality."""
