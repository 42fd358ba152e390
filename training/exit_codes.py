"""How `gaia-train` ends: exit codes, and the errors that a user can mend told in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

__all__ = ["EXIT_CANNOT_START", "EXIT_FAILED", "EXIT_INTERRUPTED", "EXIT_USAGE", "exit_codes", "stop"]

EXIT_FAILED = 1
"""Finished, but clips are damaged, or training went wrong on the way; the output says what."""
EXIT_USAGE = 2
"""What was given cannot be used: the settings, the dataset, the run, the weights."""
EXIT_CANNOT_START = 3
"""A GPU, a package or the disk is missing."""
EXIT_INTERRUPTED = 130


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn the errors that a user can mend into one line and an exit code."""
    from manifests.files import DatasetError
    from manifests.storage import StorageError
    from models.weights import WeightsError
    from training.checkpoints import CheckpointError
    from training.clips import DamagedDataError
    from training.config_overlay import ConfigError
    from training.dist import DistributionError
    from training.estimates import ResourceError
    from training.latent_files import LatentsError
    from training.loop import SettingsError, TrainError
    from training.metrics_log import MetricsError
    from training.run_folder import RunFolderError
    from training.selection import SelectionError
    from training.weight_files import WeightFileError

    try:
        yield
    except KeyboardInterrupt:
        stop("Ctrl-C: ended; what was written stays, the same command goes on", EXIT_INTERRUPTED)
    except (ConfigError, SettingsError, DatasetError, SelectionError, LatentsError) as error:
        stop(str(error), EXIT_USAGE)
    except (RunFolderError, CheckpointError, WeightsError) as error:
        stop(str(error), EXIT_USAGE)
    except (DamagedDataError, TrainError) as error:
        stop(str(error), EXIT_FAILED)
    except (DistributionError, MetricsError, ResourceError, StorageError, WeightFileError) as error:
        stop(str(error), EXIT_CANNOT_START)
    except OSError as error:
        stop(f"files cannot be read or written: {error}", EXIT_CANNOT_START)


def stop(message: str, code: int) -> NoReturn:
    """Say why the command ends, on stderr, and end it."""
    typer.echo(f"gaia-train: {message}", err=True)
    raise typer.Exit(code)
