"""How far the pictures are: a bar on a terminal, nothing in a log."""

import sys
from collections.abc import Iterable

from manifests.arrays import RgbImage

__all__ = ["watched"]


def watched(pictures: Iterable[RgbImage], n_frames: int) -> Iterable[RgbImage]:
    """Return `pictures`, of which `n_frames` will come; while they are taken, stderr shows how many were."""
    from rich.console import Console
    from rich.progress import track

    console = Console(file=sys.stderr)
    return track(pictures, "frames", n_frames, console=console, transient=True, disable=not console.is_terminal)
