"""Registry of weights: those of `catalogue.toml`, and those of models that a user registers."""

import json
import tomllib
from importlib import resources

from pydantic import ConfigDict, TypeAdapter

from foundation.errors import UsageError
from foundation.weights.asset import Asset, AssetUse

__all__ = ["add_asset", "asset_names", "asset_record", "is_built_in"]


def _catalogue() -> dict[str, Asset]:
    """Return the records of the catalogue by name; one with an unknown field or a value of another type is refused."""
    text = resources.files("foundation.weights").joinpath("catalogue.toml").read_text(encoding="utf-8")
    adapter = TypeAdapter(list[Asset], config=ConfigDict(extra="forbid"))
    # as JSON, for which strict means: lists as tuples, tables as records, but no text as a number
    assets = adapter.validate_json(json.dumps(tomllib.loads(text)["assets"]), strict=True)
    by_name = {asset.name: asset for asset in assets}
    if len(by_name) != len(assets):
        raise ValueError("catalogue.toml has two assets of one name")
    return by_name


_BY_NAME = _catalogue()

_BUILT_IN = frozenset(_BY_NAME)


def add_asset(asset: Asset) -> None:
    """Add the weights of a model of the user in this process; others of the same name are replaced.

    Raises:
        UsageError: a built-in asset has that name.
    """
    if asset.name in _BUILT_IN:
        raise UsageError(f"asset {asset.name!r} is built in; give the weights of your model another name")
    _BY_NAME[asset.name] = asset


def is_built_in(name: str) -> bool:
    """Return whether an asset is one of the catalogue, which every command knows."""
    return name in _BUILT_IN


def asset_names(use: AssetUse | None = None) -> tuple[str, ...]:
    """Return the names of all assets, or of those that a package needs."""
    return tuple(name for name, asset in _BY_NAME.items() if use in (None, asset.use))


def asset_record(name: str) -> Asset:
    """Return the record of the asset called `name`.

    Raises:
        ValueError: there is no such asset; the message lists those there are.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise ValueError(f"asset {name!r} is unknown; known are {', '.join(_BY_NAME)}") from None
