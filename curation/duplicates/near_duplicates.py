"""Search for near-duplicates among many videos: an index of codes proposes pairs, and their traces decide.

The codes of all videos are sorted once. Those of a few videos at a time are looked up in them; a pair of videos whose
codes meet twice with the same shift is a proposal, of which `agreement` looks at the traces. So the cost grows with
n log n for n videos, but for chance meetings of codes, which grow with n² and stay few (a code has 24 bits).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from curation.duplicates.agreement import Agreement, agreement
from curation.duplicates.codes import MIRROR_BITS, Codes, face_codes, probes, sound_codes
from curation.duplicates.traces import Trace
from foundation.array_types import BoolArray, Int64Array

__all__ = ["NearDuplicate", "groups_of", "near_duplicates"]

_SOUND_SPEEDS = (1.0, 1.05, 1.0 / 1.05)
"""Speeds at which the sound is looked up; in between, and a fortieth beyond, its codes are the same."""

_SHIFT_TICKS = 16
"""Shifts that count as the same: a copy that is a twentieth faster moves by as much in 13 s."""

_COMMON_CODE = 64
"""A code that more anchors have says nothing (a tone, a picture at rest); they are not looked up."""

_BLOCK_ANCHORS = 20_000
"""Anchors that are looked up at a time, which bounds the memory of the search."""

_FEW_ANCHORS = 8
"""Of a video with fewer, one meeting is enough for a proposal."""

_MOST_TRIES = 3
"""Proposed moments of a pair that are looked at before it is given up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NearDuplicate:
    """Two videos that show or sound the same for a while."""

    video_id: str
    """The lower id of the two."""
    other_id: str
    what: Agreement


def near_duplicates(traces: Mapping[str, Trace]) -> list[NearDuplicate]:
    """Return all pairs of near-duplicates, sorted by their ids.

    Args:
        traces: by video id.
    """
    ids = sorted(traces)
    found: dict[tuple[int, int], NearDuplicate] = {}
    tried: dict[tuple[int, int, bool], int] = {}
    for one, other, tick, other_tick, mirrored in _proposals([traces[video_id] for video_id in ids]):
        if (one, other) in found or tried.get((one, other, mirrored), 0) == _MOST_TRIES:
            continue
        tried[one, other, mirrored] = tried.get((one, other, mirrored), 0) + 1
        what = agreement(traces[ids[one]], traces[ids[other]], tick, other_tick, mirrored=mirrored)
        if what is not None:
            found[one, other] = NearDuplicate(video_id=ids[one], other_id=ids[other], what=what)
    return [found[pair] for pair in sorted(found)]


def groups_of(pairs: Sequence[NearDuplicate]) -> dict[str, str]:
    """Return by video id the group of near-duplicates that it belongs to, named after its lowest id.

    A copy of a copy belongs to the group, also where it has nothing in common with the first.
    """
    group: dict[str, str] = {}
    for pair in pairs:
        names = sorted({group.get(name, name) for name in (pair.video_id, pair.other_id)})
        members = {name for name, of in group.items() if of in names} | {pair.video_id, pair.other_id}
        group.update(dict.fromkeys(members, names[0]))
    return group


@dataclass(frozen=True, kw_only=True, slots=True)
class _Anchors:
    """Anchors of all videos, in the order of the videos."""

    video: Int64Array
    """(A,) number of the video."""
    tick: Int64Array
    codes: Int64Array
    """(A, P) under which it is looked up; the first is its own."""


def _proposals(traces: Sequence[Trace]) -> Iterator[tuple[int, int, int, int, bool]]:
    """Yield two videos, a tick of each, and whether one is mirrored: the lower number first, the likeliest first."""
    n_anchors = np.zeros(len(traces), dtype=np.int64)
    face = _anchors([face_codes(trace) for trace in traces])
    sound = _anchors([sound_codes(trace) for trace in traces])
    for anchors in (face, sound):
        n_anchors += np.bincount(anchors.video, minlength=len(traces))
    few = n_anchors < 2 * _FEW_ANCHORS
    yield from _meetings(face, face, few, mask=0)
    yield from _meetings(face, face, few, mask=MIRROR_BITS)
    for speed in _SOUND_SPEEDS:
        looked_up = sound if speed == 1.0 else _anchors([sound_codes(trace, speed) for trace in traces])
        yield from _meetings(sound, looked_up, few, mask=0)


def _anchors(codes: Sequence[Codes]) -> _Anchors:
    probed = [probes(one) for one in codes]
    return _Anchors(
        video=np.repeat(np.arange(len(codes)), [len(one.tick) for one in codes]),
        tick=np.concatenate([np.zeros(0, dtype=np.int64), *(one.tick for one in codes)]),
        codes=np.concatenate([one for one in probed if len(one)]) if any(map(len, probed)) else np.zeros((0, 1), int),
    )


def _meetings(
    known: _Anchors, looked_up: _Anchors, few: BoolArray, *, mask: int
) -> Iterator[tuple[int, int, int, int, bool]]:
    """Yield pairs of videos with codes that meet, with the ticks of one meeting."""
    order = np.argsort(known.codes[:, 0], kind="stable")
    own = known.codes[order, 0]
    for first, end in pairwise([*range(0, len(looked_up.tick), _BLOCK_ANCHORS), len(looked_up.tick)]):
        wanted = looked_up.codes[first:end] ^ mask
        begin = np.searchsorted(own, wanted.reshape(-1))
        count = np.searchsorted(own, wanted.reshape(-1), side="right") - begin
        count[count > _COMMON_CODE] = 0
        place = np.repeat(begin - np.concatenate([[0], np.cumsum(count)[:-1]]), count) + np.arange(count.sum())
        there = order[place]
        here = first + np.repeat(np.arange(wanted.size) // wanted.shape[1], count)
        yield from _consistent(known, looked_up, there, here, few, mirrored=bool(mask))


def _consistent(
    known: _Anchors, looked_up: _Anchors, there: Int64Array, here: Int64Array, few: BoolArray, *, mirrored: bool
) -> Iterator[tuple[int, int, int, int, bool]]:
    """Yield of each pair of videos the shifts that several meetings have, or that a short video has."""
    one, other = known.video[there], looked_up.video[here]
    pair = one < other  # the other way round it is met as well
    there, here, one, other = there[pair], here[pair], one[pair], other[pair]
    shift = known.tick[there] - looked_up.tick[here]
    order = np.lexsort((shift, other, one))
    there, here, one, other, shift = (array[order] for array in (there, here, one, other, shift))
    new = np.ones(len(one), dtype=np.bool_)
    new[1:] = (np.diff(one) != 0) | (np.diff(other) != 0) | (np.diff(shift) > _SHIFT_TICKS)
    starts = np.flatnonzero(new)
    size = np.diff(np.append(starts, len(one)))
    enough = (size > 1) | few[one[starts]] | few[other[starts]]
    for start in starts[enough][np.argsort(-size[enough], kind="stable")].tolist():
        meeting = start
        yield (
            int(one[meeting]),
            int(other[meeting]),
            int(known.tick[there[meeting]]),
            int(looked_up.tick[here[meeting]]),
            mirrored,
        )


