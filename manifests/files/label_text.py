"""Text of the label columns (licence, consent, language, age, gender, skin type): checked wherever it enters."""

import re
from typing import Annotated

from pydantic import AfterValidator

from manifests.files.names import UnsafeValueError

__all__ = ["MOST_CHARACTERS", "LabelText", "label_text", "states_consent"]

MOST_CHARACTERS = 200
"""Longest label: a name, a number, or the reference of a licence or a form."""


_NO_CONSENT = frozenset(
    (
        *("no", "not", "none", "never", "without", "withdrawn", "refused", "denied", "revoked", "expired", "pending"),
        *("unknown", "unclear", "missing", "false", "0", "n", "na", "n/a", "nil", "null", "-", "?"),
    )
)
"""First words, in lower case, of texts that state that there is no consent, or that nobody knows."""


def label_text(text: str) -> str:
    """Return `text` if it can be a label: 1 to 200 characters that can be printed, none of them a space at an end.

    Raises:
        UnsafeValueError: it cannot.

    >>> label_text("CC BY 4.0")
    'CC BY 4.0'
    """
    if (
        not isinstance(text, str)
        or not 0 < len(text) <= MOST_CHARACTERS
        or not text.isprintable()
        or text.strip() != text
    ):
        shown = repr(text)
        shown = shown if len(shown) <= 100 else f"{shown[:100]}... ({len(shown):,} characters)"
        raise UnsafeValueError(
            f"{shown} cannot be a label, which has 1 to {MOST_CHARACTERS} characters, all of them printable"
        )
    return text


def states_consent(text: str | None) -> bool | None:
    """Return whether a text of the column `consent` records consent.

    False: it states that there is none. None: there is no text.

    >>> states_consent("form 17, 2026-05-02"), states_consent("withdrawn 2026-07-01"), states_consent(None)
    (True, False, None)
    """
    if text is None:
        return None
    return re.split(r"[\s,;:.()]+", text.casefold().lstrip(), maxsplit=1)[0] not in _NO_CONSENT


LabelText = Annotated[str, AfterValidator(label_text)]
