"""The perception models of one worker: which ones, the weights they need, and how they are loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from curation.perception.protocols import CutScorer, FaceDescriber, FaceFinder, MaskClassifier, VoiceDetector
from curation.settings import Settings

__all__ = ["Perception", "PerceptionSettings", "load_perception", "perception_assets"]


class PerceptionSettings(Settings):
    """The choice of perception models."""

    faces: Literal["mediapipe", "dlib"] = "mediapipe"
    """Face finder and landmarks. `mediapipe`: 478 points, faster and surer; `dlib`: HOG rectangles and 68 points."""


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
    faces = {"mediapipe": ["face_landmarker"], "dlib": ["dlib_shape_predictor_68"]}[settings.faces]
    return [*faces, "dlib_face_recognition_resnet"]


def load_perception(settings: PerceptionSettings) -> Perception:
    """Load the models.

    Raises:
        MissingAssetsError: weights are missing; `perception_assets` names them beforehand.
    """
    from curation.perception.content_cuts import ContentCuts  # noqa: PLC0415 - heavy, as all below
    from curation.perception.dlib_identity import DlibIdentity  # noqa: PLC0415
    from curation.perception.embedded_mask.classifier import EmbeddedMask  # noqa: PLC0415
    from curation.perception.silero_voice import SileroVoice  # noqa: PLC0415

    return Perception(
        faces=_load_faces(settings),
        describer=DlibIdentity(),
        mask=EmbeddedMask(),
        cuts=ContentCuts(),
        voice=SileroVoice(),
    )


def _load_faces(settings: PerceptionSettings) -> FaceFinder:
    if settings.faces == "dlib":
        from curation.perception.dlib_faces import DlibFaces  # noqa: PLC0415

        return DlibFaces()
    from curation.perception.mediapipe_faces import MediaPipeFaces  # noqa: PLC0415

    return MediaPipeFaces()
