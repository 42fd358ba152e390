"""Main face of a video: the face that is taken for the speaker at each tick."""

from dataclasses import dataclass

from foundation.array_types import BoolArray, Float32Array, Int64Array

__all__ = ["MainTrack"]


@dataclass(frozen=True, kw_only=True, slots=True)
class MainTrack:
    """Main face of a video, tick by tick."""

    face: Int64Array
    """(T,) index into `Faces` of the main face; -1 where there is none."""
    track_id: Int64Array
    """(T,) track of the main face; over a bridged miss, that of its neighbours; -1 else."""
    bridged: BoolArray
    """(T,) no face was found, but the miss is short and lies within one track, so that it is interpolated."""
    changes: BoolArray
    """(T,) the main track is another than at the last face before, in one shot and with no longer miss between."""
    rival_ratio: Float32Array
    """(T,) width of the widest other sure face over that of the main face; 0 where alone, NaN without a main face. Of
    faces that are known to speak or to listen, only those count that a clip of the main face would show."""
    speaks_alone: Float32Array
    """(T,) probability that the main face speaks, and no other; NaN where nothing was measured."""
