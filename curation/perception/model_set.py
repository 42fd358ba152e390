"""The perception models of one worker: which ones, the weights they need, and how they are loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from curation.perception.protocols import (
    CutScorer,
    FaceDescriber,
    FaceFinder,
    HeadPose,
    MaskClassifier,
    VoiceDetector,
)
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
    mask_stride: int = Field(default=5, ge=1, le=25)
    """A face is looked at for a mask every so many ticks, and on the ticks between where the answer changes. Ours: half
    the width of the rule's median, `rules.mask.smooth_ticks`."""


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
    mask_stride: int
    """Ticks from one look for a mask to the next; see `mask_stride.StridedMask`."""
    pose: HeadPose | None
    """None takes the pose of the face finder."""
    cuts: CutScorer
    voice: VoiceDetector

    @property
    def pose_method(self) -> str:
        """How the pose is computed; stands in the manifest."""
        return self.faces.pose_method if self.pose is None else self.pose.method


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
        mask_stride=settings.mask_stride,
        pose=None,
        cuts=ContentCuts(),
        voice=SileroVoice(),
    )


def _load_faces(settings: PerceptionSettings) -> FaceFinder:
    if settings.faces == "dlib":
        from curation.perception.dlib_faces import DlibFaces

        return DlibFaces()
    from curation.perception.mediapipe_faces import MediaPipeFaces

    return MediaPipeFaces()
