"""The files of ratings: the key to a sheet, and what raters save. Raters' files come from anyone: all is checked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from foundation.errors import UsageError
from foundation.storage.regular_files import FileTooLargeError, NotRegularFileError, read_small
from manifests.errors import first_problem
from training.ratings.grades import CRITERIA, GRADES
from training.ratings.rated_videos import MOST_ITEMS, MOST_SYSTEMS

__all__ = ["KeyItem", "Rating", "RatingKey", "RatingsError", "RatingsFile", "read_key", "read_ratings"]

_MOST_BYTES = 32_000_000

_MOST_FILES = 1000

_MOST_BYTES_OF_ALL = 64_000_000
"""Of the files of ratings together: 1,000 raters with 400 ratings each."""

_Identity = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]

_Count = Annotated[int, Field(ge=0, le=2**53)]


class RatingsError(UsageError):
    """A file of ratings, or the key to a sheet, cannot be used; the message names the first fault."""


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("should have no control character, and no space at an end")
    return text


def _graded(grades: Mapping[str, int]) -> Mapping[str, int]:
    if set(grades) != {criterion.key for criterion in CRITERIA}:
        raise ValueError(f"should be grades for {', '.join(criterion.key for criterion in CRITERIA)}")
    return grades


_Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class KeyItem(_Part):
    """What an item of a sheet is."""

    system: _Name
    video: _Name


class RatingKey(_Part):
    """Key to a sheet: which system made which item."""

    format: Literal["gaia-rating-key"]
    version: Literal[1]
    sheet: _Identity
    seed: _Count
    systems: Annotated[tuple[_Name, ...], Field(min_length=1, max_length=MOST_SYSTEMS)]
    items: Annotated[Mapping[_Identity, KeyItem], Field(min_length=1, max_length=MOST_ITEMS)]


class Rating(_Part):
    """Grades of one item."""

    item: _Identity
    position: _Count
    """Where it stood in the rater's order, from 0 on."""
    grades: Annotated[Mapping[str, Annotated[int, Field(ge=1, le=len(GRADES))]], AfterValidator(_graded)]


class RatingsFile(_Part):
    """What one rater saved."""

    format: Literal["gaia-ratings"]
    version: Literal[1]
    sheet: _Identity
    rater: _Name
    seed: _Count
    n_items: _Count
    """Items that this rater was to rate."""
    ratings: Annotated[tuple[Rating, ...], Field(max_length=MOST_ITEMS)]
    left_out: Annotated[tuple[_Identity, ...], Field(max_length=MOST_ITEMS)]
    """Items that did not play."""


def read_key(path: Path) -> RatingKey:
    """Return the key to a sheet.

    Raises:
        RatingsError: it cannot be read, or is no key.
    """
    key = _read(path, RatingKey, _KEY, _content(path, _KEY))
    wanted = {(system, item.video) for system in key.systems for item in key.items.values()}
    found = {(item.system, item.video) for item in key.items.values()}
    if found != wanted or len(found) < len(key.items) or len(set(key.systems)) < len(key.systems):
        raise RatingsError(f"{path} does not name every video of every system once; write the sheet again")
    return key


def read_ratings(key: RatingKey, given: Sequence[Path]) -> list[RatingsFile]:
    """Return what raters saved, sorted by their names.

    Args:
        key: to the sheet that they rated.
        given: files, and folders of files whose names end in `.json`; keys, `.key.json`, are passed over. Links are
            followed where they are given, not in a folder.

    Raises:
        RatingsError: a file cannot be read, is no file of ratings or of another sheet, names items that the sheet does
            not have, or one twice, or two files are of one rater.
    """
    paths = [path for one in given for path in _files(one)]
    if not paths or len(paths) > _MOST_FILES:
        raise RatingsError(
            f"{len(paths)} files of ratings are given, and a table has 1 to {_MOST_FILES}; give files that raters saved"
        )
    by_rater: dict[str, tuple[Path, RatingsFile]] = {}
    left = _MOST_BYTES_OF_ALL
    for path in paths:
        content = _content(path, _RATINGS, follow_links=path in given)
        left -= len(content)
        if left < 0:
            raise RatingsError(
                f"the files of ratings have more than {_MOST_BYTES_OF_ALL // 1_000_000} MB together; give fewer"
            )
        ratings = _read(path, RatingsFile, _RATINGS, content)
        _check(path, ratings, key)
        name = ratings.rater.casefold()
        if name in by_rater:
            raise RatingsError(f"{by_rater[name][0]} and {path} are of the same rater, {ratings.rater}; give one")
        by_rater[name] = (path, ratings)
    return [by_rater[name][1] for name in sorted(by_rater)]


def _files(given: Path) -> list[Path]:
    if not given.is_dir():
        return [given]
    return sorted(path for path in given.glob("*.json") if not path.name.endswith(".key.json"))


def _check(path: Path, ratings: RatingsFile, key: RatingKey) -> None:
    if ratings.sheet != key.sheet:
        raise RatingsError(
            f"{path} rates sheet {ratings.sheet}, and the key is of {key.sheet}; give the key of its sheet"
        )
    items = [*(rating.item for rating in ratings.ratings), *ratings.left_out]
    if (unknown := set(items) - set(key.items)) or len(set(items)) < len(items):
        fault = f"rates {min(unknown)}, which the sheet does not have" if unknown else "rates an item twice"
        raise RatingsError(f"{path} {fault}; give the file as the sheet saved it")


_KEY = "key to a rating sheet; give the file that `gaia-train rating-sheet` wrote"

_RATINGS = "file of ratings; give a file that a rating sheet saved"


def _content(path: Path, what: str, *, follow_links: bool = True) -> bytes:
    """Return the content of a file; `what` is its kind and, after a semicolon, the remedy."""
    kind, _, remedy = what.partition("; ")
    try:
        return read_small(path, _MOST_BYTES, follow_links=follow_links)
    except FileTooLargeError as error:
        raise RatingsError(f"{path} is larger than {_MOST_BYTES // 1_000_000} MB, so it is no {what}") from error
    except NotRegularFileError as error:
        raise RatingsError(f"{error}; {remedy}") from error
    except OSError as error:
        raise RatingsError(f"{path} cannot be read: {error.strerror or error}; give a {kind}") from error


_File = TypeVar("_File", bound=BaseModel)


def _read(path: Path, model: type[_File], what: str, content: bytes) -> _File:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        kind, _, remedy = what.partition("; ")
        raise RatingsError(f"{path} is no {kind}: {first_problem(error)}; {remedy}") from error
