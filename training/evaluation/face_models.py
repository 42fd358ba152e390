"""What evaluation and validation know of faces: landmarks, head pose and identity, picture by picture.

Face networks belong to curation, which this package does not import. Whoever has them offers them as an entry point of
the group `gaia_avatar.faces`: a function that takes the name of a face finder and the parts that are wanted, and
returns `FaceModels`. The package gaia-avatar offers those of curation itself. On a machine without them the figures
that need faces are named as missing, and the others are computed.
"""

import importlib.metadata
from collections.abc import Collection, Mapping
from typing import Protocol

from foundation.array_types import Float32Array, RgbImage
from foundation.errors import UsageError

__all__ = ["FACE_PARTS", "FaceModels", "FaceReader", "NoFaceModels", "load_face_models"]

_ENTRY_POINTS = "gaia_avatar.faces"

FACE_PARTS = ("landmarks", "pose", "points68", "dlib", "arcface")
"""What may be known of a face: landmarks of the face finder; pitch, yaw and roll in degrees; the 68 points of the
literature; descriptors of dlib and of ArcFace."""


class FaceReader(Protocol):
    """Reads the pictures of one video, in their order."""

    def __call__(self, frame: RgbImage) -> Mapping[str, Float32Array]:
        """Return the parts of the widest face in a picture, (H, W, 3); NaN where there is none.

        Landmarks are in pixels of the picture.
        """
        ...


class FaceModels(Protocol):
    """Models that read faces."""

    @property
    def digest(self) -> str:
        """A text that changes whenever results may: names and digests of the models."""
        ...

    @property
    def scheme(self) -> str:
        """Landmark scheme of the part `landmarks`."""
        ...

    @property
    def finder(self) -> str:
        """Name of the face finder."""
        ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of each part that is available."""
        ...

    @property
    def unavailable(self) -> Mapping[str, str]:
        """The other parts, each with the reason in a sentence."""
        ...

    def reader(self) -> FaceReader:
        """Return a reader for one video."""
        ...


class NoFaceModels:
    """Stands for face models that are not on this machine."""

    digest = scheme = finder = "none"

    def __init__(self, reason: str, parts: Collection[str]) -> None:
        self.shapes: Mapping[str, tuple[int, ...]] = {}
        self.unavailable: Mapping[str, str] = dict.fromkeys(parts, reason)

    def reader(self) -> FaceReader:
        """Return a reader that knows nothing of any face."""
        return lambda _frame: {}


def load_face_models(finder: str, parts: Collection[str] = FACE_PARTS) -> FaceModels:
    """Return the face models that an installed package offers, or what stands for their absence.

    Args:
        finder: name of a face finder, a value of `perception.faces`.
        parts: what is to be known of faces; models of other parts are not loaded.

    Raises:
        UsageError: no face finder has that name.
    """
    found = importlib.metadata.entry_points(group=_ENTRY_POINTS)
    if not found:
        return NoFaceModels("no installed package offers face models; install gaia-avatar with pip", parts)
    try:
        load = next(iter(found)).load()
    except ImportError as error:
        reason = f"the face models need the package {error.name}; install gaia-avatar with what it asks for"
        return NoFaceModels(reason, parts)
    models: FaceModels = load(finder, parts)
    if set(models.shapes) | set(models.unavailable) != set(parts):
        raise UsageError(f"the face models of {next(iter(found)).value} do not say what they know of faces")
    return models
