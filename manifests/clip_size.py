"""Size of the clips of a dataset, in whose pixels their landmarks are."""

from manifests.record import DatasetRecord

__all__ = ["clip_px"]

_CLIP_PX = 256
"""Height and width of the frames of clips, pixels, where the dataset's record names none (GAIA appendix B.1)."""


def clip_px(record: DatasetRecord) -> int:
    """Return height and width of the frames of all clips of a dataset, pixels: the setting `crop.size_px`."""
    crop = record.config.get("crop")
    size_px = crop.get("size_px") if isinstance(crop, dict) else None
    return size_px if isinstance(size_px, int) else _CLIP_PX
