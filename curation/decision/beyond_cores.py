"""Ticks outside the cores of a video: left out of what the rules judge, and told by what their grid ticks show."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from curation.decision.grid import GRID_REASONS, GridLook
from curation.decision.judgement import Judged
from curation.evidence.joining import chosen_faces
from curation.evidence.main_track import MainTrack
from curation.evidence.measures import Evidence, Faces
from curation.rules.rule import Rule
from curation.rules.verdict import Verdict
from foundation.array_types import BoolArray, Float32Array, Int64Array

__all__ = ["in_cores", "judged_by_grid", "with_grid_faces"]

_KNOWN_EVERYWHERE = ("generated", "silence")
"""Rules that judge tags of the file, and its sound, which are known where no picture is looked at, too."""


def in_cores(evidence: Evidence, core: BoolArray) -> tuple[Evidence, Int64Array]:
    """Return the evidence with the faces of cores only, each core a recording of its own, as chosen ranges are.

    Args:
        evidence: of T ticks.
        core: (T,) from `cores`.

    Returns:
        the evidence, and (F,) the numbers that its faces have in the evidence given.
    """
    if core.all():
        return evidence, np.arange(len(evidence.faces))
    within = core[evidence.faces.tick]
    outside = ~core if evidence.trimmed is None else ~core | evidence.trimmed
    judged = replace(evidence, faces=chosen_faces(evidence.faces, within), trimmed=outside)
    return judged, np.flatnonzero(within)


def with_grid_faces(
    faces: Faces, track: Int64Array, main: MainTrack, number: Int64Array, core: BoolArray
) -> tuple[Int64Array, MainTrack]:
    """Return tracks and main faces of all faces; outside cores, the widest face of a tick is shown, without a track.

    Args:
        faces: all faces.
        track: (F,) of those in cores.
        main: of those in cores.
        number: (F,) numbers of those in cores among all.
        core: (T,) from `cores`.
    """
    if len(number) == len(faces):
        return track, main
    tracks = np.full(len(faces), -1, dtype=np.int64)
    tracks[number] = track
    face = np.where(main.face >= 0, number[main.face] if len(number) else -1, -1)
    ticks, widest = np.unique(faces.tick, return_index=True)
    beyond = ~core[ticks]
    face[ticks[beyond]] = widest[beyond]
    return tracks, replace(main, face=face)


def judged_by_grid(judged: Judged, too_short: tuple[Rule, Verdict], look: GridLook, core: BoolArray) -> Judged:
    """Return verdicts whose values outside cores are those of the grid tick before.

    A tick whose grid tick is bad fails that rule; where the grid tick is not bad, the stretch is too short. Where no
    picture has to be looked at, no boundary is known.

    Args:
        judged: verdicts of one tier, by what cores show.
        too_short: that of the rule `too_short`, which comes last.
        look: of the grid ticks.
        core: (T,) from `cores`.
    """
    if core.all():
        return [*judged, too_short]
    reason, value = _held(look, len(core))
    told: list[tuple[Rule, Verdict]] = []
    for rule, verdict in judged:
        if rule.boundary:
            told.append(
                (rule, verdict if look.silent is None else replace(verdict, failed=verdict.failed & ~look.silent))
            )
        elif rule.name in _KNOWN_EVERYWHERE:
            told.append((rule, verdict))
        else:
            told.append((rule, _told(rule, verdict, reason, value, core)))
    rule, verdict = too_short
    good = ~core & ~_any_failed(told, len(core))
    return [*told, (rule, replace(verdict, failed=verdict.failed | good, value=np.where(core, verdict.value, np.nan)))]


def _held(look: GridLook, n_ticks: int) -> tuple[Int64Array, Float32Array]:
    """Return (T,) the reason of the last grid tick up to each tick, and its value."""
    if not len(look.tick):
        return np.full(n_ticks, -1, dtype=np.int64), np.full(n_ticks, np.nan, dtype=np.float32)
    last = np.maximum(np.searchsorted(look.tick, np.arange(n_ticks), side="right") - 1, 0)
    reason, value = look.reason[last], look.value[last]
    if look.silent is not None:
        reason[look.silent], value[look.silent] = -1, np.nan
    return reason, value


def _told(rule: Rule, verdict: Verdict, reason: Int64Array, value: Float32Array, core: BoolArray) -> Verdict:
    own = np.zeros(len(core), dtype=np.bool_)
    if rule.name in GRID_REASONS:
        own = reason == GRID_REASONS.index(rule.name)
    return replace(
        verdict,
        failed=np.where(core, verdict.failed, own),
        value=np.where(core, verdict.value, np.where(own, value, np.nan)).astype(np.float32),
    )


def _any_failed(judged: Sequence[tuple[Rule, Verdict]], n_ticks: int) -> BoolArray:
    failed = np.zeros(n_ticks, dtype=np.bool_)
    for rule, verdict in judged:
        if not rule.boundary:
            failed |= verdict.failed
    return failed
