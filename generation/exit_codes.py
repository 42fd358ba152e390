"""How `gaia-generate` ends: exit codes, and the errors that a user can mend told in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

__all__ = ["EXIT_CANNOT_START", "EXIT_INTERRUPTED", "EXIT_USAGE", "exit_codes"]

EXIT_USAGE = 2
"""What was given cannot be used: the run, the picture, the sound, the video, or an option."""
EXIT_CANNOT_START = 3
"""Weights, a package, the GPU or the disk are missing."""
EXIT_INTERRUPTED = 130


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn the errors that a user can mend into one line and an exit code."""
    from curation.assets import AssetError
    from curation.devices import DeviceError
    from curation.speech.packages import MissingPackageError
    from curation.speech.wav2vec2_checkpoint import CheckpointError
    from generation.errors import GenerationError
    from models.weights import WeightsError

    try:
        yield
    except KeyboardInterrupt:
        _stop("Ctrl-C: ended; nothing was written", EXIT_INTERRUPTED)
    except (GenerationError, WeightsError) as error:
        _stop(str(error), EXIT_USAGE)
    except (AssetError, CheckpointError, DeviceError, MissingPackageError) as error:
        _stop(str(error), EXIT_CANNOT_START)
    except OSError as error:
        _stop(f"the video cannot be written: {error}", EXIT_CANNOT_START)


def _stop(message: str, code: int) -> NoReturn:
    typer.echo(f"gaia-generate: {message}", err=True)
    raise typer.Exit(code)
