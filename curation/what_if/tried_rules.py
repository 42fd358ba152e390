"""Rules whose limits are tried on many videos at once: what they measure, and which ticks fail a limit.

Of each rule, all that does not depend on its limits is measured once, as one number per tick. Whether a tick fails is
then a comparison, or follows from runs of such comparisons. The ticks that fail are those of the rule's own module.
"""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np

from curation.decision.settings import RulesSettings
from curation.rules.frontal import FrontalSettings, deviation_deg
from curation.rules.generated import GeneratedSettings, telling_tags
from curation.rules.jitter import JitterSettings, measured_moves, part_lengths, unexplained
from curation.rules.mask import MaskSettings, mask
from curation.rules.not_speaking import NotSpeakingSettings
from curation.rules.rule import MeasuredVideo
from curation.rules.several_faces import SeveralFacesSettings, several_faces
from curation.rules.silence import SilenceSettings, lip_motion
from curation.rules.small_face import SmallFaceSettings, width_in_clip_px
from curation.rules.smoothing import running_median
from curation.rules.still_face import StillFaceSettings, face_motion, own_shape
from curation.what_if.runs_at_once import marked, runs_of
from foundation.array_types import BoolArray, Float32Array
from foundation.settings import Settings
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import TIERS, Tier

__all__ = ["GAP_TICKS", "LIMITS", "Measures", "TriedRule"]

GAP_TICKS = 8
"""Ticks between two videos: no rule of this module looks further than 4 ticks beyond one."""

SectionT = TypeVar("SectionT", bound=Settings)

Measures = Mapping[str, Float32Array | BoolArray]
"""(T,) each, by name: what a rule measures. Ticks between videos are NaN, or False."""

