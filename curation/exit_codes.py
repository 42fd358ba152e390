"""How commands end: exit codes, and the errors that a user can mend told in one line."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

__all__ = ["EXIT_CANNOT_START", "EXIT_FAILED", "EXIT_INTERRUPTED", "EXIT_USAGE", "exit_codes", "stop"]

EXIT_FAILED = 1
"""Finished, but some videos failed, or something that was checked is not right; the output lists them."""
EXIT_USAGE = 2
EXIT_CANNOT_START = 3
"""Weights, disk or Ray are missing."""
EXIT_INTERRUPTED = 130
"""Ctrl-C ended it early; the same command goes on. What shells say of a process that SIGINT ends."""


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn the errors that a user can mend into one line and an exit code."""
    from curation.assets import AssetError
    from curation.config import ConfigError
    from curation.dataset_folder import DatasetFolderError
    from curation.devices import DeviceError
    from curation.executors.ray_pool import RayUnavailableError
    from curation.ledger import LedgerError
    from curation.room import NoRoomError
    from curation.sources import SourceError
    from curation.speech.packages import MissingPackageError
    from curation.speech.wav2vec2_checkpoint import CheckpointError
    from manifests.dataset import DatasetError
    from manifests.queries import QueryError
    from manifests.storage import StorageError

    try:
        yield
    except KeyboardInterrupt:
        stop("Ctrl-C: ended at once; nothing committed is lost, the same command goes on", EXIT_INTERRUPTED)
    except (ConfigError, SourceError, DatasetFolderError, DatasetError, LedgerError, QueryError) as error:
        stop(str(error), EXIT_USAGE)
    except (AssetError, CheckpointError, DeviceError, MissingPackageError, RayUnavailableError) as error:
        stop(str(error), EXIT_CANNOT_START)
    except (NoRoomError, StorageError) as error:
        stop(str(error), EXIT_CANNOT_START)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            way_on = "nothing that is committed is lost; make room and give the same command again"
            stop(f"the disk is full: {error}; {way_on}", EXIT_CANNOT_START)
        stop(f"the dataset cannot be read or written: {error}", EXIT_CANNOT_START)


def stop(message: str, code: int) -> NoReturn:
    """Say why the command ends, on stderr, and end it."""
    typer.echo(f"gaia-curate: {message}", err=True)
    raise typer.Exit(code)
