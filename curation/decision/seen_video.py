"""What rules judge of a video: its cores, the tracks in them, and the main face of every tick."""

from collections.abc import Collection
from dataclasses import dataclass

from curation.decision.beyond_cores import in_cores
from curation.decision.grid import GridLook, cores_of
from curation.decision.judgement import recording_starts
from curation.decision.main_face import Rivals, main_face, main_track
from curation.decision.settings import RulesSettings
from curation.decision.tracks import link_tracks
from curation.evidence.measures import Evidence
from curation.rules.rule import MeasuredVideo
from foundation.array_types import BoolArray, Int64Array
from manifests.vocabulary import Tier

__all__ = ["SeenVideo", "seen_video"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenVideo:
    """A video of T ticks as the rules see it, within its cores."""

    video: MeasuredVideo
    """What the rules judge: the faces of cores only."""
    look: GridLook
    """What the grid ticks show."""
    core: BoolArray
    """(T,) ticks that may hold a clip, with their margins; all of them where the grid is not known."""
    number: Int64Array
    """(F,) numbers that the faces of cores have in the evidence."""
    track: Int64Array
    """(F,) tracks of the faces of cores."""


def seen_video(
    evidence: Evidence, settings: RulesSettings, *, identity: str, face_ratio: float, tiers: Collection[Tier]
) -> SeenVideo:
    """Return what the rules judge of a video. No limit of a rule that judges single ticks is applied.

    Args:
        evidence: of T ticks.
        settings: of the built-in rules.
        identity: value of `perception.identity` that the evidence was measured with.
        face_ratio: setting `crop.face_ratio`.
        tiers: of which clips are asked for.

    Raises:
        ValueError: the evidence was measured with another identity.
        UnmeasuredError: ticks that could hold a clip under these settings were not measured.
    """
    look, core = cores_of(evidence, settings, tiers, face_ratio)
    judged, number = in_cores(evidence, core)
    begins = recording_starts(judged, settings)
    bridge = settings.no_face.bridge_ticks
    track = link_tracks(judged, begins, bridge, settings.tracks, identity)
    main = main_track(
        judged,
        track,
        begins,
        bridge_ticks=bridge,
        still=settings.still_face,
        rivals=Rivals(min_score=settings.several_faces.min_score, face_ratio=face_ratio),
        silence=settings.silence,
        speaker=settings.speaker,
    )
    video = MeasuredVideo(evidence=judged, face=main_face(judged.faces, main), main=main, breaks=begins | main.changes)
    return SeenVideo(video=video, look=look, core=core, number=number, track=track)
