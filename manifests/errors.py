"""Errors of datasets."""

from foundation.errors import UsageError

__all__ = ["DatasetError"]


class DatasetError(UsageError):
    """There is no dataset that this version can read; the message has the reason and the remedy."""
