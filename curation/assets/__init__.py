"""Model weights: which there are, where they lie, how they come, and that they are what they claim to be."""

from curation.assets.errors import AssetError, DownloadError, UnsafeAssetError, WrongAssetError
from curation.assets.http_download import DownloadWatcher
from curation.assets.integrity import path_digest
from curation.assets.missing import MissingAssetsError
from curation.assets.places import cache_folder
from curation.assets.records import Asset, AssetFile, PipSource, UrlSource, ZipSource
from curation.assets.registry import asset_names, asset_record
from curation.assets.store import asset_digest, asset_path, ensure_assets, missing_assets, pull_assets

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
