"""Provenance of a dataset: settings, weights and source layouts on record, and whether a command agrees with them."""

import hashlib
import importlib.metadata
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from curation.model_registry import UnknownModelError
from curation.output.weights_used import needed_assets, other_models, perception_weights, speech_weights
from curation.perception.models import identity_at_hand, lip_weights
from curation.settings import CurationSettings, differences
from curation.sources.layouts import LayoutName
from foundation.address_text import address_without_secrets
from foundation.errors import UsageError
from foundation.packages import DISTRIBUTION
from foundation.storage.locations import is_address
from foundation.weights import ensure_assets
from manifests.record import DatasetRecord, SourceLayout, WeightRecord, describe_tables
from manifests.schema.columns import SCHEMA_VERSION
from manifests.totals import no_totals

__all__ = [
    "DatasetFolderError",
    "fetched_weights",
    "new_record",
    "recorded_settings",
    "require_same",
    "with_identity",
    "with_layout",
    "with_weights",
]

_STORAGE = "storage."
"""Settings that do not change what a dataset holds."""

_ADDED = {"sync": "perception.sync: ", "speaking": "perception.speaking: "}
"""Models whose measures are added to the evidence of a dataset that was begun without them, and their settings."""

_PRIVACY = "privacy."
"""Settings that only remove something, which can be done later, too."""

_SIZE = "media.encode_preset: "
"""A setting of time against size: clips made with either are alike."""

_ANALYSIS = "analysis."
"""Settings of how much is measured where no clip can lie: more can be measured later, and clips are the same."""


class DatasetFolderError(UsageError):
    """The folder cannot become, or go on as, the dataset of this command."""


def fetched_weights(settings: CurationSettings) -> tuple[WeightRecord, ...]:
    """Fetch the weights that a run with these settings needs and that are missing here, and return them all.

    Raises:
        MissingAssetsError: weights are missing and cannot be fetched.
    """
    ensure_assets(needed_assets(settings), other_models(settings))
    used = settings.in_use
    return (*perception_weights(used.perception), *speech_weights(used.speech))


def new_record(settings: CurationSettings, weights: Sequence[WeightRecord]) -> DatasetRecord:
    """Return the record of a dataset without videos."""
    return DatasetRecord(
        schema_version=SCHEMA_VERSION,
        software=DISTRIBUTION,
        software_version=importlib.metadata.version(DISTRIBUTION),
        preset=settings.preset,
        config=settings.model_dump(mode="json"),
        weights=tuple(weights),
        tables=describe_tables(),
        totals=no_totals(),
    )


def recorded_settings(dataset: Path, record: DatasetRecord) -> CurationSettings:
    """Return the settings that a dataset was made with.

    Raises:
        DatasetFolderError: they are not those of this version, or name a model that is not registered.
    """
    try:
        return CurationSettings.model_validate(record.config)
    except ValidationError as error:
        for problem in error.errors():
            reason = problem.get("ctx", {}).get("error")
            if isinstance(reason, UnknownModelError):
                setting = ".".join(map(str, problem["loc"]))
                raise DatasetFolderError(f"{dataset} was made with {setting}={problem['input']}: {reason}") from error
        raise DatasetFolderError(
            f"{dataset} was made by {record.software} {record.software_version}, whose settings this version does not "
            f"know ({error.error_count()} differ); go on with that version, or give a new --out"
        ) from error


def with_identity(settings: CurationSettings, identity: str) -> CurationSettings:
    """Return the settings with this descriptor where `perception.identity` is `auto`."""
    perception = settings.perception
    if perception.identity != "auto":
        return settings
    return settings.model_copy(update={"perception": perception.model_copy(update={"identity": identity})})


def with_weights(
    settings: CurationSettings, weights: Sequence[WeightRecord] | None, identity: str | None = None
) -> tuple[CurationSettings, Sequence[WeightRecord]]:
    """Return the settings with a descriptor that is named, and their weights.

    Args:
        settings: of the command.
        weights: that it uses; None: those of the settings, which are fetched where they are missing.
        identity: descriptor where `perception.identity` is `auto`; None: that of this machine.

    Raises:
        MissingAssetsError: weights are missing and cannot be fetched.
    """
    named = with_identity(settings, identity_at_hand(settings.perception) if identity is None else identity)
    return named, fetched_weights(named) if weights is None else weights


