"""Errors of datasets."""

from foundation.errors import UsageError

__all__ = ["DatasetError"]


class DatasetError(UsageError):
    """A folder is no dataset that this version reads; the message says why and what to do."""
