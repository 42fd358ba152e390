"""The perception models of one worker: their cards, the weights they need, and loading them."""

from collections.abc import Sequence
from dataclasses import dataclass

from curation.model_cards import ModelCard
from curation.model_registry import FACE_FINDERS, HEAD_POSES, IDENTITIES, MASKS, SPEAKING, SYNC
from curation.perception.cards import (
    FaceFinderCard,
    HeadPoseCard,
    IdentityCard,
    MaskCard,
    PerceptionCard,
    SpeakingCard,
    SyncCard,
)
from curation.perception.cuts import ContentCuts
from curation.perception.masks.onnx_classifier import ONNX_FILE_MASK
from curation.perception.protocols import (
    ActiveSpeaker,
    FaceDescriber,
    FaceFinder,
    HeadPose,
    JitterPoints,
    LipSync,
    MaskClassifier,
)
from curation.perception.settings import PerceptionSettings
from curation.perception.sync.model import SYNC_FILE
from curation.perception.voice import SILERO_VOICE, SileroVoice
from foundation.weights import asset_digest, missing_assets
from manifests.landmarks import LandmarkScheme, landmark_scheme
from manifests.record import WeightRecord

__all__ = [
    "Perception",
    "face_finder_assets",
    "face_landmarks",
    "head_pose_assets",
    "identity_at_hand",
    "lacks_lip_points",
    "lip_models",
    "lip_weights",
    "load_active_speaker",
    "load_face_describer",
    "load_face_finder",
    "load_head_pose",
    "load_lip_sync",
    "load_perception",
    "optional_assets",
    "optional_cards",
    "outside_perception_weights",
    "perception_assets",
    "perception_cards",
    "pose_method",
]

_PREFERRED_IDENTITY, _OTHER_IDENTITY = "arcface", "dlib"
"""Models of `perception.identity=auto`: the first where its weights are on this machine, else the second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Perception:
    """The models of one worker."""

    faces: FaceFinder
    landmarks: LandmarkScheme
    """Numbering of the face finder's landmarks."""
    describer: FaceDescriber
    descriptor_dim: int
    """Length of an identity descriptor."""
    mask: MaskClassifier
    mask_stride: int
    """Ticks from one look for a mask to the next; see `mask_stride.StridedMask`."""
    pose: HeadPose | None
    """None takes the pose of the face finder."""
    jitter: JitterPoints | None
    """None judges jitter by landmarks and box."""
    cuts: ContentCuts
    voice: SileroVoice


def perception_cards(settings: PerceptionSettings) -> list[ModelCard]:
    """Return the cards of all models that these settings use, those of the networks that they run included."""
    return [card for model in _models(settings) for card in model.used(settings)]


def perception_assets(settings: PerceptionSettings) -> list[str]:
    """Return the names of the weights that these settings need."""
    return [name for card in perception_cards(settings) for name in card.asset_names]


def face_finder_assets(settings: PerceptionSettings) -> list[str]:
    """Return the names of the weights that the face finder of these settings needs."""
    return [name for card in _face_finder(settings).used(settings) for name in card.asset_names]


def head_pose_assets(settings: PerceptionSettings) -> list[str]:
    """Return the names of the weights that the head pose of these settings needs, those of the face finder apart."""
    card = _pose(settings)
    return [] if card is None else [name for used in card.used(settings) for name in used.asset_names]


def optional_cards(settings: PerceptionSettings) -> list[ModelCard]:
    """Return the cards of models that are used if their weights are on this machine, and not missed if they are not."""
    return [_identity(_PREFERRED_IDENTITY)] if settings.identity == "auto" else []


def optional_assets(settings: PerceptionSettings) -> list[str]:
    """Return the names of weights that are used if they are on this machine, and not missed if they are not."""
    return [name for card in optional_cards(settings) for name in card.asset_names]


def outside_perception_weights(settings: PerceptionSettings) -> list[WeightRecord]:
    """Return the weights outside the asset registry, such as those inside packages; they are hashed.

    Raises:
        FileNotFoundError: a package lacks its weights.
        UnfitMaskModelError: the user's mask classifier is not there.
    """
    return [record for model in _models(settings) for record in model.weights(settings)]


def face_landmarks(settings: PerceptionSettings) -> LandmarkScheme:
    """Return the numbering of the landmarks that these settings give."""
    return landmark_scheme(_face_finder(settings).scheme)


def pose_method(settings: PerceptionSettings) -> str:
    """Return how the pose is computed, as the manifest names it."""
    return _face_finder(settings).pose_method if settings.pose == "finder" else settings.pose


def identity_at_hand(settings: PerceptionSettings) -> str:
    """Return the name of the descriptor that is used: the one that is set, or what `auto` stands for on this machine.

    Raises:
        WrongAssetError: ArcFace's file is there and is another one.
    """
    if settings.identity == "auto":
        return _OTHER_IDENTITY if missing_assets(optional_assets(settings)) else _PREFERRED_IDENTITY
    return settings.identity


