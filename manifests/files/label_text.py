"""Text of the label columns (licence, consent, language, age, gender, skin type) and of instructions.

It is checked wherever it enters.
"""

import re
from typing import Annotated

from pydantic import AfterValidator

from manifests.files.names import UnsafeValueError

__all__ = ["MOST_CHARACTERS", "LabelText", "instruction_text", "label_text", "states_consent"]

MOST_CHARACTERS = 200
"""Longest label: a name, a number, or the reference of a licence or a form."""

_MOST_OF_INSTRUCTION = 500
"""Longest instruction; the text encoder reads 75 pieces of words of it."""

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
    if not _is_printed(text, MOST_CHARACTERS):
        raise UnsafeValueError(
            f"{_shortened(text)} cannot be a label, which has 1 to {MOST_CHARACTERS} characters, all of them printable"
        )
    return text


def instruction_text(text: str) -> str:
    """Return `text` if it can be an instruction: 1 to 500 printable characters, none of them a space at an end.

    Raises:
        UnsafeValueError: it cannot.

    >>> instruction_text("turn your head left")
    'turn your head left'
    """
    if not _is_printed(text, _MOST_OF_INSTRUCTION):
        raise UnsafeValueError(
            f"{_shortened(text)} cannot be an instruction, which has 1 to {_MOST_OF_INSTRUCTION} characters, all of "
            "them printable"
        )
    return text


def _is_printed(text: object, most: int) -> bool:
    return isinstance(text, str) and 0 < len(text) <= most and text.isprintable() and text.strip() == text


def _shortened(text: str) -> str:
    quoted = repr(text)
    return quoted if len(quoted) <= 100 else f"{quoted[:100]}... ({len(quoted):,} characters)"


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
