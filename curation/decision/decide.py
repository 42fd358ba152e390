"""From evidence to spans and clips: which ticks are kept, in which tier, and why the rest is not.

Pure and quick: no file, no model. Changing a threshold runs this again on the same evidence.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from curation.decision.main_face import MainTrack, main_face, main_track
from curation.decision.tracks import TrackSettings, link_tracks
from curation.evidence.measures import Evidence, FaceMeasures
from curation.rules.cut import CutSettings, cut
from curation.rules.frontal import FrontalSettings, frontal, frontal_angle_deg
from curation.rules.jitter import JitterSettings, jitter, measured_step
from curation.rules.mask import MaskSettings, mask
from curation.rules.no_face import NoFaceSettings, no_face
from curation.rules.runs import true_runs
from curation.rules.several_faces import SeveralFacesSettings, several_faces
from curation.rules.silence import SilenceSettings, silence
from curation.rules.small_face import SmallFaceSettings, small_face
from curation.rules.too_short import TooShortSettings, split_evenly
from curation.rules.verdict import Verdict
from foundation.array_types import BoolArray, Int64Array
from foundation.settings import Settings
from manifests.timeline import TICK_RATE_HZ
from manifests.vocabulary import RULES, TIERS, Outcome, Rule, Tier

__all__ = ["ClipPlan", "Decision", "RulesSettings", "Span", "decide"]

_UNDECODABLE, _TRIMMED = -1, -2


class RulesSettings(Settings):
    """The rules in the order in which they are asked, and how faces become tracks."""

    tracks: TrackSettings = TrackSettings()
    no_face: NoFaceSettings = NoFaceSettings()
    several_faces: SeveralFacesSettings = SeveralFacesSettings()
    small_face: SmallFaceSettings = SmallFaceSettings()
    cut: CutSettings = CutSettings()
    frontal: FrontalSettings = FrontalSettings()
    jitter: JitterSettings = JitterSettings()
    mask: MaskSettings = MaskSettings()
    silence: SilenceSettings = SilenceSettings()
    too_short: TooShortSettings = TooShortSettings()


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipPlan:
    """A stretch that is worth keeping: ticks ``[first_tick, end_tick)``."""

    first_tick: int
    end_tick: int
    tier: Tier

    @property
    def n_ticks(self) -> int:
        """How long it is."""
        return self.end_tick - self.first_tick

    def clip_id(self, video_id: str) -> str:
        """Return the name of the clip: the video, its first and its last tick.

        >>> ClipPlan(first_tick=25, end_tick=100, tier="vae").clip_id("0123456789abcdef")
        '0123456789abcdef-0000025-0000099'
        """
        return f"{video_id}-{self.first_tick:07d}-{self.end_tick - 1:07d}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Adjacent ticks that share an outcome in one tier."""

    first_tick: int
    end_tick: int
    tier: Tier
    outcome: Outcome
    value: float | None
    """The value that decided: the worst of the span; None where nothing was measured."""
    limit: float | None
    failed: tuple[Rule, ...]
    """All rules that some tick of the span fails, in order; `cut` where the span begins a shot."""
    clip: ClipPlan | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What becomes of every tick of a video."""

    track: Int64Array
    """(F,) track of every face of the evidence."""
    main: MainTrack
    face: FaceMeasures
    """(T, ...) the main face's measurements, one row per tick."""
    spans: tuple[Span, ...]
    clips: tuple[ClipPlan, ...]