def require_same(
    dataset: Path,
    record: DatasetRecord,
    before: CurationSettings,
    settings: CurationSettings,
    weights: Sequence[WeightRecord] | None,
) -> None:
    """Stop a command that would measure with other settings or other models, such as after an update of a package.

    A comparison of faces with the sound may be added, or be another one than before: it is measured on what is there.
    More ticks may be measured than before, or fewer of new videos: the clips are the same.

    Args:
        dataset: the folder, for the message.
        record: of the dataset.
        before: its settings.
        settings: of the command.
        weights: that it uses; None: those of the settings, which are fetched.

    Raises:
        DatasetFolderError: settings or weights differ; the message lists them.
        MissingAssetsError: weights are missing and cannot be fetched.
    """
    added = tuple(line for name, line in _ADDED.items() if _may_be_added(name, record, before))
    free = (_STORAGE, _PRIVACY, _ANALYSIS, _SIZE, *added)
    changed = [line for line in differences(settings, before) if not line.startswith(free)]
    if settings.privacy.keep_descriptors and not before.privacy.keep_descriptors:
        raise DatasetFolderError(
            f"{dataset} was made with privacy.keep_descriptors=false, and its descriptors cannot be had back; give a "
            "new --out to keep those of all videos, or leave the setting as it was"
        )
    if before.privacy.require_consent and not settings.privacy.require_consent:
        raise DatasetFolderError(
            f"{dataset} was made with --require-consent (privacy.require_consent=true), so that whoever uses it may "
            "rely on it; give the option again, or a new --out"
        )
    if changed:
        raise DatasetFolderError(
            f"{dataset} was made with other settings: {'; '.join(changed)}. Give a new --out, the settings of "
            "before, or apply new rules to it with `gaia-curate decide`"
        )
    again = lip_weights(before.perception) | lip_weights(settings.perception)
    recorded = _digests(record.weights, again)
    now = _digests(fetched_weights(settings) if weights is None else weights, again)
    if now != recorded:
        differing = [key[1] for key in {**recorded, **now} if recorded.get(key) != now.get(key)]
        raise DatasetFolderError(
            f"{dataset} was made with other weights: {', '.join(differing)} differ. Go on with the packages and files "
            "of before, or give a new --out"
        )


def _may_be_added(name: str, record: DatasetRecord, before: CurationSettings) -> bool:
    """Return whether a dataset was begun without a comparison of faces with the sound, or by a version without it."""
    perception = record.config.get("perception")
    known = isinstance(perception, Mapping) and name in perception
    return not known or getattr(before.perception, name) == "none"


def _digests(weights: Sequence[WeightRecord], again: Collection[str]) -> dict[tuple[str, str], str]:
    """Return the digests of weights by role and name, without those of perception that are measured with again."""
    return {
        (weight.role, weight.name): weight.sha256
        for weight in weights
        if weight.role != "perception" or weight.name not in again
    }


def with_layout(record: DatasetRecord, source: str, layout: LayoutName) -> DatasetRecord:
    """Return the record with how a folder of sources is read.

    Args:
        record: of the dataset.
        source: the folder, as it was given to the run.
        layout: how it is read.

    Raises:
        DatasetFolderError: an earlier run read the folder in another way: other speakers, other stretches.
    """
    folder = address_without_secrets(source).rstrip("/") if is_address(source) else str(Path(source).absolute())
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()
    before = [known.layout for known in record.layouts if known.folder_sha256 == digest]
    if before and layout not in before:
        raise DatasetFolderError(
            f"the dataset was made with other settings: layout of {source}: {layout}, was {before[0]}. Give "
            f"--layout {before[0]}, or a new --out"
        )
    if before:
        return record
    return record.model_copy(update={"layouts": (*record.layouts, SourceLayout(folder_sha256=digest, layout=layout))})
