"""Landmarks and blendshapes of a long video's faces, read window by window where they are asked for in order."""

from collections.abc import Sequence

import numpy as np

from curation.output.video_files import VideoFiles
from curation.output.window_files import read_window
from foundation.array_types import Float32Array, Int64Array
from manifests.timeline import Window

__all__ = ["WindowShapes"]

_KEPT_WINDOWS = 2
"""A stretch that is asked for at a time lies in one window, or in two."""


class WindowShapes:
    """A `ShapesOf` the faces of a long video."""

    def __init__(self, files: VideoFiles, windows: Sequence[Window], face_tick: Int64Array) -> None:
        """Prepare reading.

        Args:
            files: of the video.
            windows: all windows, in order.
            face_tick: (F,) tick of each face of the video.
        """
        self._files, self._windows = files, tuple(windows)
        self._first_face = face_tick.searchsorted([window.first_tick for window in windows])
        self._kept: dict[int, tuple[Float32Array, Float32Array | None]] = {}

    def __call__(self, chosen: Int64Array) -> tuple[Float32Array, Float32Array | None]:
        """Return (n, K, 2) landmarks and (n, 52) blendshapes of faces; None where they have no blendshapes.

        Args:
            chosen: (n,) indices of faces, ascending; n at least 1.

        Raises:
            OSError: a window's evidence is missing or cannot be read.
        """
        number = np.searchsorted(self._first_face, chosen, side="right") - 1
        parts = [(self._read(int(k)), chosen[number == k] - self._first_face[k]) for k in np.unique(number)]
        blendshapes = [shapes[rows] for (_, shapes), rows in parts if shapes is not None]
        return (
            np.concatenate([landmarks[rows] for (landmarks, _), rows in parts]),
            np.concatenate(blendshapes) if len(blendshapes) == len(parts) else None,
        )

    def _read(self, number: int) -> tuple[Float32Array, Float32Array | None]:
        if number not in self._kept:
            while len(self._kept) >= _KEPT_WINDOWS:
                del self._kept[min(self._kept)]
            faces = read_window(self._files, self._windows[number]).faces
            self._kept[number] = faces.landmarks_px, faces.blendshapes
        return self._kept[number]
