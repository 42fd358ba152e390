"""Model weights: which there are, where they lie, how they come, and that they are what they claim to be."""

from curation.assets.integrity import AssetError, WrongAssetError
from curation.assets.registry import Asset, AssetFile, PipSource, asset_names, asset_record
from curation.assets.store import (
    MissingAssetsError,
    asset_path,
    cache_folder,
    ensure_assets,
    missing_assets,
)

__all__ = [
    "Asset",
    "AssetError",
    "AssetFile",
    "MissingAssetsError",
    "PipSource",
    "WrongAssetError",
    "asset_names",
    "asset_path",
    "asset_record",
    "cache_folder",
    "ensure_assets",
    "missing_assets",
]
