"""Options of `gaia-curate`: those that several commands share, in groups that a command takes as one argument."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from curation.choices import LayoutChoice, LayoutName, PresetName
from foundation import command_line

if TYPE_CHECKING:
    from curation import CurationSettings, Executor, ScratchSettings

__all__ = [
    "ChangeOptions",
    "ConfigOption",
    "DatasetArgument",
    "ExclusionOptions",
    "LayoutOption",
    "OutOption",
    "PresetOption",
    "ScratchOptions",
    "SetOption",
    "SettingsOptions",
    "SourceOptions",
    "SqlMemoryOption",
    "SqlTimeoutOption",
    "WaitOption",
    "WorkerOptions",
    "exit_codes",
    "stop",
]

PROGRAM = "gaia-curate"

exit_codes = partial(
    command_line.exit_codes,
    PROGRAM,
    files="a file",
    kept="nothing committed is lost, the same command goes on",
)
"""Context in which every command runs: errors that a user can correct become one line and an exit code."""

stop = partial(command_line.stop, PROGRAM)
"""Print the reason on stderr and end the command."""

_SOURCES, _SETTINGS, _WORKERS, _REMOTE = "Sources", "Settings", "Workers", "Remote sources"
"""Panels of the help."""

# The groups below have no __eq__ and no __repr__: making these takes time at every start of the command.


DatasetArgument = Annotated[
    str, typer.Argument(help="Folder of a dataset, or its address.", show_default=False, metavar="DATASET")
]

OutOption = Annotated[
    str,
    typer.Option(
        "--out",
        help="Folder of the dataset to write, or an address such as s3://bucket/dataset.",
        show_default=False,
        metavar="DATASET",
    ),
]

WaitOption = Annotated[
    bool,
    typer.Option("--wait", help="Wait while another command writes to the dataset, instead of ending at once."),
]

SqlTimeoutOption = Annotated[float, typer.Option(min=0.001, help="Seconds after which the SQL is stopped.")]

SqlMemoryOption = Annotated[float, typer.Option(min=0.0625, help="Memory that the SQL may take, GiB.")]

LayoutOption = Annotated[
    LayoutChoice,
    typer.Option(
        "--layout",
        help="How the source folder is organised, which tells who speaks; auto recognises it by its file names.",
        rich_help_panel=_SOURCES,
    ),
]

PresetOption = Annotated[
    PresetName,
    typer.Option(
        "--preset",
        help="Models: those of the paper, or those that come as Python packages (embedded).",
        rich_help_panel=_SETTINGS,
    ),
]

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="YAML file of settings.", rich_help_panel=_SETTINGS)
]

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Change one setting; may be repeated. `gaia-curate settings` lists all of them.",
        rich_help_panel=_SETTINGS,
    ),
]


@dataclass(kw_only=True, eq=False, repr=False)
class SourceOptions:
    """Options that select the videos of a command."""

    source: Annotated[
        str, typer.Option("--source", help="Folder, file, glob pattern, or list of videos.", show_default=False)
    ]
    layout: LayoutOption = "auto"
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=1, help="Look at this many files at most, the first by path.", rich_help_panel=_SOURCES
        ),
    ] = None


@dataclass(kw_only=True, eq=False, repr=False)
class ExclusionOptions:
    """Lists of people and videos to leave out."""

    exclude_speakers: Annotated[
        Path | None,
        typer.Option(
            "--exclude-speakers",
            metavar="FILE",
            help="Text file of speaker ids to leave out, one per line.",
            rich_help_panel=_SOURCES,
        ),
    ] = None
    exclude_videos: Annotated[
        Path | None,
        typer.Option(
            "--exclude-videos",
            metavar="FILE",
            help="Text file of ids, names or paths of videos to leave out, one per line.",
            rich_help_panel=_SOURCES,
        ),
    ] = None


@dataclass(kw_only=True, eq=False, repr=False)
class ChangeOptions:
    """Changes of settings."""

    config: ConfigOption = None
    overrides: SetOption = None


@dataclass(kw_only=True, eq=False, repr=False)
class SettingsOptions:
    """A preset and changes of its settings."""

    preset: PresetOption = "paper"
    config: ConfigOption = None
    overrides: SetOption = None
    require_consent: Annotated[
        bool,
        typer.Option(
            "--require-consent",
            help="Leave out videos whose list or annotation records no consent.",
            rich_help_panel=_SOURCES,
        ),
    ] = False

    def load(self, layout: LayoutName | None = None) -> "CurationSettings":
        """Return the settings for a source of this layout.

        Raises:
            SettingsError: a setting is unknown, or its value is not allowed.
        """
        import curation

        overrides = [*(self.overrides or ()), *(["privacy.require_consent=true"] if self.require_consent else ())]
        return curation.load_settings(self.preset, file=self.config, overrides=overrides, layout=layout)


@dataclass(kw_only=True, eq=False, repr=False)
class ScratchOptions:
    """Options of scratch space: the folder of copies of remote sources, and its size."""

    scratch: Annotated[
        Path | None,
        typer.Option(
            "--scratch", help="Local folder for copies of remote sources.", file_okay=False, rich_help_panel=_REMOTE
        ),
    ] = None
    scratch_gib: Annotated[
        float | None,
        typer.Option(
            "--scratch-gib",
            min=0.0,
            help="Limit of these copies on each machine, GiB; 20 by default.",
            rich_help_panel=_REMOTE,
        ),
    ] = None

    def scratch_settings(self) -> "ScratchSettings":
        """Return the settings of scratch space, with defaults for options that are not given."""
        from curation import ScratchSettings

        usual = ScratchSettings()
        return ScratchSettings(
            folder=usual.folder if self.scratch is None else self.scratch,
            limit_gib=usual.limit_gib if self.scratch_gib is None else self.scratch_gib,
        )


@dataclass(kw_only=True, eq=False, repr=False)
class WorkerOptions(ScratchOptions):
    """Options of the executor: workers, Ray cluster, GPUs."""

    executor: Annotated[
        Literal["auto", "inline", "ray"],
        typer.Option(
            "--executor",
            help="inline: this process; ray: a pool of Ray workers; auto: Ray for more than one worker.",
            rich_help_panel=_WORKERS,
        ),
    ] = "auto"
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Ray workers, one core each.", rich_help_panel=_WORKERS)
    ] = 1
    ray_address: Annotated[
        str | None,
        typer.Option("--ray-address", help="Address of a running Ray cluster.", rich_help_panel=_WORKERS),
    ] = None
    gpus_per_worker: Annotated[
        float,
        typer.Option(
            "--gpus-per-worker",
            min=0.0,
            help="Share of a GPU that each Ray worker takes.",
            rich_help_panel=_WORKERS,
        ),
    ] = 0.0
    worker_memory_gib: Annotated[
        float | None,
        typer.Option(
            "--worker-memory-gib",
            min=0.5,
            help="Memory limit of a Ray worker, GiB, beyond which it is ended; by default its share of all memory.",
            rich_help_panel=_WORKERS,
        ),
    ] = None

    def make_executor(self) -> "Executor":
        """Return the executor."""
        from curation import Executor, PoolSettings

        on_ray = self.workers > 1 or self.ray_address is not None
        return Executor(
            kind=self.executor if self.executor != "auto" else ("ray" if on_ray else "inline"),
            workers=self.workers,
            ray_address=self.ray_address,
            gpus_per_worker=self.gpus_per_worker,
            pool=PoolSettings(worker_memory_gib=self.worker_memory_gib),
            scratch=self.scratch_settings(),
        )
