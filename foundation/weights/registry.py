"""The weight files that the presets can use, and those of models that a user registers."""

from foundation.errors import UsageError
from foundation.weights.asset import Asset
from foundation.weights.catalogue_faces import FACE_ASSETS
from foundation.weights.catalogue_speech import SPEECH_ASSETS

__all__ = ["add_asset", "asset_names", "asset_record"]

_BY_NAME = {asset.name: asset for asset in (*FACE_ASSETS, *SPEECH_ASSETS)}

_BUILT_IN = frozenset(_BY_NAME)


def add_asset(asset: Asset) -> None:
    """Add the weights of a model of the user in this process; others of the same name are replaced.

    Raises:
        UsageError: a built-in asset has that name.
    """
    if asset.name in _BUILT_IN:
        raise UsageError(f"asset {asset.name!r} is built in; give the weights of your model another name")
    _BY_NAME[asset.name] = asset


def asset_names() -> tuple[str, ...]:
    """Return the names of all assets."""
    return tuple(_BY_NAME)


def asset_record(name: str) -> Asset:
    """Return the record of the asset called `name`.

    Raises:
        ValueError: there is no such asset; the message lists those there are.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise ValueError(f"asset {name!r} is unknown; known are {', '.join(_BY_NAME)}") from None
