"""Figures of one video from its features: each column of the tables but FID, which is of all videos together.

Ticks that result and truth do not share, at the end of the longer one, count nowhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from foundation.array_types import Float32Array
from manifests.landmarks import LandmarkScheme, landmark_scheme
from training.comparison.video_features import VideoFeatures
from training.evaluation.frame_mean import FrameMean, mean_over_frames
from training.evaluation.identity_similarity import identity_similarity
from training.evaluation.landmark_distance import average_keypoint_distance
from training.evaluation.lip_distance import lip_landmark_distance
from training.evaluation.motion_diversity import motion_spread
from training.evaluation.motion_stability import motion_stability
from training.evaluation.mouth_correlation import mouth_correlation

__all__ = ["VideoFigures", "figures_of_result", "figures_of_truth"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoFigures:
    """Figures of one video by column, and the frames that they leave out."""

    n_frames: int
    figures: Mapping[str, float]
    """Columns that have a figure."""
    left_out: Mapping[str, int]
    """Frames that a column leaves out, where it leaves any out."""


class _Figures:
    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self.left_out: dict[str, int] = {}

    def add(self, column: str, found: FrameMean) -> None:
        self.put(column, found.mean, found.n_missing)

    def put(self, column: str, value: float | None, n_missing: int = 0) -> None:
        if value is not None and np.isfinite(value):
            self.figures[column] = float(value)
        if n_missing:
            self.left_out[column] = n_missing


def figures_of_truth(features: VideoFeatures, scheme: str) -> VideoFigures:
    """Return the figures of a true video that need no other video: MSI, Sync-D and such, motion diversity."""
    found = _Figures()
    n_frames = features.n_ticks
    _alone(found, features, scheme, n_frames)
    return VideoFigures(n_frames=n_frames, figures=found.figures, left_out=found.left_out)


def figures_of_result(
    features: VideoFeatures,
    truth: VideoFeatures,
    reference: Mapping[str, Float32Array] | None,
    *,
    scheme: str,
    width_px: int,
) -> VideoFigures:
    """Return the figures of a result.

    Args:
        features: of the result.
        truth: those of the true video.
        reference: (1, D) descriptors of the person whom the result shows, by part; None: those of each true frame.
        scheme: numbering of the landmarks.
        width_px: width of the pictures.
    """
    found = _Figures()
    n_frames = min(features.n_ticks, truth.n_ticks)
    for column in ("psnr", "ssim", "lpips"):
        if column in features.pair:
            frames_T = features.pair[column].astype(np.float64)
            # equal pictures have no finite PSNR
            found.add(column, mean_over_frames(np.where(np.isfinite(frames_T), frames_T, np.nan)))
    for part, suffix, points in (("landmarks", "", scheme), ("points68", "68", "ibug68")):
        if part in features.faces:
            pair = (features.faces[part][:n_frames], truth.faces[part][:n_frames])
            numbering = landmark_scheme(points)
            found.add(f"akd{suffix}", average_keypoint_distance(*pair, numbering, width_px=width_px))
            found.add(f"lmd{suffix}", lip_landmark_distance(*pair, numbering, width_px=width_px))
            if part == "landmarks":
                found.add("mouth", mouth_correlation(*pair, numbering))
    for part in ("dlib", "arcface"):
        if part in features.faces:
            wanted = truth.faces[part][:n_frames] if reference is None else reference[part]
            found.add(f"csim_{part}", identity_similarity(features.faces[part][:n_frames], wanted))
    _alone(found, features, scheme, n_frames)
    return VideoFigures(n_frames=n_frames, figures=found.figures, left_out=found.left_out)


def _alone(found: _Figures, features: VideoFeatures, scheme: str, n_frames: int) -> None:
    """Add what needs the video alone."""
    if "landmarks" in features.faces:
        stability = motion_stability(*_lips_of(features, scheme, n_frames))
        found.put("msi", stability.msi, stability.n_missing)
    if "pose" in features.faces:
        pose_T3 = features.faces["pose"][:n_frames]
        found.put("diversity", motion_spread(pose_T3), int(np.isnan(pose_T3).any(axis=1).sum()))
    for column, name in (("sync_d", "distance"), ("sync_c", "confidence"), ("sync_offset", "late_frames")):
        if name in features.sync:
            value = float(features.sync[name][0])
            found.put(column, abs(value) if column == "sync_offset" else value)


def _lips_of(features: VideoFeatures, scheme: str, n_frames: int) -> tuple[Float32Array, LandmarkScheme]:
    return np.asarray(features.faces["landmarks"][:n_frames]), landmark_scheme(scheme)
