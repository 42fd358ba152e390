"""The commands `gaia-curate models list | pull | verify`."""

import sys
from typing import Annotated, Literal

import typer

from curation.cli.options import exit_codes, stop
from foundation.errors import EXIT_PROBLEMS, EXIT_USAGE
from foundation.text import count_text, shown

__all__ = ["models_app"]

models_app = typer.Typer(
    help="Model weights: list, download and check them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

_USES: tuple[Literal["training", "evaluation"], ...] = ("training", "evaluation")
"""Sets of the weights that `gaia-train` uses, besides those of the presets."""

NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME...]",
        help="Names of weights or of sets: paper, embedded, training, evaluation.",
        show_default=False,
    ),
]


@models_app.command("list")
def list_models() -> None:
    """Print all weights with sets, size, licence, digest and location."""
    with exit_codes():
        from foundation.text import megabytes, text_table
        from foundation.weights.inspection import asset_statuses

        sets = {name: _assets_of_set(name) for name in _set_names()}
        rows = []
        for status in asset_statuses(_all_asset_names()):
            asset = status.asset
            rows.append(
                [
                    asset.name,
                    ", ".join(name for name, assets in sets.items() if asset.name in assets),
                    asset.kind,
                    megabytes(asset.size_bytes),
                    "yes" if asset.commercial_use else "no",
                    status.digest,
                    "damaged" if status.problem else str(status.path or "missing"),
                    asset.what,
                    asset.licence,
                ]
            )
        header = ["name", "sets", "kind", "size", "commercial", "sha256", "place", "what", "licence"]
        typer.echo(text_table(header, rows, numeric=[name == "size" for name in header]))


@models_app.command()
def pull(names: NamesArgument = None) -> None:
    """Download weights into the cache; by default those of the preset `paper`. The same command again resumes."""
    with exit_codes():
        from curation.cli.progress import PullProgress
        from foundation.weights import pull_assets

        with PullProgress(sys.stderr) as progress:
            paths = pull_assets(_asset_names(names or ["paper"]), progress)
    for name, path in paths.items():
        typer.echo(shown(f"{name}: {path}"))


@models_app.command()
def verify(names: NamesArgument = None) -> None:
    """Check the weights on this machine against their digests; by default all of them."""
    with exit_codes():
        from foundation.weights.inspection import verify_assets

        checks = verify_assets(_asset_names(names) if names else _all_asset_names())
    for check in checks:
        typer.echo(shown(f"{check.path}: {'DAMAGED' if check.problem else 'whole'}"))
    damaged = [check for check in checks if check.problem]
    for check in damaged:
        typer.echo(shown(check.problem), err=True)
    typer.echo(f"{count_text(len(checks), 'file')}, {len(damaged)} damaged")
    if damaged:
        raise typer.Exit(EXIT_PROBLEMS)


def _asset_names(names: list[str]) -> list[str]:
    """Return `names` with those of sets replaced by the assets of the sets."""
    all_assets = _all_asset_names()
    assets: list[str] = []
    for name in names:
        if name not in (*_set_names(), *all_assets):
            known = ", ".join((*_set_names(), *all_assets))
            stop(f"no weights and no set of weights are called {name!r}; there are {known}", EXIT_USAGE)
        assets += _assets_of_set(name) if name in _set_names() else [name]
    return list(dict.fromkeys(assets))


def _all_asset_names() -> tuple[str, ...]:
    """Return the names of all weights, those of models that installed packages offer included."""
    from curation.model_registry import find_plugins
    from foundation.weights import asset_names

    find_plugins()
    return asset_names()


def _set_names() -> tuple[str, ...]:
    from curation.settings import PRESETS

    return (*PRESETS, *_USES)


def _assets_of_set(name: str) -> list[str]:
    """Return the names of the assets that a preset uses as it is, if they are there; or those of a use."""
    from curation.output.weights_used import wanted_assets
    from curation.settings import PRESETS
    from foundation.weights import asset_names

    for use in _USES:
        if name == use:
            return list(asset_names(use))
    return next(wanted_assets(settings) for preset, settings in PRESETS.items() if preset == name)
