"""`run.json`: what a training run learns, from which clips, with which settings, and what was changed when."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

__all__ = ["FORMAT", "DataRecord", "RunChange", "RunRecord"]

FORMAT: Literal["gaia-run-1"] = "gaia-run-1"


class _Record(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True, validate_by_name=True
    )


class DataRecord(_Record):
    """Identity of what a run learns from, wherever it lies: equal clips of equal files give an equal record."""

    clips: int = Field(ge=0)
    """Number of clips that were selected."""
    clips_sha256: str
    """Of clips.jsonl."""
    landmark_scheme: str
    clip_px: int
    """Height and width of the frames, pixels."""
    latents_sha256: str | None
    """Of the statistics of the latents that a diffusion run learns; None: it learns from frames."""


class RunChange(_Record):
    """A call that began the run, or resumed it with changes."""

    at: str | None = Field(validation_alias="from", serialization_alias="from")
    """Name of the checkpoint that it went on from; None: from the beginning."""
    changed: dict[str, str]
    """What was changed, by dotted name."""


class RunRecord(_Record):
    """The content of run.json."""

    format: Literal["gaia-run-1"]
    task: str
    preset: str
    software: str
    """Version that began the run, or changed it last."""
    settings: dict[str, JsonValue]
    data: DataRecord | None = None
    """None: an older version began the run and recorded no data."""
    history: tuple[RunChange, ...]
