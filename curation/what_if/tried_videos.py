"""Many videos in one row of ticks, on which combinations of limits are tried."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from curation.decision.settings import RulesSettings
from curation.evidence.sync_measures import SyncMeasures
from curation.what_if.runs_at_once import marked, pieces_of, runs_of
from curation.what_if.tried_rules import GAP_TICKS, LIMITS, Measures
from foundation.array_types import BoolArray, Float32Array, Int64Array
from manifests.vocabulary import TIERS, Tier

__all__ = ["DropsOfSync", "Kept", "MeasureKey", "TriedVideo", "TriedVideos", "joined", "kept"]

MeasureKey = tuple[str, Hashable]
"""Name of a rule, and the settings that its measures depend on."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class TriedVideo:
    """A video of T ticks, judged by the rules that no combination varies, and measured for those that are varied."""

    number: int
    """Of the video among all."""
    n_ticks: int
    passed: Mapping[Tier, BoolArray]
    """(T,) whether a tick satisfies all rules that are not varied."""
    breaks: Mapping[Tier, BoolArray]
    """(T,) where a clip must not go on from the tick before."""
    measures: Mapping[MeasureKey, Measures]
    sync: SyncMeasures | None
    """For the rule `sync`; None where it measured nothing in this video."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class TriedVideos:
    """Videos one after the other, with a gap after each in which no tick passes."""

    number: Int64Array
    """(V,) of the videos among all."""
    first_tick: Int64Array
    """(V,) of each video in the row."""
    inside: BoolArray
    """(T,) whether a tick is one of a video."""
    passed: Mapping[Tier, BoolArray]
    breaks: Mapping[Tier, BoolArray]
    measures: Mapping[MeasureKey, Measures]
    sync: Sequence[SyncMeasures | None]
    """Of each video, for the rule `sync`; None where it measured nothing."""
    failing: dict[tuple[str, object], Mapping[Tier, BoolArray]] = field(default_factory=dict)
    """Ticks that fail, by the name of a rule and its settings, of the last ones that were tried."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Kept:
    """What one combination keeps of V videos."""

    ticks: Mapping[Tier, Int64Array]
    """(V,) ticks; those of tier `diffusion` count in `vae`, too."""
    clips: Mapping[Tier, Int64Array]
    """(V,) clips of the tier."""


DropsOfSync = Callable[[TriedVideos, RulesSettings, Int64Array, Int64Array], BoolArray]
"""Returns whether the rule `sync` drops each stretch, given their first ticks and ends in the row."""


def joined(videos: Sequence[TriedVideo]) -> TriedVideos:
    """Return videos as one row of ticks, all measured for the same rules."""
    lengths = np.array([video.n_ticks + GAP_TICKS for video in videos], dtype=np.int64)
    first_tick = np.cumsum(lengths) - lengths
    n_ticks = int(lengths.sum())

    def flags(arrays: Sequence[BoolArray]) -> BoolArray:
        row = np.zeros(n_ticks, dtype=np.bool_)
        for first, array in zip(first_tick.tolist(), arrays, strict=True):
            row[first : first + len(array)] = array
        return row

    def numbers(arrays: Sequence[Float32Array | BoolArray]) -> Float32Array | BoolArray:
        if arrays[0].dtype == np.bool_:
            return flags([np.asarray(array, dtype=np.bool_) for array in arrays])
        row = np.full(n_ticks, np.nan, dtype=np.float32)
        for first, array in zip(first_tick.tolist(), arrays, strict=True):
            row[first : first + len(array)] = array
        return row

    def measured(key: MeasureKey) -> Measures:
        return {name: numbers([video.measures[key][name] for video in videos]) for name in videos[0].measures[key]}

    return TriedVideos(
        number=np.array([video.number for video in videos], dtype=np.int64),
        first_tick=first_tick,
        inside=flags([np.ones(video.n_ticks, dtype=np.bool_) for video in videos]),
        passed={tier: flags([video.passed[tier] for video in videos]) for tier in TIERS},
        breaks={tier: flags([video.breaks[tier] for video in videos]) for tier in TIERS},
        measures={key: measured(key) for key in videos[0].measures},
        sync=[video.sync for video in videos],
    )


def kept(
    row: TriedVideos, rules: RulesSettings, varied: Sequence[str], tiers: Sequence[Tier], drops: DropsOfSync
) -> Kept:
    """Return what the limits of one combination keep of the videos of a row, as `curation.decision.decide` would.

    Args:
        row: the videos.
        rules: settings of the combination.
        varied: names of the rules whose settings differ between combinations.
        tiers: of which clips are asked for.
        drops: the rule `sync`.
    """
    passed = dict(row.passed)
    for name in varied:
        for tier, failed in _failing(row, name, rules).items():
            passed[tier] = passed[tier] & ~failed
    diffusion, rest = _clips(row, passed, rules, tiers, drops)
    n_videos = len(row.number)

    def sums(firsts: Int64Array, ends: Int64Array) -> tuple[Int64Array, Int64Array]:
        video = np.searchsorted(row.first_tick, firsts, side="right") - 1
        n_ticks = np.bincount(video, weights=ends - firsts, minlength=n_videos).astype(np.int64)
        return n_ticks, np.bincount(video, minlength=n_videos)

    strict_ticks, strict_clips = sums(*diffusion)
    loose_ticks, loose_clips = sums(*rest)
    return Kept(
        ticks={"diffusion": strict_ticks, "vae": strict_ticks + loose_ticks},
        clips={"diffusion": strict_clips, "vae": loose_clips},
    )


def _failing(row: TriedVideos, name: str, rules: RulesSettings) -> Mapping[Tier, BoolArray]:
    """Return the ticks that fail a varied rule; those of the last settings are kept, for a grid asks for them again."""
    section, rule = getattr(rules, name), LIMITS[name]
    key = (name, section)
    if key not in row.failing:
        for old in [old for old in row.failing if old[0] == name]:
            del row.failing[old]
        measures = row.measures[(name, rule.measured_by(rules))]
        with np.errstate(invalid="ignore"):
            row.failing[key] = rule.failed(measures, row.inside, rules)
    return row.failing[key]


_Ranges = tuple[Int64Array, Int64Array]
"""First ticks and ends."""


def _clips(
    row: TriedVideos,
    passed: Mapping[Tier, BoolArray],
    rules: RulesSettings,
    tiers: Sequence[Tier],
    drops: DropsOfSync,
) -> tuple[_Ranges, _Ranges]:
    """Return the clips of tier `diffusion`, and those of what is left to tier `vae`."""
    n_ticks, shortest, longest = len(row.inside), rules.too_short.min_ticks, rules.too_short.max_ticks
    none = np.zeros(0, dtype=np.int64)
    loose = _long(*runs_of(passed["vae"], row.breaks["vae"]), shortest)
    within = marked(n_ticks, *loose)
    strict: _Ranges = (none, none)
    if "diffusion" in tiers:
        runs = _long(*runs_of(within & passed["diffusion"], row.breaks["diffusion"] | row.breaks["vae"]), shortest)
        firsts, ends = pieces_of(*runs, longest)
        stays = ~drops(row, rules, firsts, ends)
        strict = firsts[stays], ends[stays]
    if "vae" not in tiers:
        return strict, (none, none)
    if len(strict[0]):
        within &= ~marked(n_ticks, *strict)
        loose = _long(*runs_of(within, row.breaks["vae"]), shortest)
    return strict, pieces_of(*loose, longest)


def _long(firsts: Int64Array, ends: Int64Array, shortest: int) -> _Ranges:
    long = ends - firsts >= shortest
    return firsts[long], ends[long]
