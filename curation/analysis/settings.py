"""Settings of how much of a video is measured."""

from foundation.settings import Settings

__all__ = ["AnalysisSettings"]


class AnalysisSettings(Settings):
    """How much of a video is measured; clips are the same in either case."""

    every_tick: bool = False
    """Whether faces are measured on every tick. Otherwise, where no clip can lie, on one tick of five only."""
