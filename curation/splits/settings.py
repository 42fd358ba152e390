"""Settings of the division into train, val and test."""

from pydantic import Field

from foundation.settings import Settings

__all__ = ["SplitSettings"]


class SplitSettings(Settings):
    """Division of clips into train, val and test, by person, so that nobody is in two of them."""

    val_share: float = Field(default=0.05, ge=0.0, le=0.5)
    """Share of the hours of all clips that are for validation; nobody is divided to reach it. Ours."""
    test_share: float = Field(default=0.05, ge=0.0, le=0.5)
    """Share of the hours of all clips that are for tests, likewise. Ours."""
