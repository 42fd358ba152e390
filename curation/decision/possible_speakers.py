"""Choice of the faces whose lips are worth comparing with the sound: those that could be the speaker of a clip.

Ticks are worth it where some face would be in a clip of tier `diffusion` by all other rules, were it the main one. On
them every face is compared that is seen for long enough: whoever is not shown may be the one who is heard.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from curation.decision.beyond_cores import in_cores
from curation.decision.clip_plans import candidates
from curation.decision.decide import RulesSettings
from curation.decision.grid import cores_of
from curation.decision.judgement import judge, recording_starts
from curation.decision.main_face import linked_track, main_face
from curation.decision.tracks import link_tracks
from curation.evidence.main_track import MainTrack
from curation.evidence.measures import Evidence
from curation.evidence.track_stretches import MARGIN_TICKS, TrackStretch, united
from curation.rules.rule import MeasuredVideo, Rule
from curation.rules.runs import true_runs
from foundation.array_types import BoolArray, Int64Array
from manifests.timeline import TICK_RATE_HZ, TickRange
from manifests.vocabulary import TIERS, Tier

__all__ = ["possible_speakers"]

_COMPANY_TICKS = int(TICK_RATE_HZ)
"""Ticks for which a face has to be seen to be compared, and beside another one to be in company."""


def possible_speakers(
    evidence: Evidence,
    settings: RulesSettings,
    rules: Sequence[Rule] = (),
    *,
    identity: str = "dlib",
    face_ratio: float = 0.5,
    tiers: Collection[Tier] = TIERS,
) -> tuple[TrackStretch, ...]:
    """Return the stretches of tracks that could be the speaker of a clip, with their margins, by their first tick.

    Args:
        evidence: of T ticks.
        settings: of the built-in rules.
        rules: rules of the user's own.
        identity: value of `perception.identity` that the evidence was measured with.
        face_ratio: as for `decide`.
        tiers: likewise.

    Raises:
        ValueError: the evidence was measured with another identity.
        RuleError: a rule of the user's own raises or does not return verdicts.
    """
    if evidence.speech_prob is None:
        return ()
    _, core = cores_of(evidence, settings, tiers, face_ratio)
    evidence, number = in_cores(evidence, core)
    begins = recording_starts(evidence, settings)
    bridge_ticks, faces = settings.no_face.bridge_ticks, evidence.faces
    track = link_tracks(evidence, begins, bridge_ticks, settings.tracks, identity)
    sure = faces.score >= settings.several_faces.min_score
    mains = [
        _as_main(evidence, track, begins, bridge_ticks, face)
        for face in _one_at_a_time(faces.tick, track, len(evidence), np.bincount(track[sure]) >= _COMPANY_TICKS)
    ]
    found: list[TickRange] = []
    for main in mains:
        video = MeasuredVideo(evidence=evidence, face=main_face(faces, main), main=main, breaks=begins | main.changes)
        judgement = judge(video, settings, rules)
        clips = candidates(judgement.passed, judgement.breaks, settings.too_short)
        found += [_extended(first, end, main, begins) for first, end in clips]
    worth, n_sure = united(found), np.bincount(faces.tick[sure], minlength=len(evidence))
    stretches = [
        replace(stretch, face=np.where(stretch.face >= 0, number[stretch.face], -1))
        for main in mains
        for stretch in _seen(main, begins, worth, n_sure)
    ]
    return tuple(sorted(stretches, key=lambda stretch: (stretch.first_tick, stretch.track_id)))


def _seen(main: MainTrack, begins: BoolArray, worth: Sequence[TickRange], n_sure: Int64Array) -> Iterator[TrackStretch]:
    """Yield the stretches of tracks on ticks that are worth it.

    Args:
        main: tracks, one at a time.
        begins: (T,) where a shot begins.
        worth: ranges of ticks that do not overlap.
        n_sure: (T,) number of faces that could be the speaker.
    """
    starts = begins.copy()
    starts[1:] |= main.track_id[1:] != main.track_id[:-1]
    for begin, stop in true_runs(main.track_id >= 0, starts):
        for low, high in worth:
            first, end = max(begin, low), min(stop, high)
            if end - first < _COMPANY_TICKS:
                continue
            shown = first + np.flatnonzero(main.face[first:end] >= 0)
            if len(shown) < _COMPANY_TICKS:
                continue
            first, end = int(shown[0]), int(shown[-1]) + 1
            yield TrackStretch(
                first_tick=first,
                end_tick=end,
                track_id=int(main.track_id[first]),
                face=main.face[first:end],
                in_company=bool(np.count_nonzero(n_sure[first:end] > 1) >= _COMPANY_TICKS),
            )


def _one_at_a_time(tick: Int64Array, track: Int64Array, n_ticks: int, chosen: BoolArray) -> list[Int64Array]:
    """Return series of faces in which all chosen tracks occur, none beside another.

    Args:
        tick: (F,) of each face.
        track: (F,) of each face.
        n_ticks: T, of the video.
        chosen: (N,) whether each track is chosen; none after the last.

    Returns:
        series of (T,) indices of faces, -1 on ticks without one; as few as the most tracks that are seen at once.
    """
    series: list[Int64Array] = []
    ends: list[int] = []
    order = np.argsort(track, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(track[order])) + 1)
    kept = [faces for faces in members if len(faces) and track[faces[0]] < len(chosen) and chosen[track[faces[0]]]]
    for faces in sorted(kept, key=lambda faces: int(tick[faces[0]])):
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
