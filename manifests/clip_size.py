"""Size of the clips of a dataset, in whose pixels their landmarks are."""

from manifests.errors import DatasetError
from manifests.limits import MAX_CLIP_PX
from manifests.record import DatasetRecord

__all__ = ["clip_px"]

_CLIP_PX = 256
"""Height and width of the frames of clips, pixels, where the dataset's record names none (GAIA appendix B.1)."""


def clip_px(record: DatasetRecord) -> int:
    """Return height and width of the frames of all clips of a dataset, pixels: the setting `crop.size_px`.

    Raises:
        DatasetError: clips cannot have that size.
    """
    crop = record.config.get("crop")
    size_px = crop.get("size_px") if isinstance(crop, dict) else None
    if not isinstance(size_px, int):
        return _CLIP_PX
    if not 1 <= size_px <= MAX_CLIP_PX:
        raise DatasetError(
            f"dataset.json says that clips have {size_px} px; they have 1 to {MAX_CLIP_PX}: it is damaged, or not ours"
        )
    return size_px
