"""Turn errors into one line on stderr and an exit code; shared by all commands."""

import contextlib
import dataclasses
import errno
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, get_type_hints

import typer

from foundation.errors import EXIT_CANNOT_START, EXIT_INTERRUPTED, EXIT_TERMINATED, GaiaError
from foundation.program_end import reader_is_gone
from foundation.signals import Terminated
from foundation.text import shown

__all__ = ["exit_codes", "stop", "with_option_groups"]


@contextmanager
def exit_codes(program: str, *, files: str, kept: str) -> Iterator[None]:
    """End the command with one line on stderr and an exit code on every error that a user can remove.

    Args:
        program: name of the command, put before every message.
        files: subject of the message about an error of the operating system that names no file, such as "files".
        kept: what an interrupt or a full disk leaves behind, and how to go on.

    Raises:
        Exit: the block raised a `GaiaError`, an `OSError`, a `MemoryError` or `KeyboardInterrupt`.
        BrokenPipeError: whoever read the output has ended; `run_program` knows what to do.
    """
    try:
        yield
    except KeyboardInterrupt as interrupt:
        cause = _cause(interrupt)
        if (
            cause is not None
        ):  # SIGTERM arrived while an error ended the command, such as that of torchrun's to all ranks
            _stop_for(program, cause, files, kept)
        if Terminated.arrived:
            stop(program, f"SIGTERM: ended at once; {kept}", EXIT_TERMINATED)
        stop(program, f"Ctrl-C: ended at once; {kept}", EXIT_INTERRUPTED)
    except (GaiaError, MemoryError, OSError) as error:
        if isinstance(error, BrokenPipeError) and reader_is_gone():
            raise
        _stop_for(program, error, files, kept)


def _cause(interrupt: KeyboardInterrupt) -> BaseException | None:
    """Return the error that was ending the command already, as when torchrun sends SIGTERM to a rank; None without."""
    error = interrupt.__context__
    while error is not None and not isinstance(error, GaiaError | MemoryError):
        error = error.__context__
    return error


def _stop_for(program: str, error: BaseException, files: str, kept: str) -> NoReturn:
    if isinstance(error, GaiaError):
        stop(program, str(error), error.exit_code)
    if isinstance(error, MemoryError):
        stop(program, f"memory ran out{f': {error}' if str(error) else ''}; {kept}", EXIT_CANNOT_START)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        stop(program, f"the disk is full: {error}; make room and give the command again: {kept}", EXIT_CANNOT_START)
    stop(program, _file_text(error, files), EXIT_CANNOT_START)


def _file_text(error: BaseException, files: str) -> str:
    """Return a sentence on an error of the operating system, about the file that it names, if any."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        names = " and ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
        return f"{names} cannot be read or written: {error.strerror}"
    return f"{files} cannot be read or written: {error}"


def stop(program: str, message: str, code: int) -> NoReturn:
    """Print why the command ends, on stderr, and end it.

    Raises:
        Exit: always, with `code`.
    """
    with contextlib.suppress(OSError):  # nobody reads it
        typer.echo(shown(f"{program}: {message}", several_lines=True), err=True)
    raise typer.Exit(code)


def with_option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Let a Typer command take groups of options, each as one argument: a dataclass with an option a field.

    The command line shows the fields in place of the argument. Options that several commands share are declared once.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind) and isinstance(kind, type)}
    parameters = []
    for name, parameter in inspect.signature(command).parameters.items():
        declared = _parameters(groups[name]) if name in groups else [parameter.replace(annotation=hints[name])]
        parameters += [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in declared]

    @functools.wraps(command)
    def grouped(**values: Any) -> None:  # noqa: ANN401 - whatever the options hold
        for name, kind in groups.items():
            values[name] = kind(**{field.name: values.pop(field.name) for field in dataclasses.fields(kind)})
        command(**values)

    grouped.__dict__["__signature__"] = inspect.Signature(parameters)
    return grouped


def _parameters(group: type) -> list[inspect.Parameter]:
    """Return the fields of a dataclass as parameters of a function."""
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(group)
    ]
