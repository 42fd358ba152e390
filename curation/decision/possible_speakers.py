"""Choice of the faces whose lips are worth comparing with the sound: those that could be the speaker of a clip.

A stretch is worth it if it would become a clip of tier `diffusion` by all other rules, were its face the main one.
Where several people are seen, each of them is tried.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from curation.decision.clip_plans import candidates
from curation.decision.decide import RulesSettings
from curation.decision.judgement import judge, recording_starts
from curation.decision.main_face import linked_track, main_face
from curation.decision.tracks import link_tracks
from curation.evidence.main_track import MainTrack
from curation.evidence.measures import Evidence
from curation.evidence.track_stretches import MARGIN_TICKS, TrackStretch, united
from curation.rules.rule import MeasuredVideo, Rule
from foundation.array_types import BoolArray, Int64Array
from manifests.timeline import TICK_RATE_HZ, TickRange

__all__ = ["possible_speakers"]

_COMPANY_TICKS = int(TICK_RATE_HZ)
"""Ticks on which another face has to be seen beside one for it to be in company."""


def possible_speakers(
    evidence: Evidence, settings: RulesSettings, rules: Sequence[Rule] = (), *, identity: str = "dlib"
) -> tuple[TrackStretch, ...]:
    """Return the stretches of tracks that could be the speaker of a clip, with their margins, by their first tick.

    Args:
        evidence: of T ticks.
        settings: of the built-in rules.
        rules: rules of the user's own.
        identity: value of `perception.identity` that the evidence was measured with.

    Raises:
        ValueError: the evidence was measured with another identity.
        RuleError: a rule of the user's own raises or does not return verdicts.
    """
    if evidence.speech_prob is None:
        return ()
    begins = recording_starts(evidence, settings)
    track = link_tracks(evidence, begins, settings.no_face.bridge_ticks, settings.tracks, identity)
    sure = evidence.faces.score >= settings.several_faces.min_score
    n_sure = np.bincount(evidence.faces.tick[sure], minlength=len(evidence))
    stretches: list[TrackStretch] = []
    for face in _one_at_a_time(evidence.faces.tick, track, len(evidence), settings.too_short.min_ticks):
        main = _as_main(evidence, track, begins, settings.no_face.bridge_ticks, face)
        video = MeasuredVideo(
            evidence=evidence, face=main_face(evidence.faces, main), main=main, breaks=begins | main.changes
        )
        judgement = judge(video, settings, rules)
        ranges: defaultdict[int, list[TickRange]] = defaultdict(list)
        for first, end in candidates(judgement.passed, judgement.breaks, settings.too_short):
            ranges[int(main.track_id[first])].append(_extended(first, end, main, begins))
        stretches += [
            TrackStretch(
                first_tick=first,
                end_tick=end,
                track_id=track_id,
                face=main.face[first:end],
                in_company=bool(np.count_nonzero(n_sure[first:end] > 1) >= _COMPANY_TICKS),
            )
            for track_id, own in ranges.items()
            for first, end in united(own)
        ]
    return tuple(sorted(stretches, key=lambda stretch: (stretch.first_tick, stretch.track_id)))


def _one_at_a_time(tick: Int64Array, track: Int64Array, n_ticks: int, min_ticks: int) -> list[Int64Array]:
    """Return series of faces in which all tracks that are long enough occur, none beside another.

    Args:
        tick: (F,) of each face.
        track: (F,) of each face.
        n_ticks: T, of the video.
        min_ticks: fewest faces of a track that is long enough.

    Returns:
        series of (T,) indices of faces, -1 on ticks without one; as few as the most tracks that are seen at once.
    """
    series: list[Int64Array] = []
    ends: list[int] = []
    order = np.argsort(track, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(track[order])) + 1)
    long = [faces for faces in members if len(faces) >= min_ticks]
    for faces in sorted(long, key=lambda faces: int(tick[faces[0]])):
        first, end = int(tick[faces[0]]), int(tick[faces[-1]]) + 1
        free = next((number for number, busy_until in enumerate(ends) if busy_until <= first), len(series))
        if free == len(series):
            series.append(np.full(n_ticks, -1, dtype=np.int64))
            ends.append(0)
        series[free][tick[faces]] = faces
        ends[free] = end
    return series


def _as_main(
    evidence: Evidence, track: Int64Array, begins: BoolArray, bridge_ticks: int, face: Int64Array
) -> MainTrack:
    """Return faces as the main ones, with nobody beside them."""
    alone = np.where(face >= 0, 0.0, np.nan).astype(np.float32)
    unknown = np.full(len(face), np.nan, dtype=np.float32)
    return linked_track(evidence, track, begins, bridge_ticks, face, alone, unknown)


def _extended(first: int, end: int, main: MainTrack, begins: BoolArray) -> tuple[int, int]:
    """Return a range of one track with the ticks around it on which the track goes on, at most `MARGIN_TICKS`.

    Its face was found on the first tick and on the last.
    """
    goes_on = (main.track_id == main.track_id[first]) & ~begins
    lowest, highest = max(0, first - MARGIN_TICKS), min(len(goes_on), end + MARGIN_TICKS)
    while first > lowest and not begins[first] and main.track_id[first - 1] == main.track_id[first]:
        first -= 1
    while end < highest and goes_on[end]:
        end += 1
    found = np.flatnonzero(main.face[first:end] >= 0)
    return first + int(found[0]), first + int(found[-1]) + 1
