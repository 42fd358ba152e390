"""Models and weights of a run: their cards, the assets to fetch, and the records for `dataset.json`."""

from collections.abc import Iterable

from curation.model_cards import ModelCard, Role
from curation.model_registry import (
    DENOISERS,
    ENCODERS,
    FACE_FINDERS,
    HEAD_POSES,
    IDENTITIES,
    MASKS,
    SPEAKING,
    TRANSCRIBERS,
)
from curation.perception.models import (
    identity_at_hand,
    optional_assets,
    outside_perception_weights,
    perception_assets,
    perception_cards,
)
from curation.perception.settings import PerceptionSettings
from curation.settings import PRESETS, CurationSettings, load_settings
from curation.speech.models import outside_speech_weights, speech_assets, speech_cards
from curation.speech.settings import SpeechSettings
from foundation.settings import setting_leaves, settings_of
from foundation.weights import asset_digest, asset_record, missing_assets
from manifests.record import WeightRecord

__all__ = ["model_cards", "needed_assets", "other_models", "perception_weights", "speech_weights", "wanted_assets"]

_CHOICES = tuple(
    registry.setting
    for registry in (FACE_FINDERS, HEAD_POSES, IDENTITIES, MASKS, SPEAKING, DENOISERS, ENCODERS, TRANSCRIBERS)
)
"""Settings that choose a model."""


def model_cards(settings: CurationSettings) -> list[ModelCard]:
    """Return the cards of all models and networks that a run with these settings uses."""
    used = settings.in_use
    return [*perception_cards(used.perception), *speech_cards(used.speech)]


def needed_assets(settings: CurationSettings) -> list[str]:
    """Return the names of the assets that a run with these settings uses, each once."""
    used = settings.in_use
    return list(dict.fromkeys([*perception_assets(used.perception), *speech_assets(used.speech)]))


def wanted_assets(settings: CurationSettings) -> list[str]:
    """Return the names of the assets that a run needs, and of those that it would use if they were here."""
    return [*needed_assets(settings), *optional_assets(settings.perception)]


def other_models(settings: CurationSettings) -> tuple[str, ...]:
    """Return lines on options under which a new run needs no weights that are missing here and in no package.

    They are the models of the preset `embedded`: the preset itself where `settings` are those of another preset, else
    the single settings whose models lack weights. No lines where nothing is missing.
    """
    missing = {asset.name for asset in missing_assets(needed_assets(settings)) if not asset.comes_with_pip}
    if not missing:
        return ()
    base = PRESETS[settings.preset]
    decided = load_settings(base, None, [f"perception.identity={identity_at_hand(base.perception)}"])
    if settings in (base, decided):
        return (
            "  --preset embedded",
            "    for a new dataset: all weights of that preset come over the Python package index",
        )
    embedded = dict(setting_leaves(settings_of(PRESETS["embedded"])))
    options = []
    for name in _CHOICES:
        override = f"{name}={embedded[name]}"
        changed = load_settings(settings, None, [override])
        if missing & (set(needed_assets(settings)) - set(needed_assets(changed))):
            settings = changed
            options.append(f"--set {override}")
    return f"  {' '.join(options)}", "    for a new dataset: the weights of these come over the Python package index"


def perception_weights(settings: PerceptionSettings) -> tuple[WeightRecord, ...]:
    """Return the weights that measure the evidence; those inside packages and the user's own are hashed.

    Raises:
        FileNotFoundError: a package lacks its weights.
        UnfitMaskModelError: the user's mask classifier is not there.
    """
    return (*_of_assets(perception_assets(settings), "perception"), *outside_perception_weights(settings))


def speech_weights(settings: SpeechSettings) -> tuple[WeightRecord, ...]:
    """Return the weights that process the audio of the clips; those inside packages are hashed.

    Raises:
        FileNotFoundError: a package lacks its weights.
        MissingPackageError: a package is not installed.
        CheckpointError: the checkpoint of wav2vec 2.0 is missing, or does not match the settings.
    """
    return (*_of_assets(speech_assets(settings), "speech"), *outside_speech_weights(settings))


def _of_assets(names: Iterable[str], role: Role) -> list[WeightRecord]:
    records = []
    for name in dict.fromkeys(names):
        asset = asset_record(name)
        records.append(
            WeightRecord(
                name=name,
                role=role,
                sha256=asset_digest(name),
                licence=asset.licence,
                commercial_use=asset.commercial_use,
            )
        )
    return records
