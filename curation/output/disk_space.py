"""Disk space: free bytes where a dataset is written, and a check that a run fits."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from curation.sources.entries import SourceVideo
from foundation.errors import CannotStartError
from foundation.text import count_text

__all__ = ["NoDiskSpaceError", "free_bytes", "require_disk_space"]

_LEAST_SHARE = 0.005
"""A dataset takes at least this share of its sources' bytes. Ours: 15 real clips of 0.7 Mbit/s take 1.36 of them, and
half of that is evidence, 55 kB a second, which is 0.009 of video of 50 Mbit/s of which nothing is kept."""

_LEAST_BYTES = 8 << 20
"""Least free space for a run: a minute of evidence and clips."""


class NoDiskSpaceError(CannotStartError, OSError):
    """The disk cannot hold what a run would write."""


def free_bytes(folder: Path) -> int | None:
    """Return the free bytes on the disk of `folder`, which need not exist; None on a store, which has no limit."""
    if not isinstance(folder, Path):  # an address
        return None
    home = folder.absolute()
    while not home.exists():
        home = home.parent
    return shutil.disk_usage(home).free


def require_disk_space(dataset: Path, videos: Sequence[SourceVideo]) -> None:
    """Refuse a run whose dataset cannot fit; one that is let through may still fill the disk.

    Args:
        dataset: the folder.
        videos: what is to be curated.

    Raises:
        NoDiskSpaceError: there is less room than any run over these videos takes.
    """
    free = free_bytes(dataset)
    # for a video with requested stretches, their share of its bytes is not known yet
    least = max(_LEAST_BYTES, int(_LEAST_SHARE * sum(video.size_bytes for video in videos if not video.trims)))
    if videos and free is not None and free < least:
        raise NoDiskSpaceError(
            f"{dataset}: {free / 2**20:.0f} MiB are free there, and "
            f"{count_text(len(videos), 'video takes', 'videos take')} at least {least / 2**20:.0f} MiB; make room, or "
            "give another --out (`gaia-curate plan` tells what to expect)"
        )
