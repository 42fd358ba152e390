"""Supervision of a pool of workers: deadlines, retries of lost units, and quarantine of videos that crash workers.

Book-keeping only, without Ray. A unit that was in flight when its worker died is tried again on a new worker. After so
many losses its video is quarantined, with an error code and the command that repeats it alone.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from curation.engine.units import Unit
from curation.output.ledger import VideoRecord
from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.regular_files import read_small
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import ErrorCode

__all__ = ["Attempts", "Loss", "PoolSettings", "take_exit_note", "write_exit_note"]

_NOTE_BYTES = 1 << 20
"""Most that the note of a worker has: a reason, and a sentence."""

LossReason = Literal["worker_died", "out_of_memory", "timed_out"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolSettings:
    """Deadlines, retries and memory of a pool's workers; nothing of it changes what a dataset holds."""

    deadline_base_s: float = 120.0
    """Seconds that any unit may take. Ours: opening a file on a slow disk, and a margin."""
    deadline_per_s: float = 20.0
    """Seconds that each second of video may take in addition. Ours: twenty times what a slow core needs."""
    fewest_bytes_per_s: float = 100.0
    """Bytes that a second of video has at least, where time is allowed for it: a header that claims hours gets the time
    that goes with the size of the file. Ours: a screen that stands still, without sound, in H.264 at 25 pictures a
    second has 560; at one a second it has 30, but pictures that stand take a tenth of the time or less."""
    silence_s: float = 100.0
    """Seconds without a sign of life after which a worker is ended. Ours: a library may keep the interpreter busy for
    some seconds at most, and a stopped worker is to be noticed within two minutes."""
    start_s: float = 1800.0
    """Seconds in which a worker has to load its models. Ours: some GB from a slow network drive."""
    slowest_mb_per_s: float = 1.0
    """Slowest rate at which a file of unknown length may be read. Ours: a slow network drive."""
    max_attempts: int = 3
    """Attempts at a unit before its video is quarantined."""
    units_per_worker: int = 500
    """A worker is replaced after this many units: decoders leak."""
    worker_min_s: float = 600.0
    """A worker is not replaced before this age: loading the models takes some 4 s, less than 1 % of it."""
    worker_memory_gib: float | None = None
    """Memory limit of a worker; None: nine tenths of the memory of its machine, over its cores."""

    def deadline_s(self, unit: Unit, length_s: float | None = None) -> float:
        """Return the time that a unit may take, seconds.

        Args:
            unit: of a file that may claim any length.
            length_s: of its video, where it has been opened since; None: the unit knows it, or nobody does yet.

        >>> from curation.engine.units import AnalyzeVideo
        >>> from curation.sources.entries import SourceVideo
        >>> video = SourceVideo(path=Path("a"), video_id="a", source="s", speaker_id=None, size_bytes=1_000_000)
        >>> unit = AnalyzeVideo(video=video)
        >>> PoolSettings().deadline_s(unit), PoolSettings().deadline_s(unit, 5.0), PoolSettings().deadline_s(unit, 1e6)
        (121.0, 220.0, 200120.0)
        """
        size_bytes, n_ticks = unit.video.size_bytes, unit.n_ticks
        opening_s = self.opening_s(size_bytes)
        if length_s is None and n_ticks is not None:
            length_s = float(n_ticks / TICK_RATE_HZ)
        return opening_s if length_s is None else max(self.for_length_s(length_s, size_bytes), opening_s)

    def is_worn(self, n_units: int, age_s: float) -> bool:
        """Return whether a worker is to be replaced after this many units at this age.

        >>> settings = PoolSettings(units_per_worker=500, worker_min_s=600.0)
        >>> settings.is_worn(499, 3600.0), settings.is_worn(500, 599.0), settings.is_worn(500, 600.0)
        (False, False, True)
        """
        return n_units >= self.units_per_worker and age_s >= self.worker_min_s

    def for_length_s(self, length_s: float, size_bytes: int) -> float:
        """Return the deadline for video of a length that a file of a size claims, seconds."""
        return self.deadline_base_s + self.deadline_per_s * min(length_s, size_bytes / self.fewest_bytes_per_s)

    def opening_s(self, size_bytes: int) -> float:
        """Return the deadline for opening a file and finding the length of its video, seconds."""
        return self.deadline_base_s + size_bytes / (1e6 * self.slowest_mb_per_s)


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of a worker with a unit in flight."""

    reason: LossReason
    detail: str


def write_exit_note(dataset: Path, worker_id: str, loss: Loss) -> None:
    """Write why a worker is about to end itself, for the driver to read."""
    write_bytes_atomic(_note(dataset, worker_id), json.dumps(asdict(loss), allow_nan=False).encode())


def take_exit_note(dataset: Path, worker_id: str) -> Loss | None:
    """Return why a worker ended itself, and remove its note; None where there is no note."""
    note = _note(dataset, worker_id)
    if not note.exists():
        return None
    loss = Loss(**json.loads(read_small(note, _NOTE_BYTES, follow_links=False)))
    note.unlink()
    return loss


def _note(dataset: Path, worker_id: str) -> Path:
    return dataset / "ledger" / f".{worker_id}.ended"


@dataclass(slots=True)
class Attempts:
    """Counts the workers that each unit has lost."""

    dataset: Path
    max_attempts: int
    _losses: Counter[str] = field(init=False, default_factory=Counter)

    def verdict(self, unit: Unit, loss: Loss) -> VideoRecord | None:
        """Return the record of a video that this loss quarantines; None where the unit is to be tried again."""
        self._losses[unit.name] += 1
        if self._losses[unit.name] < self.max_attempts:
            return None
        code: ErrorCode = loss.reason
        return VideoRecord.quarantined(
            unit.video,
            code,
            f"{loss.detail} ({unit.name}, tried {self.max_attempts} times); to see it happen: "
            f"gaia-curate retry {self.dataset} --video {unit.video.video_id} --executor inline",
        )

    def done(self, unit: Unit) -> None:
        """Forget the losses of a unit that is done."""
        self._losses.pop(unit.name, None)
