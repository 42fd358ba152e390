"""Talking videos of a portrait, driven by speech, by another video, or by both.

Names are loaded when they are first used, so that `import generation` loads no torch.
"""

from typing import TYPE_CHECKING

from foundation.lazy import lazy_attributes

__all__ = [
    "BatchResult",
    "EditAgreement",
    "GeneratedVideo",
    "GenerationError",
    "GenerationResult",
    "JobListError",
    "PoseAgreement",
    "talking_video",
    "talking_videos",
]

if TYPE_CHECKING:
    from generation.batch.job_list import JobListError
    from generation.batch.talking_videos import BatchResult, talking_videos
    from generation.editing.landmark_check import EditAgreement
    from generation.job import talking_video
    from generation.outcome import GeneratedVideo, GenerationResult
    from generation.pose_check import PoseAgreement
    from generation.trained_run import GenerationError
else:
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            "BatchResult": "generation.batch.talking_videos",
            "JobListError": "generation.batch.job_list",
            "talking_videos": "generation.batch.talking_videos",
            "EditAgreement": "generation.editing.landmark_check",
            "GeneratedVideo": "generation.outcome",
            "GenerationError": "generation.trained_run",
            "GenerationResult": "generation.outcome",
            "PoseAgreement": "generation.pose_check",
            "talking_video": "generation.job",
        },
    )
