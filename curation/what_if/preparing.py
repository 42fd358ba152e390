"""Preparation of a video: everything that its combinations of limits share is computed once.

Combinations share it where they choose the same main face and measure the same ticks. Settings that decide on either,
such as how faces are tracked, divide them into groups, and a video is prepared once for each group.
"""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import JsonValue

from curation.decision.grid import UnmeasuredError, cores_of
from curation.decision.judgement import judge
from curation.decision.seen_video import seen_video
from curation.evidence.measures import Evidence
from curation.evidence.sync_measures import sync_measures
from curation.rules.rule import MeasuredVideo, Rule
from curation.settings import CurationSettings
from curation.what_if.tried_rules import LIMITS
from curation.what_if.tried_videos import MeasureKey, TriedVideo
from foundation.settings import settings_of

__all__ = ["Prepared", "fixed_settings", "measure_keys", "preparation_of", "prepared", "varied_rules"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A video, prepared for all combinations."""

    groups: Sequence[tuple[tuple[int, ...], TriedVideo]]
    """Numbers of the combinations that share a preparation, and that."""
    unmeasured: tuple[int, ...]
    """Combinations under which ticks that were not measured could hold a clip."""


def varied_rules(settings: Sequence[CurationSettings]) -> tuple[str, ...]:
    """Return the names of the rules of single ticks whose settings differ between combinations."""
    return tuple(name for name in LIMITS if len({getattr(one.rules, name) for one in settings}) > 1)


def preparation_of(settings: CurationSettings, varied: Collection[str]) -> Hashable:
    """Return what a combination asks for: two that ask for the same share the preparation of every video."""
    measured = tuple(LIMITS[name].measured_by(settings.rules) for name in varied)
    return _by_main_face(settings, plain=False), _by_core(settings), measured


def fixed_settings(settings: CurationSettings, varied: Collection[str]) -> dict[str, JsonValue]:
    """Return the settings that are the same in all combinations and that preparing takes, beside `preparation_of`."""
    rules = settings_of(settings.rules)
    tried = {*varied, "sync", "too_short"}  # they judge what is prepared
    return {
        "rules": {name: value for name, value in rules.items() if name not in tried},
        "identity": settings.perception.identity,
        "face_ratio": settings.crop.face_ratio,
        "tiers": list(settings.tiers),
    }


def measure_keys(varied: Collection[str], settings: Sequence[CurationSettings]) -> list[MeasureKey]:
    """Return what is measured for combinations, in order."""
    return list(dict.fromkeys((name, LIMITS[name].measured_by(one.rules)) for name in varied for one in settings))


def prepared(
    number: int, evidence: Evidence, settings: Sequence[CurationSettings], varied: Collection[str], own: Sequence[Rule]
) -> Prepared:
    """Return a video, prepared for all combinations.

    Args:
        number: of the video.
        evidence: of T ticks.
        settings: of each combination.
        varied: from `varied_rules`.
        own: rules of the user's own.

    Raises:
        RuleError: one of these raised.
        UsageError: the evidence was measured with another identity.
    """
    plain = evidence.faces.speaking_prob is None and not np.any(np.diff(evidence.faces.tick) == 0)
    cores: dict[Hashable, bytes | None] = {}
    groups: dict[Hashable, list[int]] = {}
    unmeasured: list[int] = []
    for place, one in enumerate(settings):
        if evidence.grid is not None and _by_core(one) not in cores:
            cores[_by_core(one)] = _core(evidence, one)
        core = b"" if evidence.grid is None else cores[_by_core(one)]
        if core is None:
            unmeasured.append(place)
        else:
            groups.setdefault((_by_main_face(one, plain=plain), core), []).append(place)
    return Prepared(
        groups=[
            (tuple(places), _tried(number, evidence, [settings[place] for place in places], varied, own))
            for places in groups.values()
        ],
        unmeasured=tuple(unmeasured),
    )


def _by_main_face(settings: CurationSettings, *, plain: bool) -> Hashable:
    """Return the settings that choose the main face of a video, in a plain one with never more than one to choose."""
    rules = settings.rules
    alone = (rules.tracks, rules.no_face, rules.cut, settings.tiers)
    if plain:
        return alone
    silence = rules.silence
    return (
        *alone,
        rules.speaker,
        rules.several_faces.min_score,
        rules.still_face,
        (silence.min_speech_prob, silence.min_lip_motion, silence.lip_window_s),
        settings.crop.face_ratio,
    )


def _by_core(settings: CurationSettings) -> Hashable:
    """Return the settings that decide which ticks have to be measured."""
    rules = settings.rules
    shared = (rules.no_face, rules.several_faces, rules.still_face, rules.tracks.min_overlap, rules.too_short.min_s)
    margins = (
        rules.small_face.window_s,
        rules.silence.lip_window_s,
        rules.frontal.smooth_ticks,
        rules.mask.smooth_ticks,
        rules.jitter.guard_ticks,
        settings.crop.face_ratio,
    )
    if "vae" in settings.tiers:
        limits: Hashable = (rules.small_face.loose_px, rules.frontal.loose_deg, rules.frontal.measure)
    else:
        limits = (rules.small_face, rules.frontal, rules.silence)
    return (*shared, margins, limits, settings.tiers)


def _core(evidence: Evidence, settings: CurationSettings) -> bytes | None:
    """Return the ticks that have to be measured, in a form that can be compared; None where some were not."""
    try:
        _, core = cores_of(evidence, settings.rules, settings.tiers, settings.crop.face_ratio)
    except UnmeasuredError:
        return None
    return np.packbits(core).tobytes()


def _tried(
    number: int, evidence: Evidence, settings: Sequence[CurationSettings], varied: Collection[str], own: Sequence[Rule]
) -> TriedVideo:
    """Return a video, prepared for combinations that choose the same main face."""
    first = settings[0]
    video = seen_video(
        evidence,
        first.rules,
        identity=first.perception.identity,
        face_ratio=first.crop.face_ratio,
        tiers=first.tiers,
    ).video
    judgement = judge(video, first.rules, own, left_out=varied)
    measures = {}
    for name in varied:
        for one in settings:
            key = (name, LIMITS[name].measured_by(one.rules))
            if key not in measures:
                measures[key] = LIMITS[name].measure(video, one.rules)
    return TriedVideo(
        number=number,
        n_ticks=len(evidence),
        passed=judgement.passed,
        breaks=judgement.breaks,
        measures=measures,
        sync=sync_measures(video.evidence, video.face, video.main, video.breaks) if _has_scores(video) else None,
    )


def _has_scores(video: MeasuredVideo) -> bool:
    return video.evidence.speech_prob is not None and video.face.sync_scores is not None
