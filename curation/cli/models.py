"""The commands `gaia-curate models list | pull | verify`."""

import sys
from typing import Annotated

import typer

from curation.cli.options import exit_codes, stop
from foundation.errors import EXIT_PROBLEMS, EXIT_USAGE

__all__ = ["models_app"]

models_app = typer.Typer(
    help="Model weights: which there are, getting them, and whether they are whole.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME...]", help="Names of weights, or of presets.", show_default=False),
]


@models_app.command("list")
def list_models() -> None:
    """Print all weights: use, size, licence, whether the digest is pinned, and where each lies."""
    with exit_codes():
        from foundation.text import text_table
        from foundation.weights import asset_names
        from foundation.weights.inspection import asset_statuses
        from foundation.weights.missing import megabytes

        uses = {preset: _preset_assets(preset) for preset in _preset_names()}
        rows = []
        for status in asset_statuses(asset_names()):
            asset = status.asset
            rows.append(
                [
                    asset.name,
                    ", ".join(preset for preset, names in uses.items() if asset.name in names),
                    asset.kind,
                    megabytes(asset.size_bytes),
                    "yes" if asset.commercial_use else "no",
                    status.digest,
                    "damaged" if status.problem else str(status.path or "missing"),
                    asset.what,
                    asset.licence,
                ]
            )
        header = ["name", "presets", "kind", "size", "commercial", "sha256", "place", "what", "licence"]
        typer.echo(text_table(header, rows, numeric=[name == "size" for name in header]))


@models_app.command()
def pull(names: NamesArgument = None) -> None:
    """Fetch weights into the cache; without a name, those of the preset `paper`. Goes on where it was stopped."""
    with exit_codes():
        from curation.cli.progress import PullProgress
        from foundation.weights import pull_assets

        with PullProgress(sys.stderr) as progress:
            paths = pull_assets(_asset_names(names or ["paper"]), progress)
    for name, path in paths.items():
        typer.echo(f"{name}: {path}")


@models_app.command()
def verify(names: NamesArgument = None) -> None:
    """Read every byte of the weights on this machine and compare; without a name, all of them."""
    with exit_codes():
        from foundation.weights import asset_names
        from foundation.weights.inspection import verify_assets

        checks = verify_assets(_asset_names(names) if names else asset_names())
    for check in checks:
        typer.echo(f"{check.path}: {'DAMAGED' if check.problem else 'whole'}")
    damaged = [check for check in checks if check.problem]
    for check in damaged:
        typer.echo(check.problem, err=True)
    typer.echo(f"{len(checks)} files, {len(damaged)} damaged")
    if damaged:
        raise typer.Exit(EXIT_PROBLEMS)


def _asset_names(names: list[str]) -> list[str]:
    """Return `names` with those of presets replaced by the assets that the presets use."""
    from foundation.weights import asset_names

    found: list[str] = []
    for name in names:
        if name not in (*_preset_names(), *asset_names()):
            known = ", ".join((*_preset_names(), *asset_names()))
            stop(f"no weights and no preset are called {name!r}; there are {known}", EXIT_USAGE)
        found += _preset_assets(name) if name in _preset_names() else [name]
    return list(dict.fromkeys(found))


def _preset_names() -> tuple[str, ...]:
    from curation.settings import PRESETS

    return tuple(PRESETS)


def _preset_assets(preset: str) -> list[str]:
    """Return the names of the assets that a preset uses as it is, if they are there."""
    from curation.output.weights_used import wanted_assets
    from curation.settings import PRESETS

    return next(wanted_assets(settings) for name, settings in PRESETS.items() if name == preset)
