"""Landmarks of single pictures for the trainers: the entry point of the group `gaia_avatar.landmarks`.

Training measures how far the landmarks of pictures that a network made are from those of the true ones, by the model
that curated the data.
"""

from curation.perception.models import face_landmarks, load_face_finder
from curation.perception.protocols import FaceFinder
from curation.perception.settings import PerceptionSettings
from foundation.array_types import Float32Array, RgbImage

__all__ = ["PictureLandmarks", "load_picture_landmarks"]


class PictureLandmarks:
    """A face finder that is asked for the landmarks of one face alone."""

    def __init__(self, finder: FaceFinder, scheme: str) -> None:
        self._finder = finder
        self.scheme = scheme
        """Name of the landmark scheme."""

    def __call__(self, picture: RgbImage) -> Float32Array | None:
        """Return the (K, 2) landmarks of the widest face in an (H, W, 3) picture, pixels; None where there is none."""
        found = self._finder(picture)
        return found[0].landmarks_px if found else None


def load_picture_landmarks(faces: str) -> PictureLandmarks:
    """Load a face finder, on the CPU, where all machines find the same landmarks.

    Args:
        faces: its name, a value of `perception.faces`.

    Raises:
        UnknownModelError: there is none of that name.
        MissingAssetsError: its weights are not on this machine.
    """
    settings = PerceptionSettings(faces=faces, device="cpu")
    return PictureLandmarks(load_face_finder(settings), face_landmarks(settings).name)
