"""Division of long videos into windows that are measured one at a time."""

from collections.abc import Sequence

from pydantic import Field

from foundation.settings import Settings
from manifests.timeline import TICK_RATE_HZ, TickRange, Window

__all__ = ["WindowSettings", "plan_windows", "windows_within"]


class WindowSettings(Settings):
    """Settings of the division of long videos."""

    length_s: int = Field(default=180, ge=8, le=3600)
    """Longest stretch that one worker measures at a time, s; whole seconds, so that it begins on a tick on which all
    strides begin. Longer ones take more memory, shorter ones repeat more of the ticks around the seams."""

    @property
    def length_ticks(self) -> int:
        """The same in ticks."""
        return int(self.length_s * TICK_RATE_HZ)


def plan_windows(n_ticks: int, settings: WindowSettings) -> list[Window]:
    """Divide a video of `n_ticks` ticks.

    >>> [(window.first_tick, window.end_tick) for window in plan_windows(500, WindowSettings(length_s=8))]
    [(0, 200), (200, 400), (400, 500)]
    """
    length = settings.length_ticks
    return [Window(first_tick=k, end_tick=min(k + length, n_ticks)) for k in range(0, n_ticks, length)]


def windows_within(stretches: Sequence[TickRange], settings: WindowSettings) -> list[Window]:
    """Divide ranges of a video at the ticks where the complete video would be divided.

    >>> [(window.first_tick, window.end_tick) for window in windows_within([(190, 250)], WindowSettings(length_s=8))]
    [(190, 200), (200, 250)]
    """
    return [
        Window(first_tick=max(first, window.first_tick), end_tick=window.end_tick)
        for first, end in stretches
        for window in plan_windows(end, settings)
        if window.end_tick > first
    ]
