"""The perception models of one worker: which ones, the weights they need, and how they are loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from curation.perception.protocols import CutScorer, FaceDescriber, FaceFinder, MaskClassifier, VoiceDetector
from curation.settings import Settings

__all__ = [
    "FACE_FINDERS",
    "FaceFinderFacts",
    "Perception",
    "PerceptionSettings",
    "load_perception",
    "perception_assets",
]


class PerceptionSettings(Settings):
    """The choice of perception models."""

    faces: Literal["mediapipe", "dlib"] = "mediapipe"
    """Face finder and landmarks. `mediapipe`: 478 points, faster and surer; `dlib`: HOG rectangles and 68 points."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceFinderFacts:
    """What is known of a face finder without loading it."""

    scheme: str
    pose_method: str
    assets: tuple[str, ...]


FACE_FINDERS = {
    "mediapipe": FaceFinderFacts(scheme="mediapipe478", pose_method="mediapipe_transform", assets=("face_landmarker",)),
    "dlib": FaceFinderFacts(scheme="ibug68", pose_method="dlib68_pnp", assets=("dlib_shape_predictor_68",)),
}
"""By the value of the setting `perception.faces`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Perception:
    """The models of one worker."""

    faces: FaceFinder
    describer: FaceDescriber
    mask: MaskClassifier
    cuts: CutScorer
    voice: VoiceDetector


def perception_assets(settings: PerceptionSettings) -> Sequence[str]:
    """Return the names of the weights that these settings need."""
    return [*FACE_FINDERS[settings.faces].assets, "dlib_face_recognition_resnet"]


def load_perception(settings: PerceptionSettings) -> Perception:
    """Load the models.

    Raises:
        MissingAssetsError: weights are missing; `perception_assets` names them beforehand.
    """
    from curation.perception.content_cuts import ContentCuts
    from curation.perception.dlib_identity import DlibIdentity
    from curation.perception.embedded_mask.classifier import EmbeddedMask
    from curation.perception.silero_voice import SileroVoice

    return Perception(
        faces=_load_faces(settings),
        describer=DlibIdentity(),
        mask=EmbeddedMask(),
        cuts=ContentCuts(),
        voice=SileroVoice(),
    )


def _load_faces(settings: PerceptionSettings) -> FaceFinder:
    if settings.faces == "dlib":
        from curation.perception.dlib_faces import DlibFaces

        return DlibFaces()
    from curation.perception.mediapipe_faces import MediaPipeFaces

    return MediaPipeFaces()
