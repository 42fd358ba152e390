"""Rule `no_face`: a tick without a face is dropped, unless the miss is short enough to be interpolated."""

import numpy as np
from pydantic import Field

from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.runs import run_lengths
from curation.rules.verdict import Verdict, Verdicts, in_every_tier
from foundation.array_types import BoolArray
from foundation.settings import Settings

__all__ = ["NoFaceSettings", "no_face"]


class NoFaceSettings(Settings):
    """Settings of the rule `no_face`."""

    bridge_ticks: int = Field(default=2, ge=0, le=25)
    """Longest miss between two sightings of one track that is interpolated, in ticks. Ours: a detector that blinks for
    80 ms has not lost the speaker; longer, and the interpolated mouth would be invented."""


def no_face(present: BoolArray, bridged: BoolArray, settings: NoFaceSettings) -> Verdict:
    """Drop ticks where no face was found and none could be interpolated.

    Args:
        present: (T,) a face was found.
        bridged: (T,) none was found, but the miss was interpolated.
        settings: names the longest bridgeable miss.

    Returns:
        value: the length in ticks of the miss around each tick, 0 where a face was found.
    """
    missing = ~present
    return Verdict(
        value=np.where(missing, run_lengths(missing), 0).astype(np.float32),
        failed=missing & ~bridged,
        limit=float(settings.bridge_ticks),
    )


@register(name="no_face", settings=NoFaceSettings, words="ticks without a face")
def _judge(video: MeasuredVideo, settings: NoFaceSettings) -> Verdicts:
    return in_every_tier(no_face(video.main.face >= 0, video.main.bridged, settings))
