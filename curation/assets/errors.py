"""What can be wrong with weights."""

from foundation.errors import CannotStartError

__all__ = ["AssetError", "DownloadError", "UnsafeAssetError", "WrongAssetError"]


class AssetError(CannotStartError):
    """Weights cannot be used."""


class WrongAssetError(AssetError):
    """A file has the right name and the wrong content."""


class UnsafeAssetError(AssetError):
    """A weight file holds more than weights, or is damaged; nothing in it was run."""


class DownloadError(CannotStartError):
    """A source did not bring a file, or brought another; there may be other sources."""
