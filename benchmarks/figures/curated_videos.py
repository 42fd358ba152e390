"""Evidence of a curated dataset, video by video, with the decisions of the default rules."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from curation.decision.decide import Decision, RulesSettings, decide
from curation.evidence.measures import Evidence
from curation.output.frame_rows import evidence_of_frames
from curation.rules.cut import cut
from curation.rules.frontal import frontal_angle_deg
from curation.rules.jitter import measured_moves, step_of
from curation.rules.still_face import StillFaceSettings, face_motion, own_shape
from curation.settings import CurationSettings
from foundation.array_types import BoolArray, Float32Array, Float64Array
from manifests.files.tables import read_table
from manifests.record import read_dataset
from manifests.timeline import TICK_RATE_HZ

TICK_HZ = float(TICK_RATE_HZ)

WIDE_PX = 100.0
"""Least median width of a face whose points are accurate enough to be compared with other measures."""


@dataclass(frozen=True, kw_only=True)
class Video:
    """Evidence of a video, and the decision of the default rules."""

    name: str
    evidence: Evidence
    decision: Decision
    breaks: BoolArray
    identity: str
    """Value of `perception.identity` that it was measured with."""

    @property
    def motion(self) -> Float32Array:
        """Motion since the previous tick, (T, 5) face widths."""
        return measured_moves(self.decision.face, self.breaks)

    @property
    def step(self) -> Float32Array:
        """Step from the previous tick, (T,) face widths."""
        return step_of(self.motion)


def read_videos(dataset: Path, rules: RulesSettings) -> list[Video]:
    """Return the analysed videos of a dataset by name."""
    rows = read_table(dataset, "videos", ["video_id", "path", "status", "duplicate_of", "duration_s"]).to_pylist()
    frames = read_table(dataset, "frames")
    ids = np.asarray(frames["video_id"].to_pylist())
    identity = recorded_identity(dataset)
    videos = []
    for row in rows:
        if row["status"] != "ok" or row["duplicate_of"] is not None:
            continue
        n_ticks = round(row["duration_s"] * TICK_RATE_HZ)
        evidence = evidence_of_frames(frames.take(np.flatnonzero(ids == row["video_id"])), n_ticks)
        decision = decide(evidence, rules, identity=identity)
        breaks = cut(evidence.cut_score, rules.cut).failed | decision.main.changes
        name = PurePosixPath(row["path"]).stem
        videos.append(Video(name=name, evidence=evidence, decision=decision, breaks=breaks, identity=identity))
    return sorted(videos, key=lambda video: video.name.lower())


def recorded_identity(dataset: Path) -> str:
    """Return the value of `perception.identity` that a dataset was made with."""
    return CurationSettings.model_validate(read_dataset(dataset).config).perception.identity


def own_motion(video: Video, settings: StillFaceSettings) -> Float32Array:
    """Return (T,) motion of the face without that of the head, face widths."""
    return face_motion(own_shape(video.decision.face.key_points_px), video.breaks, settings.window_ticks)


def signed_deviation_deg(video: Video) -> Float64Array:
    """Return (T,) frontal angle less 180."""
    return frontal_angle_deg(video.decision.face.key_points_px).astype(np.float64) - 180.0
