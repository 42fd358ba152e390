"""What a generation made, as the command reports it."""

from dataclasses import dataclass
from pathlib import Path

from foundation.text import count_text
from generation.editing.landmark_check import EditAgreement
from generation.pose_check import PoseAgreement
from manifests.timeline import TICK_RATE_HZ

__all__ = ["GeneratedVideo", "GenerationResult"]


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedVideo:
    """A video that was written."""

    path: Path
    """MP4 file."""
    n_frames: int
    """Number of frames, 25 a second."""
    seed: int | None
    """Seed of its motion; None: a video drove it, and nothing was sampled."""
    pose: PoseAgreement | None = None
    """Head poses asked for and measured; None: none were asked for."""
    edit: EditAgreement | None = None
    """Landmarks of an edited video, given and measured; None: none was edited."""

    @property
    def duration_s(self) -> float:
        """Length."""
        return float(self.n_frames / TICK_RATE_HZ)

    def __str__(self) -> str:
        """Return a line for people."""
        measured = "".join(f"; {one}" for one in (self.pose, self.edit) if one is not None)
        return f"{self.path}: {count_text(self.n_frames, 'frame')}, {self.duration_s:.2f} s{measured}"


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationResult:
    """Videos that were made, or the plan of them; `str` of it is a report for people."""

    out: Path
    """MP4 file; of several variants the name that theirs are made of."""
    videos: tuple[GeneratedVideo, ...] = ()
    """Each video that was written; none after a dry run."""
    notes: tuple[str, ...] = ()
    """Sentences about the portrait, such as that its face is small."""
    plan: tuple[str, ...] = ()
    """Lines of a dry run: run, networks, portrait, speech, memory."""

    @property
    def n_frames(self) -> int | None:
        """Number of frames of each video, 25 a second; None after a dry run, which writes nothing."""
        return self.videos[0].n_frames if self.videos else None

    @property
    def duration_s(self) -> float | None:
        """Length of each video; None after a dry run."""
        return self.videos[0].duration_s if self.videos else None

    def __str__(self) -> str:
        """Return the report."""
        return "\n".join([*(self.plan or map(str, self.videos)), *(f"note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return "\n  ".join(["GenerationResult:", *str(self).splitlines()])
