"""Mean opinion scores that the paper prints (Tables 3 and 8), from its own raters and videos."""

from collections.abc import Mapping

__all__ = ["PUBLISHED"]

PUBLISHED: Mapping[str, tuple[float, float, float, float, float]] = {
    "MakeItTalk": (2.148, 2.161, 1.739, 2.789, 2.571),
    "Audio2Head": (2.355, 3.278, 2.014, 2.494, 3.298),
    "PC-AVS": (2.797, 3.843, 3.546, 3.452, 2.091),
    "SadTalker": (2.884, 4.012, 4.020, 3.569, 2.625),
    "PD-FGC": (3.283, 3.893, 1.905, 3.417, 4.512),
    "GAIA": (4.362, 4.332, 4.345, 4.320, 4.243),
}
"""By system, in the order of `CRITERIA`; 20 raters, videos of TalkingHead-1KH."""
