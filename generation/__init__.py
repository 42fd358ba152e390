"""Talking videos of a portrait, driven by speech or by another video.

Names are loaded when they are first used, so that `import generation` loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generation.job import GenerationResult, talking_video
    from generation.trained_run import GenerationError

__all__ = ["GenerationError", "GenerationResult", "talking_video"]

_MODULES = {
    "GenerationError": "generation.trained_run",
    "GenerationResult": "generation.job",
    "talking_video": "generation.job",
}


def __getattr__(name: str) -> object:
    """Load a public name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
