"""The command `gaia-curate settings`: print all settings in effect."""

import shutil
from typing import Annotated

import typer

from curation.choices import LayoutChoice
from curation.cli.options import ConfigOption, PresetOption, SetOption, exit_codes

__all__ = ["settings"]

YamlOption = Annotated[bool, typer.Option("--yaml", help="Print a file that --config reads.")]

DataSetOption = Annotated[
    LayoutChoice, typer.Option("--layout", help="Layout of a source folder; some bring settings that fit the data set.")
]


def settings(
    *,
    preset: PresetOption = "paper",
    layout: DataSetOption = "auto",
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_yaml: YamlOption = False,
) -> None:
    """Print all settings in effect: value, default, allowed values and meaning; a star marks changed ones."""
    with exit_codes():
        from curation.settings import PRESETS, load_settings
        from foundation.settings_text import settings_text, settings_yaml

        defaults = PRESETS[preset]
        in_effect = load_settings(defaults, config, overrides or [], layout=None if layout == "auto" else layout)
        if as_yaml:
            typer.echo(f"# gaia-curate run --preset {preset} --config FILE\n{settings_yaml(in_effect)}", nl=False)
        else:
            typer.echo(settings_text(in_effect, defaults, shutil.get_terminal_size().columns))
