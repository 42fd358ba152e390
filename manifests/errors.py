"""Errors of datasets."""

from pydantic import ValidationError

from foundation.errors import ProblemsFoundError, UsageError

__all__ = ["DatasetError", "MediaError", "first_problem"]


class DatasetError(UsageError):
    """There is no dataset that this version can read; the message has the reason and the remedy."""


class MediaError(ProblemsFoundError):
    """A clip's bytes cannot be read or decoded; the message has the position and the reason."""


def first_problem(error: ValidationError) -> str:
    """Return the first of the problems that a model found in a file: the field, and what is wrong."""
    what = error.errors(include_url=False, include_context=False, include_input=False)[0]
    message = what["msg"].removeprefix("Value error, ")
    return f"{'.'.join(str(name) for name in what['loc']) or 'the file'}: {message}"
