"""The grid: which ticks have to be measured, given what one picture in each group of five ticks shows.

A run of 3 s holds at least 14 grid ticks. Where several of them in a row show nobody, a small face, a turned one or two
people, no clip can lie across them. Between two such places that are closer than a clip is long, no group is looked at.
What is left between such barriers and is long enough for a clip is a core, with a margin as wide as the longest reach
of a rule. Clips are decided by what cores show, and by nothing else, so that they are the same whether or not the ticks
outside were measured.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from curation.decision.grid_company import SEEN_GRID_TICKS, both_live
from curation.decision.possible_speech import possible_speech, widened
from curation.decision.settings import RulesSettings
from curation.decision.sparse_grid import beside_unknown, counted, least_bad
from curation.evidence.measures import GRID_TICKS, Evidence, Faces
from curation.evidence.track_stretches import MARGIN_TICKS
from curation.rules.frontal import deviation_deg
from curation.rules.runs import true_runs, with_margin
from foundation.array_types import BoolArray, Float32Array, Int64Array
from foundation.errors import UsageError
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import Tier

__all__ = [
    "GRID_REASONS",
    "GridLook",
    "GridReason",
    "UnmeasuredError",
    "clear_failures",
    "cores",
    "cores_of",
    "grid_look",
    "margin_in_sound",
    "margin_ticks",
    "unmeasured_ticks",
]

GridReason = Literal["no_face", "several_faces", "small_face", "frontal"]

GRID_REASONS: Final[tuple[GridReason, ...]] = get_args(GridReason)
"""Rules that a grid tick may clearly fail, in the order in which they are applied."""

_CLEARLY = 1.1
"""A face clearly fails a limit where it is beyond it by a tenth: running medians may accept one that is nearer."""


class UnmeasuredError(UsageError):
    """The limits ask for ticks on which no face was looked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GridLook:
    """What the grid ticks of a range show."""

    tick: Int64Array
    """(G,) the grid ticks, ascending."""
    reason: Int64Array
    """(G,) the rule that the tick clearly fails, an index of `GRID_REASONS`; -1 where it fails none, or may not."""
    value: Float32Array
    """(G,) the value that the rule judges, of this picture alone; NaN without a face, and where none fails."""
    silent: BoolArray | None = None
    """(T,) ticks of the video of which no picture is looked at, because no speech near them is long enough for a clip;
    None: nowhere."""


def margin_ticks(rules: RulesSettings) -> int:
    """Return the longest reach of a rule, ticks: what lies further away from a clip cannot change it."""
    return max(
        rules.still_face.window_ticks,
        round(rules.small_face.window_s * TICK_RATE_HZ) // 2,
        round(rules.silence.lip_window_s * TICK_RATE_HZ) // 2 + 1,
        rules.frontal.smooth_ticks // 2,
        rules.mask.smooth_ticks // 2,
        rules.jitter.guard_ticks + 2,
        rules.no_face.bridge_ticks + 1,
        MARGIN_TICKS,
    )


def margin_in_sound(rules: RulesSettings) -> int:
    """Return how far from possible speech pictures are looked at, ticks: the margin, and all that tells two people."""
    return max(margin_ticks(rules), SEEN_GRID_TICKS * GRID_TICKS)


