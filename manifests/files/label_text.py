"""Text of the label columns (licence, consent, language, age, gender, skin type): checked wherever it enters."""

from typing import Annotated

from pydantic import AfterValidator

from manifests.files.names import UnsafeValueError

__all__ = ["MOST_CHARACTERS", "LabelText", "label_text"]

MOST_CHARACTERS = 200
"""Longest label: a name, a number, or the reference of a licence or a form."""


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


LabelText = Annotated[str, AfterValidator(label_text)]
