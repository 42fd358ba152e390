"""Clips of a video, planned from the ticks that satisfy the rules."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from curation.rules.runs import true_runs
from curation.rules.sync import SyncedStretch, VideoSync
from curation.rules.too_short import TooShortSettings, split_evenly
from foundation.array_types import BoolArray
from manifests.timeline import SAMPLES_PER_TICK, TickRange, Window
from manifests.vocabulary import TIERS, Tier

__all__ = ["ClipPlan", "candidates", "plan_clips"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipPlan:
    """Clip to be rendered: ticks ``[first_tick, end_tick)`` of a video."""

    first_tick: int
    end_tick: int
    tier: Tier
    sound_lag_samples: int = 0
    """Samples of 16 kHz by which its sound is late, and is moved when it is cut; negative: it is early."""
    sync: SyncedStretch | None = field(default=None, compare=False)
    """The longest stretch in it that the rule `sync` judged; None where it judged none."""

    @property
    def n_ticks(self) -> int:
        """Its length."""
        return self.end_tick - self.first_tick

    @property
    def heard(self) -> Window:
        """The ticks whose sound is heard in it, to the nearest tick; some may lie outside the video."""
        lag_ticks = round(self.sound_lag_samples / SAMPLES_PER_TICK)
        return Window(first_tick=self.first_tick + lag_ticks, end_tick=self.end_tick + lag_ticks)

    def clip_id(self, video_id: str) -> str:
        """Return the name of the clip: the video, its first and its last tick.

        >>> ClipPlan(first_tick=25, end_tick=100, tier="vae").clip_id("0123456789abcdef")
        '0123456789abcdef-0000025-0000099'
        """
        return f"{video_id}-{self.first_tick:07d}-{self.end_tick - 1:07d}"


def candidates(
    passed: Mapping[Tier, BoolArray], breaks: Mapping[Tier, BoolArray], settings: TooShortSettings
) -> list[TickRange]:
    """Return the stretches that would be clips of tier `diffusion` by all rules but `sync`, in order.

    Args:
        passed: by tier, (T,) whether a tick satisfies all rules.
        breaks: by tier, (T,) where a clip must not go on from the tick before.
        settings: shortest and longest clip.
    """
    found: list[TickRange] = []
    for first, end in _long_runs(passed["vae"], breaks["vae"], settings.min_ticks):
        within = np.zeros(len(passed["vae"]), dtype=np.bool_)
        within[first:end] = passed["diffusion"][first:end]
        for run in _long_runs(within, breaks["diffusion"], settings.min_ticks):
            found += split_evenly(*run, settings.max_ticks)
    return found


def plan_clips(
    passed: Mapping[Tier, BoolArray],
    breaks: Mapping[Tier, BoolArray],
    settings: TooShortSettings,
    sync: VideoSync,
    tiers: Collection[Tier] = TIERS,
) -> list[ClipPlan]:
    """Return all clips by their first tick: the stretches that stay in tier `diffusion`, and those left to `vae`.

    Args:
        passed: by tier, (T,) whether a tick satisfies all rules but `sync`.
        breaks: as for `candidates`.
        settings: likewise.
        sync: all candidates, judged.
        tiers: of which clips are asked for.
    """
    kept = [stretch for stretch in sync.stretches if not stretch.dropped]
    clips = [ClipPlan(first_tick=s.ticks[0], end_tick=s.ticks[1], tier="diffusion", sync=s) for s in kept]
    if "vae" not in tiers:
        return clips
    rest = np.zeros(len(passed["vae"]), dtype=np.bool_)
    for run in _long_runs(passed["vae"], breaks["vae"], settings.min_ticks):
        rest[slice(*run)] = True
    for stretch in kept:
        rest[slice(*stretch.ticks)] = False
    dropped = [stretch for stretch in sync.stretches if stretch.dropped]
    for run in _long_runs(rest, breaks["vae"], settings.min_ticks):
        for first, end in split_evenly(*run, settings.max_ticks):
            clips.append(ClipPlan(first_tick=first, end_tick=end, tier="vae", sync=_longest(dropped, first, end)))
    return sorted(clips, key=lambda clip: clip.first_tick)


def _longest(stretches: Sequence[SyncedStretch], first: int, end: int) -> SyncedStretch | None:
    """Return the stretch with the most ticks in ``[first, end)``; None where none has any."""
    shared = [(min(stretch.ticks[1], end) - max(stretch.ticks[0], first), stretch) for stretch in stretches]
    n_ticks, longest = max(shared, key=lambda pair: pair[0], default=(0, None))
    return longest if n_ticks > 0 else None


def _long_runs(flags: BoolArray, breaks: BoolArray, min_ticks: int) -> list[tuple[int, int]]:
    return [(first, end) for first, end in true_runs(flags, breaks) if end - first >= min_ticks]