def load_perception(settings: PerceptionSettings) -> Perception:
    """Load the models.

    Raises:
        MissingAssetsError: weights are missing; `perception_assets` names them beforehand.
        DeviceError: the GPU that is named cannot be used.
        UnfitMaskModelError: the file that `mask` names is no classifier that can be used.
        UnknownModelError: a model is neither built in nor registered.
    """
    faces, identity = _face_finder(settings), _identity(identity_at_hand(settings))
    return Perception(
        faces=faces.load(settings),
        landmarks=landmark_scheme(faces.scheme),
        describer=identity.load(settings),
        descriptor_dim=identity.dim,
        mask=_mask(settings).load(settings),
        mask_stride=settings.mask_stride,
        pose=load_head_pose(settings),
        jitter=None if faces.load_jitter is None else faces.load_jitter(),
        cuts=ContentCuts(),
        voice=SileroVoice(),
    )


def load_face_finder(settings: PerceptionSettings) -> FaceFinder:
    """Load what finds faces and their landmarks, and nothing else.

    Raises:
        MissingAssetsError: weights are missing.
        DeviceError: the GPU that is named cannot be used.
        UnknownModelError: it is neither built in nor registered.
    """
    return _face_finder(settings).load(settings)


def load_head_pose(settings: PerceptionSettings) -> HeadPose | None:
    """Load what measures head poses, and nothing else; None where that is the face finder.

    Raises:
        MissingAssetsError: weights are missing.
        DeviceError: the GPU that is named cannot be used.
        UnknownModelError: it is neither built in nor registered.
    """
    card = _pose(settings)
    return None if card is None else card.load(settings)


def load_face_describer(settings: PerceptionSettings) -> FaceDescriber:
    """Load what describes faces, and nothing else.

    Raises:
        MissingAssetsError: weights are missing.
        UnknownModelError: it is neither built in nor registered.
    """
    return _identity(identity_at_hand(settings)).load(settings)


def load_active_speaker(settings: PerceptionSettings) -> ActiveSpeaker | None:
    """Load the detector of the active speaker; None where these settings have none.

    It is loaded apart from the others, because only videos with several faces need it, and loading takes seconds.

    Raises:
        MissingAssetsError: weights are missing.
        UnknownModelError: it is neither built in nor registered.
    """
    card = _speaking(settings)
    return None if card is None else card.load(settings)


def load_lip_sync(settings: PerceptionSettings) -> LipSync | None:
    """Load what compares lips with the sound; None where these settings have nothing that does.

    It is loaded apart from the others, because only videos with something to keep need it.

    Raises:
        MissingAssetsError: weights are missing.
        UnknownModelError: it is neither built in nor registered.
    """
    card = _sync(settings)
    return None if card is None else card.load(settings)


def lip_models(settings: PerceptionSettings) -> dict[str, str | None]:
    """Return name and digest of the models that compare faces with the sound, by their kind; None where there is none.

    Raises:
        MissingAssetsError: weights are missing.
    """
    return {"sync": _named(_sync(settings), settings), "speaking": _named(_speaking(settings), settings)}


def lip_weights(settings: PerceptionSettings) -> set[str]:
    """Return the names of the weights of these models, which a dataset that was begun without them does not have."""
    cards = [card for card in (_sync(settings), _speaking(settings)) if card is not None]
    names = {name for card in cards for used in card.used(settings) for name in used.asset_names}
    return names | {record.name for card in cards for record in card.weights(settings)}


def _named(card: PerceptionCard | None, settings: PerceptionSettings) -> str | None:
    if card is None:
        return None
    digests = [*(asset_digest(name) for name in card.asset_names), *(one.sha256 for one in card.weights(settings))]
    return " ".join([card.name, *(digest[:12] for digest in digests)])


def lacks_lip_points(settings: PerceptionSettings) -> bool:
    """Return whether lips are to be compared with the sound and cannot be, for want of landmarks that show them."""
    return settings.sync != "none" and _sync(settings) is None


def _models(settings: PerceptionSettings) -> Sequence[PerceptionCard]:
    """Return the cards of the models, without those of networks that they run."""
    pose, sync, speaking = _pose(settings), _sync(settings), _speaking(settings)
    return [
        _face_finder(settings),
        *([] if pose is None else [pose]),
        _mask(settings),
        _identity(_OTHER_IDENTITY if settings.identity == "auto" else settings.identity),
        *([] if sync is None else [sync]),
        *([] if speaking is None else [speaking]),
        SILERO_VOICE,
    ]


def _face_finder(settings: PerceptionSettings) -> FaceFinderCard:
    return FACE_FINDERS.card(settings.faces, FaceFinderCard)


def _pose(settings: PerceptionSettings) -> HeadPoseCard | None:
    return None if settings.pose == "finder" else HEAD_POSES.card(settings.pose, HeadPoseCard)


def _sync(settings: PerceptionSettings) -> SyncCard | None:
    if settings.sync == "none":
        return None
    card = SYNC.card(settings.sync, SyncCard) if settings.sync in SYNC else SYNC_FILE
    return card if _face_finder(settings).scheme == card.scheme else None


def _speaking(settings: PerceptionSettings) -> SpeakingCard | None:
    return None if settings.speaking == "none" else SPEAKING.card(settings.speaking, SpeakingCard)


def _identity(name: str) -> IdentityCard:
    return IDENTITIES.card(name, IdentityCard)


def _mask(settings: PerceptionSettings) -> MaskCard:
    return MASKS.card(settings.mask, MaskCard) if settings.mask in MASKS else ONNX_FILE_MASK