Failed = Mapping[Tier, BoolArray]
"""By tier, (T,) ticks that fail. A tier that is missing has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TriedRule:
    """A rule whose limits are tried."""

    measured_by: Callable[[RulesSettings], Hashable]
    """Returns the settings that its measures depend on, apart from those that choose the main face."""
    measure: Callable[[MeasuredVideo, RulesSettings], Measures]
    """Measures one video."""
    failed: Callable[[Measures, BoolArray, RulesSettings], Failed]
    """Returns the ticks that fail, given the measures of many videos, and (T,) whether a tick is one of a video."""


def _generated(video: MeasuredVideo, _settings: GeneratedSettings) -> Measures:
    return {"tags": np.full(len(video), telling_tags(video.evidence.generated_tags), dtype=np.float32)}


def _generated_failed(of: Measures, _inside: BoolArray, settings: GeneratedSettings) -> Failed:
    return {} if settings.drop == "nothing" else dict.fromkeys(TIERS, of["tags"] > 0.0)


def _frontal(video: MeasuredVideo, settings: FrontalSettings) -> Measures:
    deviation = deviation_deg(video.face.key_points_px, settings.measure)
    return {"deviation": running_median(deviation, settings.smooth_ticks, video.breaks)}


def _frontal_failed(of: Measures, _inside: BoolArray, settings: FrontalSettings) -> Failed:
    return {"diffusion": of["deviation"] > settings.strict_deg, "vae": of["deviation"] > settings.loose_deg}


def _small_face(video: MeasuredVideo, settings: SmallFaceSettings) -> Measures:
    return {"width": width_in_clip_px(video.face.width_px, video.breaks, settings)}


def _small_face_failed(of: Measures, _inside: BoolArray, settings: SmallFaceSettings) -> Failed:
    return {"diffusion": of["width"] < settings.strict_px, "vae": of["width"] < settings.loose_px}


def _jitter(video: MeasuredVideo, settings: JitterSettings) -> Measures:
    motion = measured_moves(video.face, video.breaks)
    lengths = part_lengths(motion)
    with np.errstate(invalid="ignore"):
        # a tick shakes where a movement over the limit has no explanation, or where its step is far over the limit
        shake = np.where(unexplained(motion, settings.min_steadiness), lengths, -np.inf).max(axis=1)
    guard = settings.guard_ticks
    return {
        "shake": _largest_near(shake, video.breaks, guard),
        "step": _largest_near(lengths.max(axis=1), video.breaks, guard),
    }


def _largest_near(values: Float32Array, breaks: BoolArray, guard_ticks: int) -> Float32Array:
    """Return the largest value that touches each tick or its guard, as the rule `jitter` widens a step."""
    known = np.where(np.isnan(values), np.float32(-np.inf), values)
    largest = np.full(len(known), -np.inf, dtype=np.float32)
    shot = np.cumsum(breaks)
    for shift in range(-guard_ticks - 1, guard_ticks + 1):
        src = np.arange(max(0, -shift), min(len(known), len(known) - shift))
        src = src[shot[src] == shot[src + shift]]
        largest[src + shift] = np.maximum(largest[src + shift], known[src])
    return largest


def _jitter_failed(of: Measures, _inside: BoolArray, settings: JitterSettings) -> Failed:
    limits: Mapping[Tier, float] = {"diffusion": settings.strict_step, "vae": settings.loose_step}
    return {
        tier: (of["shake"] > limit) | (of["step"] > settings.steady_factor * limit) for tier, limit in limits.items()
    }


def _mask(video: MeasuredVideo, settings: MaskSettings) -> Measures:
    return {"prob": mask(video.face.mask_prob, settings).value}


def _mask_failed(of: Measures, _inside: BoolArray, settings: MaskSettings) -> Failed:
    return dict.fromkeys(TIERS, of["prob"] > settings.max_prob)


def _several_faces(video: MeasuredVideo, _settings: SeveralFacesSettings) -> Measures:
    return {"ratio": video.main.rival_ratio, "changes": video.main.changes}


def _several_faces_failed(of: Measures, _inside: BoolArray, settings: SeveralFacesSettings) -> Failed:
    changes = np.asarray(of["changes"], dtype=np.bool_)
    return dict.fromkeys(TIERS, several_faces(np.asarray(of["ratio"], np.float32), changes, settings).failed)


def _still_face(video: MeasuredVideo, settings: StillFaceSettings) -> Measures:
    return {"motion": face_motion(own_shape(video.face.key_points_px), video.breaks, settings.window_ticks)}


def _still_face_failed(of: Measures, _inside: BoolArray, settings: StillFaceSettings) -> Failed:
    return {"diffusion": of["motion"] < settings.min_motion}


def _not_speaking(video: MeasuredVideo, _settings: NotSpeakingSettings) -> Measures:
    return {"prob": video.main.speaks_alone}


def _not_speaking_failed(of: Measures, _inside: BoolArray, settings: NotSpeakingSettings) -> Failed:
    return {"diffusion": of["prob"] < settings.min_prob}


def _silence(video: MeasuredVideo, settings: SilenceSettings) -> Measures:
    speech = video.evidence.speech_prob
    n = len(video)
    return {
        "speech": np.full(n, np.nan, dtype=np.float32) if speech is None else speech,
        "unheard": np.full(n, speech is None),
        "lips": lip_motion(video, settings),
    }


def _silence_failed(of: Measures, inside: BoolArray, settings: SilenceSettings) -> Failed:
    quiet = (of["speech"] < settings.min_speech_prob) | (of["lips"] < settings.min_lip_motion)
    quiet &= inside
    firsts, ends = runs_of(quiet)
    long = ends - firsts > math.floor(Fraction(settings.max_pause_s) * TICK_RATE_HZ)
    firsts, ends = firsts[long], ends[long]
    pad_ticks = round(settings.pad_s * TICK_RATE_HZ)
    goes_on_before = np.where(firsts > 0, inside[np.maximum(firsts - 1, 0)], False)
    goes_on_after = np.where(ends < len(inside), inside[np.minimum(ends, len(inside) - 1)], False)
    firsts = firsts + pad_ticks * goes_on_before
    ends = ends - pad_ticks * goes_on_after
    failed = marked(len(inside), firsts[firsts < ends], ends[firsts < ends])
    failed |= np.asarray(of["unheard"], dtype=np.bool_)
    return {"diffusion": failed}


def _rule(
    section: Callable[[RulesSettings], SectionT],
    measured_by: Callable[[SectionT], Hashable],
    measure: Callable[[MeasuredVideo, SectionT], Measures],
    failed: Callable[[Measures, BoolArray, SectionT], Failed],
) -> TriedRule:
    """Return a rule of one kind of settings as one that takes all settings of the rules."""
    return TriedRule(
        measured_by=lambda rules: measured_by(section(rules)),
        measure=lambda video, rules: measure(video, section(rules)),
        failed=lambda measures, inside, rules: failed(measures, inside, section(rules)),
    )


LIMITS: Mapping[str, TriedRule] = {
    "generated": _rule(lambda r: r.generated, lambda _: (), _generated, _generated_failed),
    "several_faces": _rule(lambda r: r.several_faces, lambda _: (), _several_faces, _several_faces_failed),
    "small_face": _rule(lambda r: r.small_face, lambda s: s.window_s, _small_face, _small_face_failed),
    "frontal": _rule(lambda r: r.frontal, lambda s: (s.measure, s.smooth_ticks), _frontal, _frontal_failed),
    "jitter": _rule(lambda r: r.jitter, lambda s: (s.min_steadiness, s.guard_ticks), _jitter, _jitter_failed),
    "mask": _rule(lambda r: r.mask, lambda s: s.smooth_ticks, _mask, _mask_failed),
    "silence": _rule(lambda r: r.silence, lambda s: s.lip_window_s, _silence, _silence_failed),
    "still_face": _rule(lambda r: r.still_face, lambda s: s.window_s, _still_face, _still_face_failed),
    "not_speaking": _rule(lambda r: r.not_speaking, lambda _: (), _not_speaking, _not_speaking_failed),
}
"""By name, the rules that judge single ticks, or the file, but for `no_face` and `cut`, whose settings choose the main
face."""
