"""Labels of a person as both versions of Casual Conversations annotate them."""

import re

from curation.sources.video_labels import VideoLabels

__all__ = ["person_labels"]

_UNKNOWN = frozenset({"", "n/a", "na", "none", "prefer not to say"})

_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6"}

_SKIN = re.compile(r"(?:type )?(?:([1-6])|(iii|ii|iv|i|vi|v))", re.IGNORECASE)


def person_labels(age: object, gender: object, skin_type: object) -> VideoLabels:
    """Return age, gender and type of skin as labels; what nobody knows or nobody said is None.

    Raises:
        TypeError: a value is neither text nor a number.
        UnsafeValueError: a text cannot be a label.

    >>> person_labels("29", "N/A", "type iv")
    VideoLabels(licence=None, consent=None, language=None, age='29', gender=None, skin_type='4')
    """
    skin = _text(skin_type)
    match = _SKIN.fullmatch(skin)
    if match:
        skin = match[1] or _ROMAN[match[2].lower()]
    return VideoLabels.of({"age": _text(age), "gender": _text(gender), "skin_type": skin})


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"{value!r:.60} is neither text nor a number")
    text = str(value).strip()
    return "" if text.casefold() in _UNKNOWN else text
