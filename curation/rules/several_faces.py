"""Rule `several_faces`: a clip shows one speaker, and the same one throughout."""

import numpy as np
from pydantic import Field

from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.verdict import Verdict, Verdicts, in_every_tier
from foundation.array_types import BoolArray, Float32Array
from foundation.settings import Settings

__all__ = ["SeveralFacesSettings", "several_faces"]


_AROUND_TICKS = 9
"""Ticks around a tick on which a second face is looked for, 0.36 s."""


class SeveralFacesSettings(Settings):
    """Settings of the rule `several_faces`."""

    max_width_ratio: float = Field(default=0.5, gt=0.0, le=1.0)
    """A second face at least this wide, in widths of the main face, drops the tick. Ours: half as wide is a person in
    the conversation, smaller is a bystander or an image on the wall."""

    min_score: float = Field(default=0.7, ge=0.0, le=1.0)
    """A second face of which the detector is less sure does not count. Ours: on the real clips people score 0.8 and
    more, patterns in a blurred background that look like one 0.5 to 0.66."""

    min_ticks: int = Field(default=3, ge=1, le=9)
    """A second face drops ticks where it is seen on at least this many of the 9 ticks around. Ours: hands that the
    detector takes for a face are gone after two ticks."""


def several_faces(width_ratio: Float32Array, track_changes: BoolArray, settings: SeveralFacesSettings) -> Verdict:
    """Drop ticks where a second face could be the speaker, and the tick where the main track changes.

    Args:
        width_ratio: (T,) width of the widest other face over the main face's; 0 where it is alone, NaN without a face.
        track_changes: (T,) the main track is another than at the face before, within one shot.
        settings: largest ratio, and how long a second face stays.

    Returns:
        value: the ratio.
    """
    with np.errstate(invalid="ignore"):
        too_wide = width_ratio >= settings.max_width_ratio
    n_around = np.convolve(too_wide, np.ones(_AROUND_TICKS), "full")[_AROUND_TICKS // 2 :][: len(too_wide)]
    stays = too_wide & (n_around >= settings.min_ticks)
    return Verdict(value=width_ratio, failed=stays | track_changes, limit=settings.max_width_ratio)


@register(
    name="several_faces",
    settings=SeveralFacesSettings,
    words="width of the second face over that of the main one",
)
def _judge(video: MeasuredVideo, settings: SeveralFacesSettings) -> Verdicts:
    return in_every_tier(several_faces(video.main.rival_ratio, video.main.changes, settings))
