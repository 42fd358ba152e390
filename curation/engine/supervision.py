"""What a pool of workers does about units that come to nothing: how long it waits, how often it tries, whom it blames.

Pure book-keeping, without Ray: a unit that was in flight when its worker died is tried again on a new worker; a unit
that does so again and again is guilty, and its video is set aside with a code and the command that repeats it alone.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from curation.engine.units import Unit
from curation.output.ledger import VideoRecord
from foundation.storage.atomic import write_bytes_atomic
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import ErrorCode

__all__ = ["Attempts", "Loss", "PoolSettings", "take_exit_note", "write_exit_note"]

LossReason = Literal["worker_died", "out_of_memory", "timed_out"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolSettings:
    """How a pool treats its workers; nothing of it changes what a dataset holds."""

    deadline_base_s: float = 120.0
    """Seconds that any unit may take. Ours: opening a file on a slow disk, and a margin."""
    deadline_per_s: float = 20.0
    """Seconds that each second of video may take besides. Ours: twenty times what a slow core needs."""
    slowest_mb_per_s: float = 1.0
    """A file whose length is not known yet is read at least so fast. Ours: a slow network drive."""
    max_attempts: int = 3
    """How often a unit is tried before its video is quarantined."""
    units_per_worker: int = 500
    """A worker is replaced after this many units: decoders leak."""
    worker_min_s: float = 600.0
    """And not before it is so old: loading the models anew takes some 4 s, which is to be less than 1 % of its time."""
    worker_memory_gib: float | None = None
    """A worker that takes more is ended; None: its share of nine tenths of its machine, by cores."""

    def deadline_s(self, unit: Unit, window_s: float) -> float:
        """Return how many seconds the driver gives a unit, given the longest stretch that is measured in one piece.

        >>> from curation.engine.units import AnalyzeVideo
        >>> from curation.sources.entries import SourceVideo
        >>> video = SourceVideo(path=Path("a"), video_id="a", source="s", speaker_id=None, size_bytes=1)
        >>> PoolSettings().deadline_s(AnalyzeVideo(video=video), window_s=180.0)
        3720.0
        """
        n_ticks = unit.n_ticks
        length_s = window_s if n_ticks is None else float(n_ticks / TICK_RATE_HZ)
        return max(self.for_length_s(length_s), self.opening_s(unit.video.size_bytes))

    def is_worn(self, n_units: int, age_s: float) -> bool:
        """Say whether a worker that has done so many units is to be replaced at this age.

        >>> settings = PoolSettings(units_per_worker=500, worker_min_s=600.0)
        >>> settings.is_worn(499, 3600.0), settings.is_worn(500, 599.0), settings.is_worn(500, 600.0)
        (False, False, True)
        """
        return n_units >= self.units_per_worker and age_s >= self.worker_min_s

    def for_length_s(self, length_s: float) -> float:
        """Return how many seconds so much video may take."""
        return self.deadline_base_s + self.deadline_per_s * length_s

    def opening_s(self, size_bytes: int) -> float:
        """Return how many seconds it may take to find out how long the video in a file is."""
        return self.deadline_base_s + size_bytes / (1e6 * self.slowest_mb_per_s)


@dataclass(frozen=True, slots=True)
class Loss:
    """A unit came to nothing."""

    reason: LossReason
    detail: str


def write_exit_note(dataset: Path, worker_id: str, loss: Loss) -> None:
    """Write why a worker is about to end itself."""
    write_bytes_atomic(_note(dataset, worker_id), json.dumps(asdict(loss)).encode())


def take_exit_note(dataset: Path, worker_id: str) -> Loss | None:
    """Return why a worker ended itself, and remove its note; None where it left none."""
    note = _note(dataset, worker_id)
    if not note.exists():
        return None
    loss = Loss(**json.loads(note.read_bytes()))
    note.unlink()
    return loss


def _note(dataset: Path, worker_id: str) -> Path:
    return dataset / "ledger" / f".{worker_id}.ended"


@dataclass(slots=True)
class Attempts:
    """Counts what units have done to workers."""

    dataset: Path
    max_attempts: int
    _lost: Counter[str] = field(init=False, default_factory=Counter)

    def verdict(self, unit: Unit, loss: Loss) -> VideoRecord | None:
        """Return the record of a video that is quarantined for this loss; None where the unit is to be tried again."""
        self._lost[unit.name] += 1
        if self._lost[unit.name] < self.max_attempts:
            return None
        code: ErrorCode = loss.reason
        return VideoRecord.quarantined(
            unit.video,
            code,
            f"{loss.detail} ({unit.name}, tried {self.max_attempts} times); to see it happen: "
            f"gaia-curate retry {self.dataset} --video {unit.video.video_id} --executor inline",
        )

    def settled(self, unit: Unit) -> None:
        """Take note that a unit is done, so that its count need not be kept."""
        self._lost.pop(unit.name, None)
