"""Model weights: registry, location on this machine, download, and check of their digests."""

from foundation.weights.asset import (
    Asset,
    AssetError,
    AssetFile,
    DownloadError,
    PipSource,
    UnsafeAssetError,
    UrlSource,
    WrongAssetError,
    ZipSource,
)
from foundation.weights.folders import cache_folder
from foundation.weights.http_download import DownloadWatcher
from foundation.weights.integrity import path_digest
from foundation.weights.missing import MissingAssetsError
from foundation.weights.registry import asset_names, asset_record
from foundation.weights.store import asset_digest, asset_path, ensure_assets, missing_assets, pull_assets

__all__ = [
    "Asset",
    "AssetError",
    "AssetFile",
    "DownloadError",
    "DownloadWatcher",
    "MissingAssetsError",
    "PipSource",
    "UnsafeAssetError",
    "UrlSource",
    "WrongAssetError",
    "ZipSource",
    "asset_digest",
    "asset_names",
    "asset_path",
    "asset_record",
    "cache_folder",
    "ensure_assets",
    "missing_assets",
    "path_digest",
    "pull_assets",
]
