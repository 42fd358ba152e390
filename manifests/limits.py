"""Limits that follow from the schema: what no dataset that this software writes can exceed.

Readers hold files against them before they reserve memory, since files may come from anyone.
"""

from manifests.timeline import SAMPLES_PER_TICK, TICK_RATE_HZ

__all__ = [
    "MAX_CLIP_BYTES",
    "MAX_CLIP_FRAMES",
    "MAX_CLIP_PX",
    "MAX_CLIP_S",
    "MAX_CLIP_SAMPLES",
]

MAX_CLIP_S = 600.0
"""Longest clip, seconds: the upper limit of the setting `rules.too_short.max_clip_s`."""

MAX_CLIP_FRAMES = int(MAX_CLIP_S * TICK_RATE_HZ)
"""Most frames of a clip."""

MAX_CLIP_SAMPLES = MAX_CLIP_FRAMES * SAMPLES_PER_TICK
"""Most samples of a clip's sound."""

MAX_CLIP_BYTES = 1 << 30
"""Most bytes of a clip's video or sound. 30 s of 1024 px take a tenth of it at the best quality."""

MAX_CLIP_PX = 1024
"""Largest height and width of clips, pixels: the upper limit of the setting `crop.size_px`."""
