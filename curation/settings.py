"""The base of every config: frozen, closed to unknown names, described by the docstrings of its fields."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Settings"]


class Settings(BaseModel):
    """One component's settings. Each field's docstring gives unit and origin of the default."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
    )
