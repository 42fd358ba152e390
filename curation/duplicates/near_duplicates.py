"""Search for near-duplicates among many videos: an index of codes proposes pairs, and their traces decide.

The codes of all videos are sorted once. Those of a few videos at a time are looked up in them; a pair of videos whose
codes meet twice with the same shift is a proposal, of which `agreement` looks at the traces. So the cost grows with
n log n for n videos, but for chance meetings of codes, which grow with n² and stay few (a code has 24 bits).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from curation.duplicates.agreement import Agreement, Moment, agreement
from curation.duplicates.codes import CODE_BITS, MIRROR_BITS, Codes, face_codes, sound_codes
from curation.duplicates.traces import Trace
from foundation.array_types import Int32Array, Int64Array

_Proposal = tuple[int, int, Moment]
"""Numbers of two videos, the lower first, and a moment that they may share."""

__all__ = ["NearDuplicate", "groups_of", "near_duplicates"]

_SOUND_SPEEDS = (1.0, 1.05, 1.0 / 1.05)
"""Speeds at which the sound is looked up; in between, and a fortieth beyond, its codes are the same."""

_SHIFT_TICKS = 6
"""Shifts that count as the same from one meeting to the next: a copy that is a twentieth faster moves by as much in
5 s."""

_APART_TICKS = 40
"""Least distance of two meetings that both count: the stretches of anchors nearby overlap."""

_COMMON_CODE = 64
"""A code that more anchors have says nothing (a tone, a picture at rest); they are not looked up."""

_BLOCK_ANCHORS = 20_000
"""Anchors that are looked up at a time, which bounds the memory of the search."""

_FEW_ANCHORS = 16
"""Of a video with fewer, which has 7 s or less, one meeting is enough for a proposal; else two, or three of one with
twice as many."""

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
    tries: Counter[tuple[int, int, bool, bool]] = Counter()
    for one, other, moment in _proposals([traces[video_id] for video_id in ids]):
        kind = (one, other, moment.mirrored, moment.heard)
        if (one, other) in found or tries[kind] == _MOST_TRIES:
            continue
        tries[kind] += 1
        what = agreement(traces[ids[one]], traces[ids[other]], moment)
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
    """Anchors of several videos."""

    video: Int32Array
    """(A,) number of the video."""
    codes: Codes


def _proposals(traces: Sequence[Trace]) -> Iterator[_Proposal]:
    face, sound = (_of_videos(traces, codes_of) for codes_of in (face_codes, sound_codes))
    n_anchors = sum(np.bincount(anchors.video, minlength=len(traces)) for anchors in (face, sound))
    needed = 1 + np.minimum(n_anchors // _FEW_ANCHORS, 2)
    index = _Index(face)
    for block in _blocks(face):
        for mask in (0, MIRROR_BITS):
            like = Moment(0, 0, mirrored=bool(mask))
            yield from _consistent(face, block, index.meetings(block, mask), needed, like)
    index = _Index(sound)
    for speed in _SOUND_SPEEDS:
        looked_up = sound if speed == 1.0 else _of_videos(traces, partial(sound_codes, speed=speed))
        for block in _blocks(looked_up):
            like = Moment(0, 0, speed=1.0 / speed, heard=True)
            yield from _consistent(sound, block, index.meetings(block), needed, like)


def _of_videos(traces: Sequence[Trace], codes_of: Callable[[Trace], Codes]) -> _Anchors:
    codes = [codes_of(trace) for trace in traces]
    video = np.repeat(np.arange(len(codes), dtype=np.int32), [len(one) for one in codes])
    return _Anchors(video=video, codes=Codes.joined(codes))


def _blocks(anchors: _Anchors) -> Iterator[_Anchors]:
    """Yield the anchors of some whole videos at a time."""
    codes, first = anchors.codes, 0
    while first < len(codes):
        last = min(first + _BLOCK_ANCHORS, len(codes)) - 1
        end = int(np.searchsorted(anchors.video, anchors.video[last], side="right"))
        part = slice(first, end)
        of_part = Codes(tick=codes.tick[part], bits=codes.bits[part], doubtful=codes.doubtful[part])
        yield _Anchors(video=anchors.video[part], codes=of_part)
        first = end


class _Index:
    """Codes of all videos, sorted, and for each of the possible codes its first place: 64 MB, and no search."""

    def __init__(self, anchors: _Anchors) -> None:
        self._order = np.argsort(anchors.codes.bits, kind="stable").astype(np.int32)
        counts = np.bincount(anchors.codes.bits, minlength=1 << CODE_BITS)
        self._first = np.zeros(len(counts) + 1, dtype=np.int32)
        np.cumsum(counts, out=self._first[1:])

    def meetings(self, block: _Anchors, mask: int = 0) -> tuple[Int64Array, Int64Array]:
        """Return (M,) known anchors and (M,) anchors of the block whose codes meet.

        Args:
            block: anchors to look up.
            mask: bits that differ between the two.
        """
        probes = block.codes.probes() ^ np.int32(mask)
        wanted = probes.reshape(-1)
        begin = self._first[wanted].astype(np.int64)
        count = self._first[wanted + 1] - begin
        count[count > _COMMON_CODE] = 0
        place = np.repeat(begin - (np.cumsum(count) - count), count) + np.arange(count.sum())
        return self._order[place].astype(np.int64), np.repeat(np.arange(wanted.size) // probes.shape[1], count)


def _consistent(
    known: _Anchors, block: _Anchors, meetings: tuple[Int64Array, Int64Array], needed: Int64Array, like: Moment
) -> Iterator[_Proposal]:
    """Yield of each pair of videos the shifts that several meetings have, or that a short video has."""
    one, other = known.video[meetings[0]], block.video[meetings[1]]
    pair = one < other  # the other way round it is met as well
    there, here = meetings[0][pair], meetings[1][pair]
    one, other = one[pair], other[pair]
    tick, other_tick = known.codes.tick[there], block.codes.tick[here]
    shift = tick - other_tick
    order = np.lexsort((shift, other, one))
    one, other, tick, other_tick, shift = (array[order] for array in (one, other, tick, other_tick, shift))
    new = np.ones(len(one), dtype=np.bool_)
    new[1:] = (np.diff(one) != 0) | (np.diff(other) != 0) | (np.diff(shift) > _SHIFT_TICKS)
    starts = np.flatnonzero(new)
    size = np.diff(np.append(starts, len(one)))
    least = np.minimum(needed[one[starts]], needed[other[starts]])
    span = np.maximum.reduceat(tick, starts) - np.minimum.reduceat(tick, starts) if len(starts) else size
    enough = (size >= least) & (span >= np.where(least > 1, _APART_TICKS, 0))
    for start in starts[enough][np.argsort(-size[enough], kind="stable")].tolist():
        moment = like._replace(tick=int(tick[start]), other_tick=int(other_tick[start]))
        yield int(one[start]), int(other[start]), moment
