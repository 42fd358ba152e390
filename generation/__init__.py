"""Talking videos of a portrait, driven by speech or by another video.

Names are loaded when they are first used, so that `import generation` loads no torch.
"""

from typing import TYPE_CHECKING

from foundation.lazy import lazy_attributes

__all__ = [
    "GenerationError",
    "GenerationResult",
    "talking_video",
]

if TYPE_CHECKING:
    from generation.job import GenerationResult, talking_video
    from generation.trained_run import GenerationError
else:
    __getattr__, __dir__ = lazy_attributes(
        __name__,
        {
            "GenerationError": "generation.trained_run",
            "GenerationResult": "generation.job",
            "talking_video": "generation.job",
        },
    )
