"""The closed list of weight files that the presets can use."""

from foundation.weights.asset import Asset
from foundation.weights.catalogue_faces import FACE_ASSETS
from foundation.weights.catalogue_speech import SPEECH_ASSETS

__all__ = ["asset_names", "asset_record"]

_BY_NAME = {asset.name: asset for asset in (*FACE_ASSETS, *SPEECH_ASSETS)}


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
