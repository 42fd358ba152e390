"""Settings of how much of a video is measured."""

from foundation.settings import Settings

__all__ = ["AnalysisSettings"]


class AnalysisSettings(Settings):
    """How much of a video is measured; clips are the same in either case."""

    every_tick: bool = False
    """Whether every tick is measured. Otherwise, where no clip can lie, faces are looked for on one tick of five at
    most. With true, `run` also measures the ticks that an earlier run left out."""
