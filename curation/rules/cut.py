"""Rule `cut`: a clip lies within one shot. A cut is a boundary between two ticks and drops neither."""

from pydantic import Field

from curation.evidence.measures import LEAST_CUT_SCORE, SURE_CUT_SCORE
from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.verdict import Verdict, Verdicts, in_every_tier
from foundation.array_types import Float32Array
from foundation.settings import Settings

__all__ = ["CutSettings", "cut"]


class CutSettings(Settings):
    """Settings of the rule `cut`."""

    min_score: float = Field(default=LEAST_CUT_SCORE, ge=LEAST_CUT_SCORE, le=SURE_CUT_SCORE)
    """Score of the shot-boundary model at and above which there is a cut; see docs/explanation/perception_cuts.md. At
    least 0.5, for boundaries of lower scores are not checked for captions, banners and logos that come or go; at most
    1, the score where the picture changes its size, because a clip has one."""


def cut(score: Float32Array, settings: CutSettings) -> Verdict:
    """Mark ticks that begin a new shot.

    Args:
        score: (T,) shot-boundary score between each tick and the one before.
        settings: least score of a cut.

    Returns:
        value: the score; failed: True where a clip may not go on from the tick before.
    """
    return Verdict(value=score, failed=score >= settings.min_score, limit=settings.min_score)


@register(name="cut", settings=CutSettings, words="shot-boundary score", boundary=True)
def _judge(video: MeasuredVideo, settings: CutSettings) -> Verdicts:
    return in_every_tier(cut(video.evidence.cut_score, settings))
