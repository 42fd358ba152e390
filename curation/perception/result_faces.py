"""Faces of pictures that were generated: what evaluation and validation ask of the face networks.

The entry point of the group `gaia_avatar.faces`. Each part is of one model: landmarks and pose of the face
finder that made the data, the 68 points of dlib's detector and predictor for comparison with the literature, and the
descriptors of dlib and ArcFace, both cut out by the finder's landmarks. A part whose weights are not on this machine is
named with the reason; no other model takes its place.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from curation.model_registry import FACE_FINDERS, IDENTITIES, UnknownModelError
from curation.perception.cards import FaceFinderCard, IdentityCard, PerceptionCard
from curation.perception.protocols import FaceDescriber, FaceFinder, FaceObservation
from curation.perception.settings import PerceptionSettings
from foundation.array_types import Float32Array, RgbImage
from foundation.weights import AssetError, asset_digest, missing_assets
from manifests.landmarks import key_points, landmark_scheme

__all__ = ["ResultFaceReader", "ResultFaces", "load_result_faces"]

ModelT = TypeVar("ModelT")

_POINTS68 = "dlib"
"""Face finder of the 68 points."""

_DESCRIPTORS = ("dlib", "arcface")


@dataclass(frozen=True, kw_only=True)
class ResultFaces:
    """The models that are on this machine."""

    finder: str
    """Name of the face finder."""
    scheme: str
    """Numbering of its landmarks."""
    digest: str
    """Names and digests of all models."""
    shapes: Mapping[str, tuple[int, ...]]
    """Shape of each part that is known."""
    unavailable: Mapping[str, str]
    """The other parts, each with the reason."""
    faces: FaceFinder | None
    points68: FaceFinder | None
    describers: Mapping[str, FaceDescriber]

    def reader(self) -> "ResultFaceReader":
        """Return a reader for one video."""
        return ResultFaceReader(self)


class ResultFaceReader:
    """Reads the pictures of one video in their order; a face is followed from one to the next."""

    def __init__(self, models: ResultFaces) -> None:
        self._models = models
        self._near: Sequence[FaceObservation] | None = None
        self._near68: Sequence[FaceObservation] | None = None

    def __call__(self, frame: RgbImage) -> Mapping[str, Float32Array]:
        """Return the parts of the widest face in a picture, (H, W, 3); NaN where there is none."""
        models = self._models
        parts = {part: np.full(shape, np.nan, np.float32) for part, shape in models.shapes.items()}
        frame = np.ascontiguousarray(frame)
        if models.faces is not None:
            self._near = models.faces(frame, self._near)
            if self._near:
                face = self._near[0]
                known = {"landmarks": face.landmarks_px, "pose": face.pose_deg}
                parts |= {part: array for part, array in known.items() if part in parts}
                points = key_points(face.landmarks_px, landmark_scheme(models.scheme))
                for name, describe in models.describers.items():
                    parts[name] = describe(frame, points)
        if models.points68 is models.faces and "points68" in parts and self._near:
            parts["points68"] = self._near[0].landmarks_px
        elif models.points68 is not None:
            self._near68 = models.points68(frame, self._near68)
            if self._near68:
                parts["points68"] = self._near68[0].landmarks_px
        return parts


class _Found:
    """The parts that are known so far, and those that are not."""

    def __init__(self, settings: PerceptionSettings, wanted: Collection[str]) -> None:
        self._settings, self._wanted = settings, wanted
        self.digests: list[str] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.unavailable: dict[str, str] = {}

    def load(
        self, card: PerceptionCard, load: Callable[[PerceptionSettings], ModelT], parts: Mapping[str, tuple[int, ...]]
    ) -> ModelT | None:
        """Load a model that gives `parts`, by their shapes, if any is wanted, or note what it lacks and return None."""
        parts = {part: shape for part, shape in parts.items() if part in self._wanted}
        if not parts:
            return None
        names = [name for used in card.used(self._settings) for name in used.asset_names]
        try:
            missing = missing_assets(names)
            if not missing:
                model = load(self._settings)
                self.digests += [card.name, *(asset_digest(name)[:16] for name in names)]
                self.shapes |= parts
                return model
            files = ", ".join(file.name for asset in missing for file in asset.files)
            pull = " ".join(asset.name for asset in missing)
            reason = f"{files} is not on this machine: `gaia-curate models pull {pull}`, or GAIA_MODELS=FOLDER"
        except AssetError as error:
            reason = str(error)
        self.unavailable |= dict.fromkeys(parts, reason)
        return None


def load_result_faces(finder: str, parts: Collection[str]) -> ResultFaces:
    """Load the models whose weights are on this machine.

    Args:
        finder: name of a face finder, built in or registered.
        parts: what is to be known of faces: `landmarks`, `pose`, `points68`, `dlib`, `arcface`. Identities are cut out
            by landmarks, so they are known together.

    Raises:
        UnknownModelError: there is none of that name.
    """
    if finder not in FACE_FINDERS:
        raise UnknownModelError(f"--faces is {finder!r}: {FACE_FINDERS.unknown(FACE_FINDERS.built_in)}")
    # on the CPU all machines find the same landmarks
    settings = PerceptionSettings(faces=finder, device="cpu")
    card = FACE_FINDERS.card(finder, FaceFinderCard)
    n_points = landmark_scheme(card.scheme).n_points
    found = _Found(settings, parts)
    faces = found.load(card, card.load, {"landmarks": (n_points, 2), "pose": (3,)})
    card68 = FACE_FINDERS.card(_POINTS68, FaceFinderCard)
    points68 = found.load(card68, card68.load, {"points68": (68, 2)})
    describers: dict[str, FaceDescriber] = {}
    for name in (one for one in _DESCRIPTORS if one in parts):
        if faces is None:
            found.unavailable[name] = found.unavailable.get("landmarks", "it is cut out by landmarks")
            continue
        of_face = IDENTITIES.card(name, IdentityCard)
        describer = found.load(of_face, of_face.load, {name: (of_face.dim,)})
        if describer is not None:
            describers[name] = describer
    return ResultFaces(
        finder=finder,
        scheme=card.scheme,
        digest=" ".join(found.digests),
        shapes=found.shapes,
        unavailable=found.unavailable,
        faces=faces,
        points68=faces if finder == _POINTS68 else points68,
        describers=describers,
    )
