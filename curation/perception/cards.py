"""Cards of perception models, one class per kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from curation.model_cards import ModelCard, nothing
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
from manifests.landmarks import landmark_scheme
from manifests.record import WeightRecord

__all__ = ["FaceFinderCard", "HeadPoseCard", "IdentityCard", "MaskCard", "PerceptionCard", "SpeakingCard", "SyncCard"]


@dataclass(frozen=True, kw_only=True)
class PerceptionCard(ModelCard):
    """A perception model."""

    parts: Callable[[PerceptionSettings], Sequence[ModelCard]] = nothing
    """Other networks that it runs."""
    weights: Callable[[PerceptionSettings], Sequence[WeightRecord]] = nothing
    """Weights outside the asset registry; checks that they are there."""

    def used(self, settings: PerceptionSettings) -> tuple[ModelCard, ...]:
        """Return its own card and those of the networks that it runs."""
        return (self, *self.parts(settings))


@dataclass(frozen=True, kw_only=True)
class FaceFinderCard(PerceptionCard):
    """A face finder with its landmarks; chosen by `perception.faces`."""

    kind: str = field(default="faces", init=False)
    """`faces`."""
    scheme: str
    """Landmark scheme of the faces, a name in `manifests.landmarks`."""
    pose_method: str
    """Method of the pose that comes with the landmarks, as recorded in the manifest."""
    load: Callable[[PerceptionSettings], FaceFinder]
    """Loads the model, given the settings of its section."""
    head_box: tuple[float, float] = (1.0, 0.0)
    """The box of a head, from hairline to chin, as detectors trained on WIDER FACE draw it: its longer side, and how
    far its centre lies below that of this finder's box, over the longer side of that."""
    load_jitter: Callable[[], JitterPoints] | None = None
    """Loads what finds the points by which the rule `jitter` judges these faces; None judges by landmarks and box."""

    def __post_init__(self) -> None:
        landmark_scheme(self.scheme)  # raises for a scheme that is unknown


@dataclass(frozen=True, kw_only=True)
class HeadPoseCard(PerceptionCard):
    """A head pose; chosen by `perception.pose`. Its name stands in the manifest as the pose method."""

    kind: str = field(default="pose", init=False)
    """`pose`."""
    load: Callable[[PerceptionSettings], HeadPose]
    """Loads the model, given the settings of its section."""


@dataclass(frozen=True, kw_only=True)
class IdentityCard(PerceptionCard):
    """An identity descriptor; chosen by `perception.identity`."""

    kind: str = field(default="identity", init=False)
    """`identity`."""
    dim: int
    """Length of a descriptor."""
    same_person_distance: float | str
    """Largest Euclidean distance of two descriptors of one person: a number, or the name of the setting in
    `rules.tracks` that holds it."""
    load: Callable[[PerceptionSettings], FaceDescriber]
    """Loads the model, given the settings of its section."""


@dataclass(frozen=True, kw_only=True)
class MaskCard(PerceptionCard):
    """A mask classifier; chosen by `perception.mask`."""

    kind: str = field(default="mask", init=False)
    """`mask`."""
    load: Callable[[PerceptionSettings], MaskClassifier]
    """Loads the model, given the settings of its section."""


@dataclass(frozen=True, kw_only=True)
class SpeakingCard(PerceptionCard):
    """A detector of the active speaker; chosen by `perception.speaking`."""

    kind: str = field(default="speaking", init=False)
    """`speaking`."""
    load: Callable[[PerceptionSettings], ActiveSpeaker]
    """Loads the model, given the settings of its section."""


@dataclass(frozen=True, kw_only=True)
class SyncCard(PerceptionCard):
    """A comparison of lips with the sound; chosen by `perception.sync`."""

    kind: str = field(default="sync", init=False)
    """`sync`."""
    scheme: str
    """Landmark scheme of the faces that it takes, with blendshapes, a name in `manifests.landmarks`."""
    load: Callable[[PerceptionSettings], LipSync]
    """Loads the model, given the settings of its section."""

    def __post_init__(self) -> None:
        landmark_scheme(self.scheme)  # raises for a scheme that is unknown
