"""What can be wrong with weights."""

__all__ = ["AssetError", "DownloadError", "UnsafeAssetError", "WrongAssetError"]


class AssetError(RuntimeError):
    """Weights cannot be used."""


class WrongAssetError(AssetError):
    """A file has the right name and the wrong content."""


class UnsafeAssetError(AssetError):
    """A weight file holds more than weights, or is damaged; nothing in it was run."""


class DownloadError(RuntimeError):
    """A source did not bring a file, or brought another; there may be other sources."""
