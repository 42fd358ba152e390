"""Turn errors into one line on stderr and an exit code; shared by all commands."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from foundation.errors import EXIT_CANNOT_START, EXIT_INTERRUPTED, GaiaError

__all__ = ["exit_codes", "stop"]


@contextmanager
def exit_codes(program: str, *, files: str, kept: str) -> Iterator[None]:
    """End the command with one line on stderr and an exit code on every error that a user can mend.

    Args:
        program: name of the command, put before every message.
        files: subject of the message about an error of the operating system, such as "the dataset".
        kept: what an interrupt or a full disk leaves behind, and how to go on.

    Raises:
        Exit: the block raised a `GaiaError`, an `OSError` or `KeyboardInterrupt`.
    """
    try:
        yield
    except KeyboardInterrupt:
        stop(program, f"Ctrl-C: ended at once; {kept}", EXIT_INTERRUPTED)
    except GaiaError as error:
        stop(program, str(error), error.exit_code)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            stop(program, f"the disk is full: {error}; make room and give the command again: {kept}", EXIT_CANNOT_START)
        stop(program, f"{files} cannot be read or written: {error}", EXIT_CANNOT_START)


def stop(program: str, message: str, code: int) -> NoReturn:
    """Print why the command ends, on stderr, and end it.

    Raises:
        Exit: always, with `code`.
    """
    typer.echo(f"{program}: {message}", err=True)
    raise typer.Exit(code)
