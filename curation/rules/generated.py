"""Rule `generated`: the file does not say of itself that it was generated. Off unless it is asked for."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from curation.rules.built_in import register
from curation.rules.rule import MeasuredVideo
from curation.rules.verdict import Verdict, Verdicts, in_every_tier
from foundation.settings import Settings
from manifests.vocabulary import GeneratedTag

__all__ = ["GeneratedSettings", "generated", "telling_tags"]


class GeneratedSettings(Settings):
    """Settings of the rule `generated`."""

    drop: Literal["nothing", "generated"] = "nothing"
    """`generated`: all of a video is dropped whose file says that it, or a part of it, was generated. Ours: off,
    because whether generated people belong in the data is for its owner to say."""


def telling_tags(tags: Sequence[GeneratedTag] | None) -> float:
    """Return how many tags of a file say that it was generated; NaN where its tags are not known.

    >>> telling_tags(("gaia_avatar", "content_credentials"))
    1.0
    """
    return np.nan if tags is None else float(sum(tag != "content_credentials" for tag in tags))


def generated(tags: Sequence[GeneratedTag] | None, n_ticks: int) -> Verdict:
    """Drop every tick of a video whose file says that it was generated.

    Args:
        tags: of the file, from `Evidence.generated_tags`.
        n_ticks: length of the video.

    Returns:
        value: how many of the tags say so.
    """
    n_tags = telling_tags(tags)
    return Verdict(
        value=np.full(n_ticks, n_tags, dtype=np.float32),
        failed=np.full(n_ticks, n_tags > 0.0, dtype=np.bool_),
        limit=0.0,
    )


@register(name="generated", settings=GeneratedSettings, words="tags that say that the video was generated")
def _judge(video: MeasuredVideo, settings: GeneratedSettings) -> Verdicts:
    if settings.drop == "nothing":
        return {}
    return in_every_tier(generated(video.evidence.generated_tags, len(video)))
