"""Options that several commands of `gaia-train` share."""

import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from foundation.command_line import exit_codes as end_with_exit_code
from foundation.errors import EXIT_INTERRUPTED
from training.presets import PresetName, SizeName

if TYPE_CHECKING:
    from training import TrainingResult

__all__ = [
    "AcceptChangesOption",
    "AllowPickledOption",
    "ConfigOption",
    "DatasetArgument",
    "DeviceOption",
    "DryRunOption",
    "OptionalVaeRunOption",
    "PresetOption",
    "RunOption",
    "SetOption",
    "SizeOption",
    "VaeRunOption",
    "WaitOption",
    "exit_codes",
    "print_result",
]

exit_codes = partial(
    end_with_exit_code,
    "gaia-train",
    files="files",
    kept="what was written stays, the same command resumes",
)
"""Context of every command: turns errors that a user can correct into one line and an exit code."""

DatasetArgument = Annotated[
    str, typer.Argument(help="Folder of a dataset, or its address.", metavar="DATASET", show_default=False)
]

RunOption = Annotated[
    Path,
    # torchrun takes `--run`, the earlier name, for the beginning of its own `--run-path`, and refuses it
    typer.Option("--out", "--run", help="Folder of the run; an existing run is resumed.", show_default=False),
]

VaeRunOption = Annotated[
    Path, typer.Option("--vae", help="Folder of a run of `gaia-train vae`.", metavar="VAE_RUN", show_default=False)
]

OptionalVaeRunOption = Annotated[
    Path | None,
    typer.Option(
        "--vae",
        help="Folder of a run of `gaia-train vae`; only for experiments on the diffusion model.",
        metavar="VAE_RUN",
        show_default=False,
    ),
]

SizeOption = Annotated[SizeName, typer.Option(help="Size of the network; tiny is meant for a CPU.")]

PresetOption = Annotated[PresetName, typer.Option(help="Training recipe: the recommended one, or exactly the paper's.")]

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Change one setting; may be repeated. `gaia-train settings` lists all of them.",
    ),
]

ConfigOption = Annotated[Path | None, typer.Option("--config", help="YAML file of settings.")]

DeviceOption = Annotated[
    Literal["cpu", "cuda"] | None,
    typer.Option(help="Where to compute; by default on a GPU if there is one.", show_default=False),
]

DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Print model, data, memory and time per step; train nothing, write nothing."),
]

AcceptChangesOption = Annotated[
    bool, typer.Option("--accept-changes", help="Resume a run although its settings or its clips have changed.")
]

AllowPickledOption = Annotated[
    bool,
    typer.Option(
        "--allow-pickled-checkpoint",
        help="Resume from a checkpoint of an earlier version, which lists its tensors in a pickle. The list is read "
        "without running anything in it; give this only for a run of your own.",
    ),
]

WaitOption = Annotated[
    bool,
    typer.Option("--wait", help="Wait while another command writes to the same folder, instead of ending at once."),
]


def print_result(result: "TrainingResult") -> None:
    """Print the report of a run, once for all its processes, and end with the code of Ctrl-C where that stopped it."""
    if result.rank == 0:
        typer.echo(str(result))
    if result.stopped_by == signal.SIGINT:
        # after SIGTERM the code is 0: a cluster that takes a machine back has lost nothing
        raise typer.Exit(EXIT_INTERRUPTED)
