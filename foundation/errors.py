"""Base of all errors of GAIA; each error carries the exit code of the command that it ends."""

from typing import ClassVar

from foundation.text import shown

__all__ = [
    "EXIT_CANNOT_START",
    "EXIT_INTERRUPTED",
    "EXIT_PIPE_CLOSED",
    "EXIT_PROBLEMS",
    "EXIT_TERMINATED",
    "EXIT_USAGE",
    "CannotStartError",
    "GaiaError",
    "ProblemsFoundError",
    "UsageError",
]

EXIT_PROBLEMS = 1
"""Finished, but some videos or clips failed, or a check did not pass; the output lists them."""

EXIT_USAGE = 2
"""The input cannot be used: settings, options, a source, a dataset, a run, an image."""

EXIT_CANNOT_START = 3
"""A prerequisite is missing: weights, a package, a GPU, Ray, disk space, access to a store, or to what another uses."""

EXIT_INTERRUPTED = 130
"""Ctrl-C; the code that shells report for a process ended by SIGINT."""

EXIT_PIPE_CLOSED = 141
"""Whoever read the output has ended, such as `head`; the code that shells report for a process ended by SIGPIPE."""

EXIT_TERMINATED = 143
"""SIGTERM ended the command at once; the code that shells report for a process ended by SIGTERM."""


class GaiaError(Exception):
    """Error with a message that names the problem, its place and the remedy."""

    exit_code: ClassVar[int] = EXIT_PROBLEMS
    """Exit code of a command that ends with this error."""
    several_lines: ClassVar[bool] = False
    """Whether the message has line breaks of its own; others are of file names, and are escaped."""

    def __str__(self) -> str:
        """Return the message for people: no secret of an address, no control character of a file's name."""
        return shown(super().__str__(), several_lines=self.several_lines)


class ProblemsFoundError(GaiaError, ValueError):
    """Work or a check ended with problems in the data."""


class UsageError(GaiaError, ValueError):
    """The input cannot be used; other input can."""

    exit_code = EXIT_USAGE


class CannotStartError(GaiaError, RuntimeError):
    """A prerequisite is missing on this machine."""

    exit_code = EXIT_CANNOT_START
