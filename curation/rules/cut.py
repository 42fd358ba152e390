"""Rule `cut`: a clip lies within one shot. A cut is a boundary between two ticks, and loses neither."""

from pydantic import Field

from curation.rules.verdict import Verdict
from foundation.array_types import Float32Array
from foundation.settings import Settings

__all__ = ["CutSettings", "cut"]


class CutSettings(Settings):
    """Settings of the rule `cut`."""

    min_score: float = Field(default=0.5, ge=0.0)
    """Score of the shot-boundary model at and above which there is a cut. See docs/explanation/perception_cuts.md."""


def cut(score: Float32Array, settings: CutSettings) -> Verdict:
    """Mark ticks that begin a new shot.

    Args:
        score: (T,) shot-boundary score between each tick and the one before.
        settings: names the score of a cut.

    Returns:
        value: the score; failed: True where a clip may not go on from the tick before.
    """
    return Verdict(value=score, failed=score >= settings.min_score, limit=settings.min_score)
