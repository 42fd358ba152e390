"""JSON text of values that come from elsewhere: numbers without a value in JSON are null."""

import json
import math
from collections.abc import Mapping
from decimal import Decimal

__all__ = ["json_text"]


def json_text(value: object, *, indent: int | None = None) -> str:
    """Return JSON text (RFC 8259), in which a number that is infinite or not a number is null.

    Keys of mappings become texts, and so does what has no JSON type, such as a date. Characters without a picture of
    their own, such as control characters, are escaped.

    Args:
        value: texts, numbers, decimal ones too, truth values, None, and mappings, lists and tuples of them.
        indent: spaces for each level; None: all on one line.

    >>> json_text({"snr_db": [12.5, float("-inf"), float("nan")]})
    '{"snr_db": [12.5, null, null]}'
    """
    text = json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False, default=str)
    if text.isprintable():  # a page of pictures has 20 million characters
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c, allow_nan=False)[1:-1] for c in text)


def _finite(value: object) -> object:
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
