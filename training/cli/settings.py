"""The command `gaia-train settings`: print all settings of a trainer that are in effect."""

import shutil
from typing import Annotated, Literal

import typer

from training.cli.options import ConfigOption, PresetOption, SetOption, SizeOption, exit_codes

__all__ = ["settings"]

TrainerArgument = Annotated[
    Literal["vae", "diffusion"],
    typer.Argument(help="Trainer whose settings are printed.", metavar="vae|diffusion", show_default=False),
]

YamlOption = Annotated[bool, typer.Option("--yaml", help="Print a file that --config reads.")]


def settings(
    trainer: TrainerArgument,
    *,
    size: SizeOption = "small",
    preset: PresetOption = "recommended",
    config: ConfigOption = None,
    overrides: SetOption = None,
    as_yaml: YamlOption = False,
) -> None:
    """Print all settings in effect: value, default, allowed values and meaning; a star marks changed ones."""
    with exit_codes():
        from foundation.settings import changed_settings
        from foundation.settings_text import settings_text, settings_yaml
        from training.diffusion.config import diffusion_config
        from training.vae.config import vae_config

        defaults = vae_config(size, preset) if trainer == "vae" else diffusion_config(size, preset)
        in_effect = changed_settings(defaults, config, overrides or [])
        if as_yaml:
            use = f"# gaia-train {trainer} --size {size} --preset {preset} --config FILE"
            typer.echo(f"{use}\n{settings_yaml(in_effect)}", nl=False)
        else:
            typer.echo(settings_text(in_effect, defaults, shutil.get_terminal_size().columns))
