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
        DatasetError: it is no size that clips can have.
    """
    crop = record.config.get("crop")
    size_px = crop.get("size_px") if isinstance(crop, dict) else None
    if size_px is None:
        return _CLIP_PX
    if type(size_px) is not int or not 0 < size_px <= MAX_CLIP_PX:
        raise DatasetError(
            f"dataset.json is damaged: crop.size_px is {size_px!r:.40}, and clips have 1 to {MAX_CLIP_PX} px; run the "
            "curation again to write it anew"
        )
    return size_px
