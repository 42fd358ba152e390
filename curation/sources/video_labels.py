"""What a list or an annotation states of a video and of the person in it: licence, consent, language, age, gender."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from manifests.files.label_text import label_text, states_consent
from manifests.files.names import UnsafeValueError
from manifests.vocabulary import LABEL_NAMES

__all__ = ["NO_LABELS", "VideoLabels"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoLabels:
    """Labels of a video; None where the source does not state one."""

    licence: str | None = None
    consent: str | None = None
    language: str | None = None
    age: str | None = None
    gender: str | None = None
    skin_type: str | None = None

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self:
        """Return labels out of the texts of a source, by the names of the columns; an empty text states nothing.

        Args:
            values: the texts; names that are no label are passed over.

        Raises:
            UnsafeValueError: a text is too long, or holds characters that cannot be printed; the message names it.
        """
        found = {}
        for name in LABEL_NAMES:
            text = unicodedata.normalize("NFC", values.get(name, "").strip())
            if text:
                try:
                    found[name] = label_text(text)
                except UnsafeValueError as error:
                    raise UnsafeValueError(f"{name}: {error}") from error
        return cls(**found)

    @property
    def consents(self) -> bool | None:
        """Whether consent is recorded; False: the text states that there is none; None: there is no text.

        >>> VideoLabels(consent="form 17, 2026-05-02").consents
        True
        >>> VideoLabels(consent="No").consents, VideoLabels(consent="withdrawn 2026-07-01").consents
        (False, False)
        """
        return states_consent(self.consent)


NO_LABELS = VideoLabels()