def decide(evidence: Evidence, settings: RulesSettings, *, max_distance: float | None = None) -> Decision:
    """Apply all rules to a video's evidence and plan its clips (GAIA appendix A.1).

    Runs of at least 3 s that satisfy the loose limits are found first; within each, runs of at least 3 s that satisfy
    the strict ones become clips of tier `diffusion`, and what is left of the run, where long enough, clips of `vae`.

    Args:
        evidence: of T ticks.
        settings: of all rules.
        max_distance: of two identity descriptors of one person, from `TrackSettings.max_distance`; None: dlib's.
    """
    shot_starts = cut(evidence.cut_score, settings.cut)
    begins: BoolArray = shot_starts.failed | _stretch_starts(evidence)
    bridge = settings.no_face.bridge_ticks
    distance = settings.tracks.max_descriptor_distance if max_distance is None else max_distance
    track = link_tracks(evidence, begins, bridge, settings.tracks, distance)
    main = main_track(evidence, track, begins, bridge, settings.several_faces.min_score)
    face = main_face(evidence.faces, main)
    breaks: BoolArray = begins | main.changes

    verdicts = _verdicts(evidence, main, face, shot_starts, breaks, settings)
    passed = {tier: _passed(evidence, verdicts[tier]) for tier in TIERS}
    clips = _plan_clips(passed, breaks, settings.too_short)
    spans = [
        span
        for tier in TIERS
        for span in _spans(evidence, verdicts[tier], breaks, clips, tier=tier, settings=settings.too_short)
    ]
    return Decision(track=track, main=main, face=face, spans=tuple(spans), clips=tuple(clips))


def _stretch_starts(evidence: Evidence) -> BoolArray:
    """Return (T,) where a stretch that was asked for begins after ticks that were not: a recording of its own."""
    starts = np.zeros(len(evidence), dtype=np.bool_)
    if evidence.trimmed is not None:
        starts[1:] = evidence.trimmed[:-1] & ~evidence.trimmed[1:]
    return starts


def _verdicts(
    evidence: Evidence,
    main: MainTrack,
    face: FaceMeasures,
    shot_starts: Verdict,
    breaks: BoolArray,
    settings: RulesSettings,
) -> dict[Tier, dict[Outcome, Verdict]]:
    """Return what every rule says in every tier; only some have a limit for each."""
    shared: dict[Outcome, Verdict] = {
        "no_face": no_face(main.face >= 0, main.bridged, settings.no_face),
        "several_faces": several_faces(main.rival_ratio, main.changes, settings.several_faces),
        "cut": shot_starts,
        "mask": mask(face.mask_prob, settings.mask),
    }
    width_px, angle_deg = face.width_px, frontal_angle_deg(face.key_points_px)
    step, guard_ticks = measured_step(face, breaks), settings.jitter.guard_ticks
    return {
        "diffusion": {
            **shared,
            "small_face": small_face(width_px, settings.small_face.strict_px),
            "frontal": frontal(angle_deg, settings.frontal.strict_deg),
            "jitter": jitter(step, breaks, settings.jitter.strict_step, guard_ticks),
            "silence": silence(evidence.speech_prob, len(evidence), settings.silence),
        },
        "vae": {
            **shared,
            "small_face": small_face(width_px, settings.small_face.loose_px),
            "frontal": frontal(angle_deg, settings.frontal.loose_deg),
            "jitter": jitter(step, breaks, settings.jitter.loose_step, guard_ticks),
        },
    }


def _passed(evidence: Evidence, verdicts: Mapping[Outcome, Verdict]) -> BoolArray:
    """Return (T,) whether a tick satisfies every rule; a cut is a boundary and fails nobody."""
    dropped = ~evidence.decoded
    for rule, verdict in verdicts.items():
        if rule != "cut":
            dropped = dropped | verdict.failed
    return ~dropped


def _plan_clips(passed: Mapping[Tier, BoolArray], breaks: BoolArray, settings: TooShortSettings) -> list[ClipPlan]:
    clips = []
    for first, end in _long_runs(passed["vae"], breaks, settings.min_ticks):
        rest = np.zeros(len(breaks), dtype=np.bool_)
        rest[first:end] = True
        for run in _long_runs(rest & passed["diffusion"], breaks, settings.min_ticks):
            rest[slice(*run)] = False
            clips += _split(run, "diffusion", settings)
        for run in _long_runs(rest, breaks, settings.min_ticks):
            clips += _split(run, "vae", settings)
    return sorted(clips, key=lambda clip: clip.first_tick)


