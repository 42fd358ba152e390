"""The id of a video's mark, and the object in its tags that the id is made of."""

import hashlib
import json
from collections.abc import Mapping

from curation.media.mark.mark_code import ID_BITS, id_text

__all__ = ["described"]


def described(facts: Mapping[str, object], no_mark: str | None) -> tuple[str, int | None]:
    """Return the `description` of a video, a JSON object, and the id of its mark.

    The id is the first 48 bits of SHA-256 of the object without `mark`: who made a video and kept its description can
    tell by the mark that a copy is of it, and the same job has the same id.

    Args:
        facts: what the description tells besides the mark.
        no_mark: why there is no mark; None: there is one.

    >>> described({"seed": 0}, "frames for a metric")
    ('{"seed": 0, "mark": null, "no_mark": "frames for a metric"}', None)
    """
    if no_mark is not None:
        return json.dumps({**facts, "mark": None, "no_mark": no_mark}, allow_nan=False), None
    digest = hashlib.sha256(json.dumps(facts, allow_nan=False).encode()).digest()
    mark_id = int.from_bytes(digest[: ID_BITS // 8], "big")
    return json.dumps({**facts, "mark": id_text(mark_id)}, allow_nan=False), mark_id
