"""Evidence of a video: measurements per tick, and per face in it. Models produce it, rules read it."""

from dataclasses import dataclass

from foundation.array_types import BoolArray, Float32Array, Int64Array
from foundation.text import count_text
from manifests.schema.face_measures import FaceMeasures
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import GeneratedTag

__all__ = [
    "GRID_TICKS",
    "LEAST_CUT_SCORE",
    "SURE_CUT_SCORE",
    "AudioEvidence",
    "Evidence",
    "FaceMeasures",
    "Faces",
    "FrameEvidence",
]


GRID_TICKS = 5
"""Length of the groups of ticks, counted from the start of the video, in each of which one picture is searched in full,
whatever else is measured: the grid."""

LEAST_CUT_SCORE = 0.5
"""Least `cut_score` that may count as a shot cut. Models check boundaries that reach it for captions, banners and logos
that come or go, and lower the score of those; boundaries below it are not checked."""

SURE_CUT_SCORE = 1.0
"""Score of a boundary that is a shot cut whatever the frames show: the size of the frames changes, and with it the
meaning of coordinates. No limit may lie above it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Faces(FaceMeasures):
    """All faces of a range of ticks, in the order of their ticks and, within a tick, the widest first."""

    tick: Int64Array
    """(F,) tick, counted from the start of the range."""
    parted: BoolArray | None = None
    """(F,) True where the descriptors, which are gone, showed another person than on the sighting before that its box
    continues. None: there are none that are gone."""

    def __len__(self) -> int:
        return len(self.tick)


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameEvidence:
    """Evidence from the frames of T ticks."""

    decoded: BoolArray
    """(T,) False where the file has no undamaged frame for the tick."""
    faces: Faces
    """All faces of all ticks, one row per face."""
    cut_score: Float32Array
    """(T,) shot-boundary score between the tick and the one before; see `LEAST_CUT_SCORE`."""
    trimmed: BoolArray | None = None
    """(T,) True where the tick lies outside the chosen ranges of the video and was not measured. None: nowhere."""
    grid: BoolArray | None = None
    """(T,) True on grid ticks: the first tick with a new picture in each group of `GRID_TICKS`, searched in full
    whatever is measured around it. A group without a new picture has none, nor has one that was not looked at, as
    between others that clearly show no clip. None: not known, as in datasets of earlier versions."""
    measured: BoolArray | None = None
    """(T,) True where everything was measured. Elsewhere grid ticks have faces without masks, descriptors and scores of
    lips and sound, and other ticks have none. None: everything was measured everywhere."""

    def __len__(self) -> int:
        return len(self.decoded)


@dataclass(frozen=True, kw_only=True)  # no slots: two bases of one class cannot both have them
class AudioEvidence:
    """Evidence from the audio of T ticks."""

    speech_prob: Float32Array | None
    """(T,) probability of speech; None without an audio stream."""
    loudness_dbfs: Float32Array | None
    """(T,) level; None without an audio stream."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence(FrameEvidence, AudioEvidence):
    """All measurements of T ticks."""

    generated_tags: tuple[GeneratedTag, ...] | None = None
    """What the file says of how it was made, words of `manifests.vocabulary.GENERATED_TAGS`; None where that was not
    read, as in datasets of earlier versions."""

    def __repr__(self) -> str:
        seconds = float(len(self) / TICK_RATE_HZ)
        return f"Evidence: {count_text(len(self), 'tick')} ({seconds:g} s), {count_text(len(self.faces), 'face')}"
