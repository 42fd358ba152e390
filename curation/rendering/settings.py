"""Settings of rendering, taken together from those of a run."""

from dataclasses import dataclass

from curation.media.settings import MediaSettings
from curation.rendering.crop import CropSettings

__all__ = ["RenderSettings"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderSettings:
    """How clips are cut out of a video."""

    crop: CropSettings
    media: MediaSettings
    min_speech_prob: float
    """Probability from which a tick counts as speech, 0 to 1; for the column `speech_ratio`."""
