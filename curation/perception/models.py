"""The perception models of one worker: which ones, the weights they need, and how they are loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from curation.perception.protocols import (
    CutScorer,
    FaceDescriber,
    FaceFinder,
    HeadPose,
    JitterPoints,
    MaskClassifier,
    VoiceDetector,
)
from foundation.devices import Device, DeviceName, resolve_device
from foundation.settings import Settings
from foundation.weights import asset_path, missing_assets

__all__ = [
    "FACE_FINDERS",
    "FaceFinderFacts",
    "Perception",
    "PerceptionSettings",
    "identity_at_hand",
    "load_face_finder",
    "load_perception",
    "optional_assets",
    "perception_assets",
    "pose_method",
]


def _absolute(mask: str) -> str:
    """Make a file's name one that workers in other folders understand."""
    return mask if mask in ("embedded", "ssd") else str(Path(mask).expanduser().absolute())


class PerceptionSettings(Settings):
    """The choice of perception models."""

    faces: Literal["scrfd", "mediapipe", "dlib"] = "mediapipe"
    """Face finder and landmarks. `scrfd`: InsightFace's boxes with MediaPipe's 478 points in them, for the paper's own
    landmark model was never released; `mediapipe`: boxes and 478 points; `dlib`: HOG rectangles and 68 points."""
    scrfd: Literal["det_10g", "scrfd_2.5g", "scrfd_500m_bnkps"] = "det_10g"
    """Which SCRFD, where it finds the faces: from the largest, of buffalo_l, to the smallest."""
    pose: Literal["finder", "3ddfa_mb1", "3ddfa_mb05"] = "finder"
    """Head pose. `finder`: the head transform that comes with the landmarks; `3ddfa_mb1`: 3DDFA_V2 as published, its
    smaller network `3ddfa_mb05`."""
    identity: Literal["auto", "arcface", "dlib"] = "dlib"
    """Which descriptor tells people apart. `arcface`: InsightFace's network of buffalo_l; `dlib`: dlib's; `auto`:
    ArcFace where its weights are on this machine when a dataset is begun, else dlib's; the dataset records which."""
    mask: Annotated[str, StringConstraints(min_length=1), AfterValidator(_absolute)] = "embedded"
    """What sees masks. `embedded`: our own small network; `ssd`: AIZOOTech's FaceMaskDetection; anything else is the
    path of an ONNX image classifier of yours (docs/explanation/how_a_second_is_decided.md says what it must be)."""
    mask_stride: int = Field(default=5, ge=1, le=25)
    """A face is looked at for a mask every so many ticks, and on the ticks between where the answer changes. Ours: half
    the width of the rule's median, `rules.mask.smooth_ticks`."""
    device: DeviceName = "auto"
    """Where SCRFD, 3DDFA, the mask SSD and ArcFace run: `auto` takes a GPU if there is one, `cpu`, `cuda` or `cuda:1`.
    The other models run on the CPU."""


def pose_method(settings: PerceptionSettings) -> str:
    """Return what stands in the manifest as the way in which the pose is computed."""
    return FACE_FINDERS[settings.faces].pose_method if settings.pose == "finder" else settings.pose


@dataclass(frozen=True, kw_only=True, slots=True)
class FaceFinderFacts:
    """What is known of a face finder without loading it."""

    scheme: str
    pose_method: str
    """How the pose that comes with the landmarks is computed."""
    assets: tuple[str, ...]
    """Without SCRFD itself, which is a setting."""


