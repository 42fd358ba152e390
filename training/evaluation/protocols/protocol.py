"""Read the protocols: what drives a generated video, whose picture it shows, how many there are (GAIA appendix B).

A file of this folder is one protocol, or a set of protocols that are run on one test set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Annotated, Literal

from pydantic import Field

from foundation.settings import Section, SettingsError, require_known, restored

__all__ = ["EvaluationProtocol", "ProtocolSet", "load_protocols", "protocol_names", "read_protocol"]

_FOLDER = resources.files("training.evaluation.protocols")


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationProtocol(Section):
    """How the videos of one table are generated."""

    origin: str
    """Sections and tables of the paper."""
    table: Literal["reconstruction", "reenactment", "speech"]
    """Columns by which the videos are measured."""
    drive: Literal["landmarks", "speech"]
    """What moves the face: the landmarks of a clip, unchanged, or speech."""
    speech: Literal["own", "another_person"]
    """Whose speech: that of the clip, or of a clip of another person, drawn at random; the truth stays that of the
    clip."""
    reference: Literal["first_frame", "another_person"]
    """Picture that is animated: the first frame of the clip, or any frame of a clip of another person, drawn at random.
    """
    first_frame: Annotated[int, Field(ge=0)]
    """First frame of the clip that is generated."""
    most_frames: Annotated[int, Field(ge=1)] | None
    """Frames of each video; a shorter clip gives all that it has. null: all of the clip."""
    rounds: Annotated[int, Field(ge=1)]
    """Videos of each clip, each with a reference of its own."""
    seed: Annotated[int, Field(ge=0)]
    """Of all that is drawn: references, and the noise of motion from speech."""

    @property
    def has_copy(self) -> bool:
        """Whether a copy of the reference is measured beside: a video that never moves, which has to be beaten."""
        return self.table == "reconstruction"

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if self.speech != "own" and self.drive != "speech":
            raise ValueError(f"speech is {self.speech!r}, but drive is {self.drive!r}; give 'own'")
        if self.reference == "first_frame" and self.drive == "landmarks" and self.first_frame == 0:
            raise ValueError("first_frame is 0, which is the reference itself; give 1 or more")
        if self.reference == "first_frame" and self.rounds > 1:
            raise ValueError(f"rounds is {self.rounds}, but the reference is always the first frame; give 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class ProtocolSet(Section):
    """Protocols that are run on one test set."""

    origin: str
    """Sections and tables of the paper."""
    protocols: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of protocols."""
    test_list: Literal["allowed", "required"]
    """Whether the user has to give a list of the videos."""
    videos: Annotated[int, Field(ge=1)] | None
    """Number of videos that the list has in the paper; null: it gives none."""


def protocol_names() -> tuple[str, ...]:
    """Return the names of all protocols and sets of protocols."""
    return tuple(sorted(file.name.removesuffix(".yaml") for file in _FOLDER.iterdir() if file.name.endswith(".yaml")))


def load_protocols(name: str) -> tuple[ProtocolSet, Mapping[str, EvaluationProtocol]]:
    """Return a set of protocols, and its protocols by their names; one protocol is a set of itself.

    Raises:
        SettingsError: nothing has that name; the message has the nearest one.
    """
    found = _load(name)
    if isinstance(found, EvaluationProtocol):
        alone = ProtocolSet(origin=found.origin, protocols=(name,), test_list="allowed", videos=None)
        return alone, {name: found}
    members = {one: _load(one) for one in found.protocols}
    return found, {one: member for one, member in members.items() if isinstance(member, EvaluationProtocol)}


def _load(name: str) -> EvaluationProtocol | ProtocolSet:
    require_known([name], protocol_names(), "protocol")
    return read_protocol((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), name)


def read_protocol(text: str, name: str) -> EvaluationProtocol | ProtocolSet:
    """Return the protocol, or the set of protocols, that the YAML `text` describes.

    Raises:
        SettingsError: a field is missing, unknown or not allowed; the message names it and what is allowed.
    """
    import yaml

    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{name} is no YAML: {error}") from error
    if not isinstance(values, Mapping):
        raise SettingsError(f"{name} is {values!r}; give the fields of a protocol, such as drive and reference")
    if "protocols" in values:
        return restored(ProtocolSet, values, f"protocol {name}")
    return restored(EvaluationProtocol, values, f"protocol {name}")
