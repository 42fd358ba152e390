"""Which models compared the faces of a video with its sound, and whether they are those of today's settings."""

from dataclasses import replace
from functools import cache
from typing import TypeVar

from curation.evidence.measures import FrameEvidence
from curation.output.ledger import VideoRecord
from curation.perception.models import lip_models
from curation.perception.settings import PerceptionSettings

__all__ = ["is_incomplete", "lip_columns", "sync_model", "without_stale"]

EvidenceT = TypeVar("EvidenceT", bound=FrameEvidence)


def lip_columns(settings: PerceptionSettings) -> dict[str, str | None]:
    """Return the models of these settings, name and digest, by the names of the record's fields.

    Raises:
        MissingAssetsError: weights are missing.
    """
    return dict(_columns(settings.model_dump_json()))


def sync_model(settings: PerceptionSettings) -> str | None:
    """Return what compares lips with the sound, name and digest; None where these settings have nothing that does."""
    return lip_columns(settings)["sync_model"]


def is_incomplete(record: VideoRecord, settings: PerceptionSettings) -> bool:
    """Return whether an earlier run has curated a video without a model of these settings, or with another one."""
    if record.status != "ok" or record.duplicate_of is not None or not record.duration_s:
        return False
    wanted = lip_columns(settings)
    found = {"sync_model": record.sync_model, "speaking_model": record.speaking_model}
    return any(model is not None and found[name] != model for name, model in wanted.items())


def without_stale(evidence: EvidenceT, earlier: VideoRecord, settings: PerceptionSettings) -> EvidenceT:
    """Return the evidence of an earlier run without what other models measured than those of the settings.

    Args:
        evidence: read from the dataset.
        earlier: record of the video, which names the models of then.
        settings: name those of now.
    """
    wanted, faces = lip_columns(settings), evidence.faces
    sync = faces.sync_scores if earlier.sync_model == wanted["sync_model"] else None
    speaking = faces.speaking_prob if earlier.speaking_model == wanted["speaking_model"] else None
    return replace(evidence, faces=replace(faces, sync_scores=sync, speaking_prob=speaking))


@cache
def _columns(settings: str) -> tuple[tuple[str, str | None], ...]:
    models = lip_models(PerceptionSettings.model_validate_json(settings))
    return tuple((f"{kind}_model", model) for kind, model in models.items())
