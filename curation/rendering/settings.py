"""Settings of rendering, collected from those of a run."""

from dataclasses import dataclass

from curation.media.settings import MediaSettings
from curation.rendering.crop import CropSettings

__all__ = ["RenderSettings"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderSettings:
    """Settings of the rendering of clips."""

    crop: CropSettings
    media: MediaSettings
    min_speech_prob: float
    """Probability from which a tick counts as speech, 0 to 1; for the column `speech_ratio`."""