FACE_FINDERS = {
    "scrfd": FaceFinderFacts(
        scheme="mediapipe478",
        pose_method="mediapipe_transform",
        assets=("face_landmarker", "dlib_shape_predictor_68"),
    ),
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
    jitter: JitterPoints | None
    """None judges jitter by landmarks and box."""
    cuts: CutScorer
    voice: VoiceDetector

    @property
    def pose_method(self) -> str:
        """How the pose is computed; stands in the manifest."""
        return self.faces.pose_method if self.pose is None else self.pose.method


def perception_assets(settings: PerceptionSettings) -> Sequence[str]:
    """Return the names of the weights that these settings need."""
    names = list(FACE_FINDERS[settings.faces].assets)
    if settings.faces == "scrfd":
        names.append(settings.scrfd)
    if settings.pose != "finder":
        names += [settings.pose, "3ddfa_whitening"]
    if settings.mask == "ssd":
        names.append("face_mask_detection")
    return [*names, "w600k_r50" if settings.identity == "arcface" else "dlib_face_recognition_resnet"]


def optional_assets(settings: PerceptionSettings) -> Sequence[str]:
    """Return the names of weights that are used where they are on this machine, and not missed where they are not."""
    return ["w600k_r50"] if settings.identity == "auto" else []


def identity_at_hand(settings: PerceptionSettings) -> Literal["arcface", "dlib"]:
    """Return the descriptor that is used: the one that is set, or that for which `auto` stands on this machine.

    Raises:
        WrongAssetError: ArcFace's file is there and is another one.
    """
    if settings.identity == "auto":
        return "dlib" if missing_assets(optional_assets(settings)) else "arcface"
    return settings.identity


def load_perception(settings: PerceptionSettings) -> Perception:
    """Load the models.

    Raises:
        MissingAssetsError: weights are missing; `perception_assets` names them beforehand.
        DeviceError: the GPU that is named cannot be used.
        UnfitMaskModelError: the file that `mask` names is no classifier that can be used.
    """
    from curation.perception.cuts import ContentCuts
    from curation.perception.voice import SileroVoice

    device = resolve_device(settings.device)
    return Perception(
        faces=load_face_finder(settings),
        describer=_load_describer(settings, device),
        mask=_load_mask(settings, device),
        mask_stride=settings.mask_stride,
        pose=_load_pose(settings, device),
        jitter=_load_jitter(settings),
        cuts=ContentCuts(),
        voice=SileroVoice(),
    )


def load_face_finder(settings: PerceptionSettings) -> FaceFinder:
    """Load what finds faces and their landmarks, and nothing else.

    Raises:
        MissingAssetsError: weights are missing.
        DeviceError: the GPU that is named cannot be used.
    """
    match settings.faces:
        case "scrfd":
            from curation.perception.faces.scrfd_mesh import ScrfdFaces

            return ScrfdFaces(asset_path(settings.scrfd), resolve_device(settings.device))
        case "mediapipe":
            from curation.perception.faces.mediapipe import MediaPipeFaces

            return MediaPipeFaces()
        case "dlib":
            from curation.perception.faces.dlib_hog import DlibFaces

            return DlibFaces()


def _load_pose(settings: PerceptionSettings, device: Device) -> HeadPose | None:
    if settings.pose == "finder":
        return None
    from curation.perception.pose.three_ddfa import ThreeDdfaPose

    return ThreeDdfaPose(settings.pose, device)


def _load_jitter(settings: PerceptionSettings) -> JitterPoints | None:
    if settings.faces != "scrfd":
        return None
    from curation.perception.faces.dlib_points import DlibJitterPoints

    return DlibJitterPoints()


def _load_describer(settings: PerceptionSettings, device: Device) -> FaceDescriber:
    if identity_at_hand(settings) == "arcface":
        from curation.perception.identity.arcface import ArcFaceIdentity

        return ArcFaceIdentity(device)
    from curation.perception.identity.dlib import DlibIdentity

    return DlibIdentity()


def _load_mask(settings: PerceptionSettings, device: Device) -> MaskClassifier:
    match settings.mask:
        case "embedded":
            from curation.perception.masks.embedded.classifier import EmbeddedMask

            return EmbeddedMask()
        case "ssd":
            from curation.perception.masks.ssd import SsdMask

            return SsdMask(device)
        case path:
            from curation.perception.masks.onnx_classifier import OnnxMask

            return OnnxMask(Path(path), device)
