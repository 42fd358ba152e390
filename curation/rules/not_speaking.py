"""Rule `not_speaking`: the face that is shown is the one that is heard, and the only one (GAIA A.1, third policy)."""

import numpy as np
from pydantic import Field

from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.verdict import Verdict, Verdicts
from foundation.array_types import Float32Array
from foundation.settings import Settings

__all__ = ["NotSpeakingSettings", "not_speaking"]


class NotSpeakingSettings(Settings):
    """Settings of the rule `not_speaking`."""

    min_prob: float = Field(default=0.5, ge=0.0, lt=1.0)
    """Least probability that the face speaks and no other one does. 0 accepts listeners."""


def not_speaking(speaks_alone: Float32Array, settings: NotSpeakingSettings) -> Verdict:
    """Drop ticks on which another is heard than who is shown, or both at once.

    Args:
        speaks_alone: (T,) probability that the main face speaks and no other; NaN where it was not measured.
        settings: least probability.

    Returns:
        value: the probability.
    """
    with np.errstate(invalid="ignore"):
        return Verdict(value=speaks_alone, failed=speaks_alone < settings.min_prob, limit=settings.min_prob)


@register(
    name="not_speaking",
    settings=NotSpeakingSettings,
    words="probability that this face speaks, and no other",
    keeps="at least",
)
def _judge(video: MeasuredVideo, settings: NotSpeakingSettings) -> Verdicts:
    return {"diffusion": not_speaking(video.main.speaks_alone, settings)}