def clear_failures(
    faces: Faces, grid_tick: Int64Array, rules: RulesSettings, tiers: Collection[Tier]
) -> tuple[Int64Array, Float32Array]:
    """Return reason and value of `GridLook`, as far as one picture alone tells them: all but that of two people.

    A tick fails only where every face in it does, for any of them could be the main one.
    """
    n = len(grid_tick)
    reason, value = np.full(n, -1, dtype=np.int64), np.full(n, np.nan, dtype=np.float32)
    place = np.searchsorted(grid_tick, faces.tick)
    on_grid = np.flatnonzero(grid_tick[np.minimum(place, n - 1)] == faces.tick) if n else np.zeros(0, dtype=np.int64)
    group = place[on_grid]
    reason[np.bincount(group, minlength=n) == 0] = GRID_REASONS.index("no_face")
    if not len(on_grid):
        return reason, value
    loose = "vae" in tiers
    width_limit = rules.small_face.loose_px if loose else rules.small_face.strict_px
    angle_limit = rules.frontal.loose_deg if loose else rules.frontal.strict_deg
    width = faces.width_px[on_grid]
    angle = deviation_deg(faces.key_points_px[on_grid], rules.frontal.measure)
    is_small, is_turned = width * _CLEARLY < width_limit, angle > angle_limit * _CLEARLY
    first = np.flatnonzero(np.diff(group, prepend=-1))  # the widest face of each tick
    with_face = group[first]
    bad = np.logical_and.reduceat(is_small | is_turned, first)
    small, turned = bad & is_small[first], bad & ~is_small[first]
    reason[with_face[small]], value[with_face[small]] = GRID_REASONS.index("small_face"), width[first[small]]
    reason[with_face[turned]], value[with_face[turned]] = GRID_REASONS.index("frontal"), angle[first[turned]]
    return reason, value


def grid_look(
    faces: Faces, grid_tick: Int64Array, rules: RulesSettings, tiers: Collection[Tier], face_ratio: float
) -> GridLook:
    """Return what grid ticks show, by the limits of the loosest of the tiers that are asked for.

    Two people in one picture are a reason where one of them counts whichever is the main one, both are shown by a clip,
    and both have clearly moved in themselves for two seconds without a barrier, as no picture on a wall does.

    Args:
        faces: of these ticks, and maybe of others.
        grid_tick: (G,) ticks that were searched in full, ascending.
        rules: their settings.
        tiers: of which clips are asked for.
        face_ratio: width of the face over that of the square that a clip shows.
    """
    reason, value = clear_failures(faces, grid_tick, rules, tiers)
    n_faces = np.searchsorted(faces.tick, grid_tick, side="right") - np.searchsorted(faces.tick, grid_tick)
    barred = _behind_barriers(reason >= 0, rules)
    for number in np.flatnonzero((n_faces >= 2) & ~barred):
        ratio = both_live(faces, grid_tick, int(number), rules, face_ratio)
        if ratio is not None:
            reason[number], value[number] = GRID_REASONS.index("several_faces"), ratio
    return GridLook(tick=grid_tick, reason=reason, value=value)


def _behind_barriers(fails: BoolArray, rules: RulesSettings) -> BoolArray:
    """Return (G,) whether a barrier lies among a grid tick and those before it by which two people are seen to live.

    Behind it, some may not have been searched.

    Args:
        fails: (G,) whether each clearly fails by its picture alone.
        rules: their settings.
    """
    least, n = least_bad(rules), len(fails)
    barrier = np.zeros(n, dtype=np.bool_)
    if n >= least:
        windows = np.lib.stride_tricks.sliding_window_view(fails, least)
        barrier[least - 1 :] = np.asarray(windows.all(axis=1), dtype=np.bool_)
    seen = np.concatenate([np.zeros(SEEN_GRID_TICKS, dtype=np.bool_), barrier])
    recent = np.lib.stride_tricks.sliding_window_view(seen, SEEN_GRID_TICKS + 1 - least)[least:]
    return np.asarray(recent[:n].any(axis=1), dtype=np.bool_)