def _long_runs(flags: BoolArray, breaks: BoolArray, min_ticks: int) -> list[tuple[int, int]]:
    return [(first, end) for first, end in true_runs(flags, breaks) if end - first >= min_ticks]


def _split(run: tuple[int, int], tier: Tier, settings: TooShortSettings) -> list[ClipPlan]:
    return [
        ClipPlan(first_tick=first, end_tick=end, tier=tier) for first, end in split_evenly(*run, settings.max_ticks)
    ]


def _spans(
    evidence: Evidence,
    verdicts: Mapping[Outcome, Verdict],
    breaks: BoolArray,
    clips: list[ClipPlan],
    *,
    tier: Tier,
    settings: TooShortSettings,
) -> list[Span]:
    """Tile the video with spans of one outcome each; a clip of tier `diffusion` is kept in both tiers."""
    n = len(evidence)
    code = np.full(n, RULES.index("too_short"), dtype=np.int64)
    for rule in reversed(RULES):
        if rule in verdicts and rule != "cut":
            code[verdicts[rule].failed] = RULES.index(rule)
    code[~evidence.decoded] = _UNDECODABLE
    if evidence.trimmed is not None:
        code[evidence.trimmed] = _TRIMMED
    clip_of = np.full(n, -1, dtype=np.int64)
    for number, clip in enumerate(clips):
        if clip.tier == "diffusion" or tier == "vae":
            clip_of[clip.first_tick : clip.end_tick] = number
    starts = np.ones(n, dtype=np.bool_)
    starts[1:] = (code[1:] != code[:-1]) | (clip_of[1:] != clip_of[:-1]) | breaks[1:]
    firsts = np.flatnonzero(starts).tolist()
    spans = []
    for first, end in zip(firsts, [*firsts[1:], n], strict=True):
        kept = clips[clip_of[first]] if clip_of[first] >= 0 else None
        outcome = _outcome(int(code[first]), kept)
        value, limit = _deciding_value(outcome, verdicts, first, end, settings)
        spans.append(
            Span(
                first_tick=first,
                end_tick=end,
                tier=tier,
                outcome=outcome,
                value=value,
                limit=limit,
                failed=_failed(verdicts, outcome, first, end),
                clip=kept,
            )
        )
    return spans


def _outcome(code: int, clip: ClipPlan | None) -> Outcome:
    if clip is not None:
        return "kept"
    if code == _TRIMMED:
        return "trimmed"
    return "undecodable" if code == _UNDECODABLE else RULES[code]


def _deciding_value(
    outcome: Outcome, verdicts: Mapping[Outcome, Verdict], first: int, end: int, settings: TooShortSettings
) -> tuple[float | None, float | None]:
    """Return value and limit of the rule that decided a span: the value furthest beyond, None if none was measured."""
    if outcome in ("kept", "undecodable", "trimmed"):
        return None, None
    if outcome == "too_short":
        return (end - first) / float(TICK_RATE_HZ), settings.min_s
    verdict = verdicts[outcome]
    measured = verdict.value[first:end][~np.isnan(verdict.value[first:end])]
    if not len(measured):
        return None, verdict.limit
    return float(measured.max() if verdict.worst_is_high else measured.min()), verdict.limit


def _failed(verdicts: Mapping[Outcome, Verdict], outcome: Outcome, first: int, end: int) -> tuple[Rule, ...]:
    if outcome == "trimmed":  # no rule was asked
        return ()
    names: set[Rule] = {
        rule for rule in RULES if rule in verdicts and rule != "cut" and verdicts[rule].failed[first:end].any()
    }
    if verdicts["cut"].failed[first]:
        names.add("cut")
    if outcome == "too_short":
        names.add("too_short")
    return tuple(rule for rule in RULES if rule in names)
