"""Status of the weights on this machine: found, missing or damaged."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from foundation.weights.asset import Asset, AssetError
from foundation.weights.folders import search_folders
from foundation.weights.integrity import check_file, recorded_digest
from foundation.weights.registry import asset_record
from foundation.weights.store import find_asset

__all__ = ["AssetStatus", "FileCheck", "asset_statuses", "verify_assets"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AssetStatus:
    """Location of an asset on this machine."""

    asset: Asset
    path: Path | None
    """None where it is missing, or cannot be used."""
    problem: str
    """Reason why it cannot be used; empty where it can, and where it is missing."""

    @property
    def digest(self) -> str:
        """Known digits of its digest, in a few words."""
        if self.asset.is_pinned:
            return "pinned"
        (file,) = self.asset.files
        recorded = self.path and recorded_digest(self.path, file)
        if recorded:
            return f"since first use {recorded[0][:12]}..."
        return f"first {len(file.sha256)} digits pinned"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileCheck:
    """A file of an asset that was read to its end and compared."""

    asset: Asset
    path: Path
    problem: str
    """Difference and remedy; empty for a file that is as it should be."""


def asset_statuses(names: Iterable[str]) -> list[AssetStatus]:
    """Look for the assets called `names`; nothing is downloaded.

    Raises:
        ValueError: no asset has one of the names.
    """
    statuses = []
    for asset in map(asset_record, names):
        try:
            statuses.append(AssetStatus(asset=asset, path=find_asset(asset), problem=""))
        except (AssetError, OSError) as error:
            statuses.append(AssetStatus(asset=asset, path=None, problem=str(error)))
    return statuses


def verify_assets(names: Iterable[str]) -> list[FileCheck]:
    """Read every byte of the files of the assets called `names`, in every folder that has them, and compare.

    Results of earlier checks do not count; missing files are left out.

    Raises:
        ValueError: no asset has one of the names.
    """
    checks = []
    for asset in map(asset_record, names):
        for folder in search_folders():
            for file in asset.files:
                path = folder / asset.name / file.name if asset.is_folder else folder / file.name
                if not path.is_file():
                    continue
                try:
                    check_file(path, file, asset, anew=True)
                except (AssetError, OSError) as error:
                    checks.append(FileCheck(asset=asset, path=path, problem=str(error)))
                else:
                    checks.append(FileCheck(asset=asset, path=path, problem=""))
    return checks
