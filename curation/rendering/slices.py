"""Slices of a long video: runs of clips that are rendered in one go."""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.decision.decide import ClipPlan
from manifests.timeline import Window

__all__ = ["Slice", "divide_clips"]


@dataclass(frozen=True, slots=True)
class Slice:
    """Clips of a long video that follow one another and are rendered in one go; at least one."""

    clips: tuple[ClipPlan, ...]

    @property
    def window(self) -> Window:
        """The ticks from its first clip to its last."""
        return Window(first_tick=self.clips[0].first_tick, end_tick=self.clips[-1].end_tick)


def divide_clips(clips: Sequence[ClipPlan], max_ticks: int) -> tuple[Slice, ...]:
    """Divide clips, in order, into slices of at most `max_ticks`; a longer clip is one by itself.

    >>> clips = [ClipPlan(first_tick=k, end_tick=k + 100, tier="vae") for k in (0, 300, 400)]
    >>> [[clip.first_tick for clip in piece.clips] for piece in divide_clips(clips, 250)]
    [[0, 300], [400]]
    """
    slices: list[list[ClipPlan]] = []
    n_ticks = 0
    for clip in clips:
        n_ticks += clip.n_ticks
        if not slices or n_ticks > max_ticks:
            slices.append([])
            n_ticks = clip.n_ticks
        slices[-1].append(clip)
    return tuple(Slice(tuple(together)) for together in slices)
