"""The error of a media file that cannot be used at all."""

from foundation.address_text import without_secrets
from foundation.errors import GaiaError
from manifests.vocabulary import ErrorCode

__all__ = ["MediaError"]


class MediaError(GaiaError):
    """A file from which no frame can be had.

    `code` goes into the video's row, `detail` says what was found in the file.
    """

    code: ErrorCode
    detail: str

    def __init__(self, code: ErrorCode, detail: str) -> None:
        detail = without_secrets(detail)
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple[type["MediaError"], tuple[ErrorCode, str]]:
        """Pickle by code and detail: the default of exceptions is to call the class with the message alone."""
        return (MediaError, (self.code, self.detail))
