"""Options that several commands of `gaia-curate` share."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from foundation import command_line
from foundation.errors import EXIT_CANNOT_START

if TYPE_CHECKING:
    from curation.engine.execution import Executor
    from curation.sources.scratch import ScratchSettings

__all__ = [
    "ConfigOption",
    "ExcludeSpeakersOption",
    "ExcludeVideosOption",
    "ExecutorOption",
    "GpusOption",
    "LayoutOption",
    "LimitOption",
    "MemoryOption",
    "OutOption",
    "PresetOption",
    "RayAddressOption",
    "ScratchGibOption",
    "ScratchOption",
    "SetOption",
    "SourceOption",
    "WorkersOption",
    "dataset_location",
    "executor_of",
    "exit_codes",
    "scratch_settings",
    "stop",
]

PROGRAM = "gaia-curate"

exit_codes = partial(
    command_line.exit_codes,
    PROGRAM,
    files="the dataset",
    kept="nothing committed is lost, the same command goes on",
)
"""Context in which every command runs: errors that a user can mend become one line and an exit code."""

stop = partial(command_line.stop, PROGRAM)
"""Print why the command ends, on stderr, and end it."""

SourceOption = Annotated[
    str, typer.Option("--source", help="Folder, file, glob pattern, or CSV list of videos.", show_default=False)
]

LayoutOption = Annotated[
    Literal["auto", "hdtf", "cc_v1", "cc_v2", "voxceleb2", "talkinghead_1kh", "folder"],
    typer.Option("--layout", help="How a folder lies, which tells who speaks; auto goes by the names of its files."),
]

PresetOption = Annotated[
    Literal["embedded", "paper"],
    typer.Option(help="Which models: the paper's own, or those that come with Python packages."),
]

ExcludeSpeakersOption = Annotated[
    Path | None, typer.Option("--exclude-speakers", metavar="FILE", help="Speaker ids to leave out, one a line.")
]

ExcludeVideosOption = Annotated[
    Path | None,
    typer.Option("--exclude-videos", metavar="FILE", help="Ids, names or paths of videos to leave out, one a line."),
]

LimitOption = Annotated[int | None, typer.Option(min=1, help="Curate at most this many files.")]

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Change one setting; may be repeated; `gaia-curate settings` lists all."
    ),
]

ConfigOption = Annotated[Path | None, typer.Option("--config", help="YAML file of settings.")]

ExecutorOption = Annotated[
    Literal["auto", "inline", "ray"],
    typer.Option(help="This process, or a pool of Ray workers; auto takes Ray for more than one worker."),
]

WorkersOption = Annotated[int, typer.Option(min=1, help="Ray workers, one core each.")]

RayAddressOption = Annotated[str | None, typer.Option(help="Address of a running Ray cluster.")]

GpusOption = Annotated[float, typer.Option(min=0.0, help="Share of a GPU that each Ray worker takes.")]

MemoryOption = Annotated[
    float | None,
    typer.Option(
        min=0.5,
        help="GiB that a Ray worker may take before it is ended; by default its share of the machine's, by cores.",
    ),
]


def dataset_location(text: str) -> Path:
    """Return the place of a dataset, local or on a store.

    Raises:
        Exit: its protocol is unknown, or its package is not installed.
    """
    from foundation.storage.locations import StorageError, location

    try:
        return location(text)
    except StorageError as error:
        stop(str(error), EXIT_CANNOT_START)


OutOption = Annotated[
    Path,
    typer.Option(
        "--out",
        help="Folder of the dataset to write, or an address such as s3://bucket/dataset.",
        show_default=False,
        parser=dataset_location,
        metavar="DATASET",
    ),
]

ScratchOption = Annotated[
    Path | None, typer.Option("--scratch", help="Local folder for copies of remote sources.", file_okay=False)
]

ScratchGibOption = Annotated[
    float | None,
    typer.Option("--scratch-gib", min=0.0, help="GiB that these copies may take on a machine; 20 by default."),
]


def executor_of(
    executor: Literal["auto", "inline", "ray"],
    workers: int,
    ray_address: str | None,
    gpus_per_worker: float,
    worker_memory_gib: float | None,
    *,
    scratch: Path | None = None,
    scratch_gib: float | None = None,
) -> "Executor":
    """Return where the work is to be done."""
    from curation.engine.execution import Executor
    from curation.engine.supervision import PoolSettings

    return Executor(
        kind=executor if executor != "auto" else ("ray" if workers > 1 or ray_address else "inline"),
        workers=workers,
        ray_address=ray_address,
        gpus_per_worker=gpus_per_worker,
        pool=PoolSettings(worker_memory_gib=worker_memory_gib),
        scratch=scratch_settings(scratch, scratch_gib),
    )


def scratch_settings(folder: Path | None, limit_gib: float | None) -> "ScratchSettings":
    """Return where remote sources are copied to, and how much; None: what is usual."""
    from curation.sources.scratch import ScratchSettings

    usual = ScratchSettings()
    return ScratchSettings(
        folder=usual.folder if folder is None else folder,
        limit_gib=usual.limit_gib if limit_gib is None else limit_gib,
    )
