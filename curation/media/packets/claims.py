"""The length that the header of a file promises, and whether it is to be believed."""

from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from curation.media.container import exact
from curation.media.packets.frame_times import LONGEST_S, FrameTimes

__all__ = ["claimed_s"]

_CLAIMING_FORMATS = frozenset({"mov", "matroska", "avi", "flv", "asf"})
"""Containers whose header states a length; the length of others is an estimate from bytes or the last packet."""

_LEAST_HELD = Fraction(1, 1000)
"""A stated length is ignored where the file holds less than this share of it."""


def claimed_s(
    container: InputContainer, stream: VideoStream, times: FrameTimes, first_s: Fraction, held_s: Fraction
) -> Fraction:
    """Return the length that the header promises for the frames, 0 where the file is whole or promises nothing.

    A file is cut short where no track reaches the promised end: a longer audio track does not lengthen the frames.
    A promise that is out of all proportion to the frames that the file holds, or the header counts, is damage: a
    header that claims a length can claim the frames for it, too.
    """
    if not (set(container.format.name.split(",")) & _CLAIMING_FORMATS and times.stamps != "none"):
        return Fraction(0)
    if "mov" in container.format.name:  # the header of every track has its own length
        time_base = exact(stream.time_base)
        if stream.duration is None or time_base is None:
            return Fraction(0)
        end_s = ((stream.start_time or 0) + stream.duration) * time_base
        reached_s = float(int(times.pts[-1]) * time_base)
    else:
        if container.duration is None:
            return Fraction(0)
        end_s = Fraction(container.duration + (container.start_time or 0), av.time_base)
        reached_s = times.end_of_all_s
    claimed_s = end_s - first_s
    most_s = min(Fraction(LONGEST_S), held_s / _LEAST_HELD)
    if stream.frames:
        most_s = min(most_s, stream.frames * held_s / len(times.pts) * 2)
    believed = claimed_s <= most_s
    return claimed_s if end_s - Fraction(reached_s) > 1 and believed else Fraction(0)
