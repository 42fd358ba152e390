"""Registries of models: one per kind, with one line a model, and the user's own models.

A built-in model is listed by the address of its card, `module:NAME`, so that a name can be checked without importing
the model. Models of a user are added by `register_model`, or by an entry point of the group `gaia_avatar.models` in an
installed package, whose object is a card; entry points are loaded when a name is not found otherwise.
"""

import importlib
import importlib.metadata
from collections.abc import Mapping
from functools import cache
from typing import TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from curation.model_cards import ModelCard
from foundation.errors import UsageError
from foundation.weights import Asset
from foundation.weights.registry import add_asset

__all__ = [
    "DENOISERS",
    "ENCODERS",
    "FACE_FINDERS",
    "HEAD_POSES",
    "IDENTITIES",
    "MASKS",
    "SPEAKING",
    "SYNC",
    "TRANSCRIBERS",
    "VOICES",
    "ModelName",
    "ModelRegistry",
    "UnknownModelError",
    "find_plugins",
    "register_model",
    "registered_models",
    "setting_of",
]

_ENTRY_POINTS = "gaia_avatar.models"

CardT = TypeVar("CardT", bound=ModelCard)


class UnknownModelError(UsageError):
    """A setting names a model that is neither built in nor registered."""


class ModelRegistry:
    """The models of one kind, by the value of the setting that chooses one."""

    def __init__(self, kind: str, setting: str, built_in: Mapping[str, str]) -> None:
        """Make a registry.

        Args:
            kind: of its cards.
            setting: its dotted name.
            built_in: by name, the address `module:NAME` of a card.
        """
        self.kind = kind
        self.setting = setting
        self._built_in = dict(built_in)
        self._own: dict[str, ModelCard] = {}

    @property
    def built_in(self) -> tuple[str, ...]:
        """Names of the built-in models."""
        return tuple(self._built_in)

    @property
    def own(self) -> tuple[ModelCard, ...]:
        """Cards of the models that were registered in this process."""
        return tuple(self._own.values())

    def __contains__(self, name: str) -> bool:
        if name not in self._built_in and name not in self._own:
            find_plugins()
        return name in self._built_in or name in self._own

    def card(self, name: str, card_type: type[CardT]) -> CardT:
        """Return the card of a model.

        Args:
            name: the value of the setting.
            card_type: of the cards of this kind.

        Raises:
            UnknownModelError: no model has that name.
            TypeError: the card is of another type.
        """
        if name not in self:
            raise UnknownModelError(f"setting {self.setting!r} is {name!r}: {self.unknown(self.built_in)}")
        card: object = self._own.get(name)
        if card is None:
            module, _, attribute = self._built_in[name].partition(":")
            card = getattr(importlib.import_module(module), attribute)
        if not isinstance(card, card_type):
            raise TypeError(
                f"model {name!r} of kind {self.kind}: its card is a {type(card).__name__}; give a {card_type.__name__}"
            )
        return card

    def register(self, card: ModelCard) -> None:
        """Add a model of the user; another one of the same name is replaced.

        Raises:
            UsageError: a built-in model has that name.
        """
        if card.name in self._built_in:
            raise UsageError(f"model {card.name!r} of kind {self.kind} is built in; give yours another name")
        self._own[card.name] = card

    def unknown(self, allowed: tuple[str, ...]) -> str:
        """Return the message about a name that is neither in `allowed`, the built-in ones, nor registered."""
        names = [repr(name) for name in (*allowed, *self._own)]
        return (
            f"Input should be {', '.join(names[:-1])} or {names[-1]}; a model of your own has to be registered first, "
            "by curation.register_model or an entry point of its package (docs/guides/add_a_model.md)"
        )


class ModelName:
    """Restricts a setting of type `str` to the models of a registry and a few other words."""

    def __init__(self, registry: ModelRegistry, *, before: tuple[str, ...] = (), after: tuple[str, ...] = ()) -> None:
        """Make the annotation of a setting: `Annotated[str, ModelName(registry)]`.

        Args:
            registry: the models.
            before: other words that the setting takes, listed before the built-in models.
            after: others, listed after them.
        """
        self._registry = registry
        self._others = (*before, *after)
        self._listed = (*before, *registry.built_in, *after)

    def __get_pydantic_core_schema__(self, source: type[str], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema) | {"enum": list(self._listed)}

    def _checked(self, name: str) -> str:
        if name not in self._others and name not in self._registry:
            raise UnknownModelError(self._registry.unknown(self._listed))
        return name


_PERCEPTION = "curation.perception"

FACE_FINDERS = ModelRegistry(
    "faces",
    "perception.faces",
    {
        "scrfd": f"{_PERCEPTION}.faces.scrfd_mesh:SCRFD_FACES",
        "mediapipe": f"{_PERCEPTION}.faces.mediapipe:MEDIAPIPE_FACES",
        "dlib": f"{_PERCEPTION}.faces.dlib_hog:DLIB_FACES",
    },
)

