"""What the rule `sync` takes of a video: nothing else is needed to judge any stretch of it again."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from curation.evidence.main_track import MainTrack
from curation.evidence.measures import Evidence, FaceMeasures
from foundation.array_types import BoolArray, Float16Array, Float32Array, Int64Array
from manifests.score_sums import ScoreSums

__all__ = ["SyncMeasures", "sync_measures"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SyncMeasures:
    """Measures of the main face of a video of T ticks."""

    scores: Float16Array | None
    """(T, 31) as in the table `frames`, NaN where a lag was not measured; None: lips and sound were not compared."""
    speech_prob: Float32Array | None
    """(T,) probability of speech; None without sound."""
    moved: BoolArray
    """(T,) whether the picture of the face is another one than on the tick before."""
    yaw_deg: Float32Array
    """(T,) turn of the head to a side."""
    mask_prob: Float32Array
    """(T,) probability that the mouth is covered."""
    described: Int64Array
    """(K,) ticks with a descriptor, ascending."""
    descriptor: Float32Array
    """(K, D) these descriptors."""
    track_id: Int64Array
    """(T,) track of the face."""
    breaks: BoolArray
    """(T,) where a tick does not continue the one before."""

    def __len__(self) -> int:
        return len(self.breaks)

    @cached_property
    def score_sums(self) -> ScoreSums | None:
        """Sums of the scores, added up when they are first asked for."""
        return None if self.scores is None else ScoreSums.of(self.scores)


def sync_measures(evidence: Evidence, face: FaceMeasures, main: MainTrack, breaks: BoolArray) -> SyncMeasures:
    """Return what the rule `sync` takes of a video of T ticks.

    The scores are taken in half precision, as `frames` stores them, so that later decisions give the same.

    Args:
        evidence: of the video.
        face: (T, ...) the main face.
        main: which face that is at each tick.
        breaks: (T,) where a tick does not continue the one before.
    """
    points = face.key_points_px
    moved = np.zeros(len(breaks), dtype=np.bool_)
    moved[1:] = np.any(points[1:] != points[:-1], axis=(1, 2))
    described = np.flatnonzero(~np.isnan(face.descriptor).any(axis=1))
    return SyncMeasures(
        scores=None if face.sync_scores is None else face.sync_scores.astype(np.float16),
        speech_prob=evidence.speech_prob,
        moved=moved,
        yaw_deg=face.pose_deg[:, 1].copy(),
        mask_prob=face.mask_prob,
        described=described,
        descriptor=face.descriptor[described],
        track_id=main.track_id.astype(np.int64),
        breaks=breaks,
    )
