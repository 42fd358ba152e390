"""Errors of datasets."""

from foundation.errors import ProblemsFoundError, UsageError

__all__ = ["DatasetError", "MediaError"]


class DatasetError(UsageError):
    """There is no dataset that this version can read; the message has the reason and the remedy."""


class MediaError(ProblemsFoundError):
    """A clip's bytes cannot be read or decoded; the message has the position and the reason."""