HEAD_POSES = ModelRegistry(
    "pose",
    "perception.pose",
    {
        "3ddfa_mb1": f"{_PERCEPTION}.pose.three_ddfa:THREE_DDFA_MB1",
        "3ddfa_mb05": f"{_PERCEPTION}.pose.three_ddfa:THREE_DDFA_MB05",
    },
)

IDENTITIES = ModelRegistry(
    "identity",
    "perception.identity",
    {
        "arcface": f"{_PERCEPTION}.identity.arcface:ARCFACE_IDENTITY",
        "dlib": f"{_PERCEPTION}.identity.dlib:DLIB_IDENTITY",
    },
)

MASKS = ModelRegistry(
    "mask",
    "perception.mask",
    {
        "embedded": f"{_PERCEPTION}.masks.embedded.classifier:EMBEDDED_MASK",
        "ssd": f"{_PERCEPTION}.masks.ssd:SSD_MASK",
        "ssd_onnx": f"{_PERCEPTION}.masks.ssd:SSD_ONNX_MASK",
    },
)

SYNC = ModelRegistry(
    "sync",
    "perception.sync",
    {
        "embedded": f"{_PERCEPTION}.sync.model:EMBEDDED_SYNC",
    },
)

SPEAKING = ModelRegistry(
    "speaking",
    "perception.speaking",
    {
        "lr_asd": f"{_PERCEPTION}.speaking.lr_asd:LR_ASD_SPEAKING",
    },
)

DENOISERS = ModelRegistry(
    "denoiser",
    "speech.denoiser",
    {
        "deepfilternet3": "curation.speech.deepfilternet:DEEPFILTERNET3",
        "dns48": "curation.speech.demucs:DNS48",
        "dns64": "curation.speech.demucs:DNS64",
        "master64": "curation.speech.demucs:MASTER64",
    },
)

ENCODERS = ModelRegistry(
    "encoder",
    "speech.encoder",
    {
        "whisper-tiny.en": "curation.speech.whisper:WHISPER_TINY",
        "wav2vec2": "curation.speech.wav2vec2:WAV2VEC2",
    },
)

TRANSCRIBERS = ModelRegistry(
    "transcript",
    "speech.transcript",
    {"whisper-tiny.en": "curation.speech.whisper_words:WHISPER_TINY_WORDS"},
)

VOICES = ModelRegistry("voices", "--voices", {"campplus": "curation.speech.campplus:CAMPPLUS"})

_BY_KIND = {
    registry.kind: registry
    for registry in (
        *(FACE_FINDERS, HEAD_POSES, IDENTITIES, MASKS, SYNC, SPEAKING),
        *(DENOISERS, ENCODERS, TRANSCRIBERS, VOICES),
    )
}


def register_model(card: ModelCard) -> None:
    """Make a model of the user known to this process, and to the workers of the runs that it begins.

    Its name is a value of the setting of its kind from now on. A model that was registered under the same name, as by
    an earlier version of a notebook cell, is replaced.

    Args:
        card: its card, such as a `FaceFinderCard`.

    Raises:
        UsageError: a built-in model has that name, models of that kind cannot be registered, or an asset of the card
            has the name of a built-in one.
    """
    if card.kind not in _BY_KIND:
        raise UsageError(f"models of kind {card.kind!r} cannot be registered; the kinds are {', '.join(_BY_KIND)}")
    for asset in card.assets:
        if isinstance(asset, Asset):
            add_asset(asset)
    _BY_KIND[card.kind].register(card)


def setting_of(card: ModelCard) -> str:
    """Return the dotted name of the setting that chooses models of the kind of a card."""
    return _BY_KIND[card.kind].setting


def registered_models() -> tuple[ModelCard, ...]:
    """Return the cards of all models that were registered in this process."""
    return tuple(card for registry in _BY_KIND.values() for card in registry.own)


@cache
def find_plugins() -> None:
    """Register the models that installed packages offer by entry points; once a process.

    Raises:
        UsageError: an entry point cannot be loaded or is no model card, or its card cannot be registered.
    """
    for entry_point in importlib.metadata.entry_points(group=_ENTRY_POINTS):
        try:
            card: object = entry_point.load()
        except Exception as error:
            raise UsageError(
                f"entry point {entry_point.name!r} of the group {_ENTRY_POINTS}, {entry_point.value!r}, cannot be "
                f"loaded ({type(error).__name__}: {error}); repair or remove its package"
            ) from error
        if not isinstance(card, ModelCard):
            raise UsageError(
                f"entry point {entry_point.name!r} of the group {_ENTRY_POINTS}, {entry_point.value!r}, is of type "
                f"{type(card).__name__}; it has to be a model card"
            )
        register_model(card)
