"""Limits of the rule `sync`, and of the repair of late or early sound."""

from typing import Literal, Self

from pydantic import Field, model_validator

from foundation.settings import Settings
from manifests.sync_curve import SURE_TICKS, SURE_Z

__all__ = ["SyncSettings"]


class SyncSettings(Settings):
    """Settings of the rule `sync`, and of the repair of late or early sound."""

    drop: Literal["nothing", "not_in_sync", "all_but_in_sync"] = "not_in_sync"
    """What leaves tier `diffusion`: `nothing`, only what is not in sync, or also what is undecided or not measured."""
    in_sync_z: float = Field(default=4.0, gt=0.0)
    """From this z on a stretch is in sync. Ours: of people held out, the sound of another one reaches it in 0.1 % of
    clips of 3 s and in none of 5 s, the own in 73 and 95 %."""
    not_in_sync_z: float = Field(default=3.0, gt=0.0)
    """Below this z a stretch of `sure_ticks` is not in sync; with fewer, the limit falls in proportion, to 0 at
    `min_ticks`. Ours: finds 98 % of other people's sound in 5 s, and loses 1.9 % of what is in sync, before
    the other stretches of the face are asked."""
    sure_ticks: int = Field(default=SURE_TICKS, ge=1)
    """Ticks from which `not_in_sync_z` holds in full: 5 s, less the edges, which have no score."""
    long_not_in_sync_z: float = Field(default=3.5, gt=0.0)
    """The same from `long_ticks` on. Ours: finds more than 99 %, and loses none of 103 clips in sync."""
    long_ticks: int = Field(default=186, ge=1)
    """Ticks from which `long_not_in_sync_z` holds: 8 s, less the edges."""
    min_ticks: int = Field(default=61, ge=1)
    """Fewest ticks with a score: 3 s, less the edges. A stretch with fewer is not measured."""
    around_ticks: int = Field(default=22, ge=0, le=22)
    """Ticks before and after a stretch of fewer than `sure_ticks` that count, too, where its face goes on. At most 22
    are measured."""
    same_offset_ticks: float = Field(default=2.0, ge=0.0)
    """A stretch has the offset of its face, or of its video, where the two lie at most this far apart, ticks."""
    min_speech: float = Field(default=0.5, ge=0.0, le=1.0)
    """Smallest share of ticks with speech; with less, a stretch is not measured: silence agrees with any lips."""
    min_pictures_hz: float = Field(default=20.0, ge=0.0, le=25.0)
    """Fewest different pictures a second. Ours: of files with 15, two of three fail, with 20 they pass."""
    max_yaw_deg: float = Field(default=40.0, gt=0.0, le=90.0)
    """Largest mean turn of the head to a side, degrees, at which the lips show enough."""
    repair: Literal["off", "auto"] = "off"
    """`auto`: the sound of a video is moved by its offset before its clips are cut, where the offset is sure."""
    repair_z: float = Field(default=SURE_Z, gt=0.0)
    """From this z on, over all stretches of a video together, its offset is sure, if they have `sure_ticks`."""
    min_repair_ticks: float = Field(default=1.5, ge=0.0, le=15.0)
    """Smallest offset that is repaired, ticks of 40 ms: half a tick more than the measurement errs."""
    max_repair_ticks: float = Field(default=12.0, gt=0.0, le=14.0)
    """Largest offset that is repaired, ticks: the lags end at 15, and a peak near the end may be another's flank."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        highest = max(self.not_in_sync_z, self.long_not_in_sync_z)
        if highest > self.in_sync_z:
            raise ValueError(f"in_sync_z {self.in_sync_z} is below {highest}, up to which a stretch is not in sync")
        if self.min_ticks > self.sure_ticks:
            raise ValueError(f"min_ticks {self.min_ticks} is above sure_ticks {self.sure_ticks}")
        if self.min_repair_ticks > self.max_repair_ticks:
            raise ValueError(f"min_repair_ticks {self.min_repair_ticks} is above max_repair_ticks")
        return self

    def refuted_below(self, n_ticks: int) -> float:
        """Return the z below which `n_ticks` are not in sync."""
        if n_ticks >= self.long_ticks:
            return self.long_not_in_sync_z
        if n_ticks >= self.sure_ticks:
            return self.not_in_sync_z
        return self.not_in_sync_z * (n_ticks - self.min_ticks) / (self.sure_ticks - self.min_ticks)
