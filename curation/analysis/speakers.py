"""Evidence of who speaks: what a video's faces have to do with its sound, on the stretches that are worth it."""

from collections.abc import Sequence
from dataclasses import replace

from curation.analysis.heard_faces import speaking_prob
from curation.analysis.lips_and_sound import ShapesOf, sync_scores
from curation.evidence.measures import Evidence
from curation.evidence.track_stretches import TrackStretch
from curation.media.probe import VideoInfo
from curation.media.settings import MediaSettings
from curation.perception.lips import LipModels
from curation.rules.sync import SyncSettings
from foundation.array_types import Float32Array
from manifests.sync_curve import SyncSums, pooled

__all__ = ["with_speakers"]


def with_speakers(
    info: VideoInfo,
    evidence: Evidence,
    stretches: Sequence[TrackStretch],
    models: LipModels,
    *,
    shapes_of: ShapesOf,
    media: MediaSettings,
    sync: SyncSettings,
) -> Evidence:
    """Return the evidence with `sync_scores` and `speaking_prob` of the faces that could be the speaker.

    Lips are compared with the sound on all stretches. Whether a face speaks is asked of the other, slower model where
    it is in company, and where its lips and the sound are not in sync over all stretches of its track. Nothing is
    loaded where there is no stretch, and nothing measured that the evidence has.

    Args:
        info: the video.
        evidence: all that was measured of it before.
        stretches: of the faces that could be the speaker.
        models: those of these settings.
        shapes_of: returns landmarks and blendshapes of faces.
        media: how the video is decoded.
        sync: from which z on a stretch is in sync.

    Raises:
        MediaError: the file cannot be opened any more.
    """
    faces = evidence.faces
    if not stretches or not info.has_audio:
        return evidence
    scores = faces.sync_scores
    if scores is None and models.sync is not None:
        scores = sync_scores(info, stretches, len(faces), shapes_of, models.sync)
    doubtful = [one for one in stretches if one.in_company or _is_doubtful(one, stretches, scores, sync)]
    prob = faces.speaking_prob
    if prob is None and doubtful and models.speaking is not None:
        prob = speaking_prob(info, doubtful, faces.box_px, models.speaking, media)
    return replace(evidence, faces=replace(faces, sync_scores=scores, speaking_prob=prob))


def _is_doubtful(
    stretch: TrackStretch, stretches: Sequence[TrackStretch], scores: Float32Array | None, sync: SyncSettings
) -> bool:
    """Return whether the lips of a stretch's track were compared with the sound, and are not in sync with it."""
    if scores is None:
        return False
    own = [one.face[one.face >= 0] for one in stretches if one.track_id == stretch.track_id]
    curve = pooled(SyncSums.of(scores[face]) for face in own).curve()
    return curve is not None and curve.z < sync.in_sync_z