def cores(
    look: GridLook,
    n_ticks: int,
    rules: RulesSettings,
    margin: int,
    *,
    trimmed: BoolArray | None = None,
    possible: BoolArray | None = None,
    goes_on: tuple[bool, bool] = (False, False),
) -> BoolArray:
    """Return (n_ticks,) where every tick has to be measured: stretches that may hold a clip, with their margins.

    A barrier is a row of bad grid ticks, two or as many as an interpolated miss could hide, with no group between
    that has none. What lies between barriers is long enough for a clip, or it cannot hold one.

    Args:
        look: of the grid ticks of the range.
        n_ticks: its length.
        rules: settings: the shortest clip, and the longest miss that is bridged.
        margin: ticks on both sides of a stretch, from `margin_ticks`.
        trimmed: (n_ticks,) True on ticks that were not chosen; None: nowhere.
        possible: (n_ticks,) ticks that a clip could hold by their sound, from `possible_speech`; None: all.
        goes_on: whether the video goes on before the range, and after it, so that a stretch at its border may be long.
    """
    free = np.ones(n_ticks, dtype=np.bool_)
    bad = look.reason >= 0
    least = least_bad(rules)
    apart = np.diff(look.tick, prepend=-n_ticks) >= 2 * GRID_TICKS
    for first, end in true_runs(bad, apart):
        if end - first >= least:
            free[look.tick[first] : look.tick[end - 1] + 1] = False
    left_out = np.zeros(n_ticks, dtype=np.bool_) if trimmed is None else trimmed
    free &= ~left_out
    if possible is not None:
        free &= possible
    core = np.zeros(n_ticks, dtype=np.bool_)
    runs = true_runs(free)
    # at a border beyond which the video goes on, there may be more of it, even where nothing of it is here
    runs += ([(0, 0)] if goes_on[0] else []) + ([(n_ticks, n_ticks)] if goes_on[1] else [])
    for first, end in runs:
        may_be_longer = (goes_on[0] and first == 0) or (goes_on[1] and end == n_ticks)
        if may_be_longer or end - first >= rules.too_short.min_ticks:
            core[slice(*with_margin((first, end), margin, left_out))] = True
    return core


def cores_of(
    evidence: Evidence, rules: RulesSettings, tiers: Collection[Tier], face_ratio: float
) -> tuple[GridLook, BoolArray]:
    """Return what the grid ticks of a video show, and its cores; all of it where its grid is not known.

    Args:
        evidence: of T ticks.
        rules: their settings.
        tiers: of which clips are asked for.
        face_ratio: width of the face over that of the square that a clip shows.

    Returns:
        what is seen, and (T,) whether a tick lies in a core.

    Raises:
        UnmeasuredError: some tick of a core was not measured.
    """
    look, core = _look_and_cores(evidence, rules, tiers, face_ratio)
    if missing := _missing(evidence, core):
        raise UnmeasuredError(
            f"{missing / float(TICK_RATE_HZ):.1f} s that could hold a clip under these limits were not measured"
        )
    return look, core


def unmeasured_ticks(evidence: Evidence, rules: RulesSettings, tiers: Collection[Tier], face_ratio: float) -> int:
    """Return the number of ticks that could hold a clip and were not measured; the arguments are those of `cores_of`.

    Of faces, only boxes, scores and points on grid ticks count.
    """
    return _missing(evidence, _look_and_cores(evidence, rules, tiers, face_ratio)[1])


def _look_and_cores(
    evidence: Evidence, rules: RulesSettings, tiers: Collection[Tier], face_ratio: float
) -> tuple[GridLook, BoolArray]:
    if evidence.grid is None:
        nothing = np.zeros(0, dtype=np.int64)
        unknown = GridLook(tick=nothing, reason=nothing, value=np.zeros(0, dtype=np.float32))
        return unknown, np.ones(len(evidence), dtype=np.bool_)
    margin, possible, looked_at = margin_ticks(rules), None, np.ones(len(evidence), dtype=np.bool_)
    trimmed = np.zeros(len(evidence), dtype=np.bool_) if evidence.trimmed is None else evidence.trimmed
    if "vae" not in tiers:
        possible = possible_speech(evidence.speech_prob, trimmed, rules)
        # a grid tick beyond what is looked at is not there where nobody looked
        looked_at = widened(possible, margin_in_sound(rules), trimmed)
    searched = np.flatnonzero(evidence.grid & looked_at)
    fails = clear_failures(evidence.faces, searched, rules, tiers)[0] >= 0
    look = grid_look(evidence.faces, searched[counted(searched, fails, rules)], rules, tiers, face_ratio)
    core = cores(look, len(evidence), rules, margin, trimmed=trimmed, possible=possible)
    if possible is not None:
        told = ~beside_unknown(look.tick, looked_at | trimmed, rules)
        look = GridLook(tick=look.tick[told], reason=look.reason[told], value=look.value[told], silent=~looked_at)
    return look, core


def _missing(evidence: Evidence, core: BoolArray) -> int:
    return 0 if evidence.measured is None else int(np.count_nonzero(core & ~evidence.measured))
