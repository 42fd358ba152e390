"""The search for the mark of a video file: the library function of `gaia-generate detect`."""

from pathlib import Path

from curation.media.errors import MediaError
from curation.media.mark import detection
from curation.media.mark.detection import MarkFinding
from generation.trained_run import GenerationError

__all__ = ["find_mark"]


def find_mark(path: str | Path) -> MarkFinding:
    """Search a video for the invisible mark of a generated one, in a copy too.

    Args:
        path: video file of any origin; it is searched 30 s at a time, until a mark is found.

    Raises:
        GenerationError: the file is no video that can be read.
    """
    try:
        return detection.find_mark(Path(path))
    except MediaError as error:
        raise GenerationError(f"no mark can be sought: {error.detail}") from error
