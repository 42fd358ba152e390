"""Errors of datasets."""

from pydantic import ValidationError

from foundation.errors import ProblemsFoundError, UsageError

__all__ = ["DatasetError", "MediaError", "first_problem"]


_LONGEST_NAME = 60


class DatasetError(UsageError):
    """There is no dataset that this version can read; the message has the reason and the remedy."""


class MediaError(ProblemsFoundError):
    """A clip's bytes cannot be read or decoded; the message has the position and the reason."""


def first_problem(error: ValidationError) -> str:
    """Return the first of the problems that a model found in a file: the field, and what is wrong."""
    what = error.errors(include_url=False, include_context=False, include_input=False)[0]
    message = what["msg"].removeprefix("Value error, ")
    return f"{'.'.join(_short(str(name)) for name in what['loc']) or 'the file'}: {message}"


def _short(name: str) -> str:
    """Return the name of a field; keys of a file can have any length."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
