"""Labels that a person gave to stretches on a page, and the file that they come in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foundation.errors import UsageError
from foundation.storage.regular_files import FileTooLargeError, NotRegularFileError, read_small
from manifests.errors import first_problem

__all__ = ["Label", "LabelsError", "LabelsFile", "read_labels"]

_MOST_BYTES = 16_000_000

_MOST_LABELS = 5_000
"""More than a page holds with its pictures; every labelled value is tried as a limit on all labels of its rule."""

_MOST = 1e12
"""More than any count, and any value of a rule."""

_Count = Annotated[int, Field(ge=0, le=int(_MOST))]

_Name = Annotated[str, Field(max_length=300)]
"""Of a rule and tier, a stratum, a video or a dataset: messages quote it."""

_Seconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]

_Value = Annotated[float, Field(ge=-_MOST, le=_MOST, allow_inf_nan=False)]


class LabelsError(UsageError):
    """A file of labels cannot be used: it is no such file, or is about another dataset or other limits."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(_Part):
    """What a person said of a stretch."""

    criterion: _Name
    video_id: _Name
    start_s: _Seconds
    end_s: _Seconds
    value: _Value | None
    dropped: bool
    stratum: _Name
    right: bool
    """Whether the rule decided rightly."""

    @property
    def bad(self) -> bool:
        """Whether the stretch deserves to be dropped."""
        return self.dropped == self.right


class LabelledCriterion(_Part):
    """Limit that stretches were labelled for."""

    limit: _Value | None
    strata: Mapping[_Name, _Count]
    """Number of stretches in each stratum."""


class LabelsFile(_Part):
    """File of labels, as a page saves it."""

    format: Literal["gaia-labels"]
    version: Literal[1]
    dataset: _Name
    identity: _Name
    draw: Literal["nearest", "random"]
    criteria: Mapping[_Name, LabelledCriterion]
    labels: Annotated[tuple[Label, ...], Field(max_length=_MOST_LABELS)]


def read_labels(path: Path) -> LabelsFile:
    """Return the labels of a file.

    Raises:
        LabelsError: it cannot be read, or is no file of labels; the message names the first fault.
    """
    try:
        content = read_small(path, _MOST_BYTES)
    except FileTooLargeError as error:
        raise LabelsError(
            f"{path} is larger than {_MOST_BYTES // 1_000_000} MB; give a file that a page saved"
        ) from error
    except NotRegularFileError as error:
        raise LabelsError(f"{error}; give a file that a page saved") from error
    except OSError as error:
        raise LabelsError(f"{path} cannot be read: {error.strerror or error}; give a file that a page saved") from error
    try:
        given = LabelsFile.model_validate_json(content)
    except ValidationError as error:
        raise LabelsError(
            f"{path} is no file of labels: {first_problem(error)}; give a file that a page saved"
        ) from error
    keys = [(label.criterion, label.video_id, label.start_s, label.end_s) for label in given.labels]
    if len(set(keys)) < len(keys):
        raise LabelsError(f"{path} labels a stretch twice; give a file as a page saved it")
    return given
