"""The figures that the paper prints, as data: they stand beside what is measured, and take part in no comparison."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from pydantic import TypeAdapter

from training.comparison.table_columns import TableName

__all__ = ["PublishedRow", "PublishedTable", "published_order", "published_table"]


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One row of a table of the paper."""

    system: str
    table: int
    """Number of the paper's table."""
    figures: tuple[float | None, ...]
    """In the order of the table's columns; None where the paper has none."""


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """Rows of the paper for one of our tables."""

    columns: tuple[str, ...]
    """Keys of columns, in the paper's order."""
    rows: tuple[PublishedRow, ...]

    @property
    def origin(self) -> str:
        """Numbers of the paper's tables, for people.

        >>> published_table("speech").origin
        'Tables 3 and 8'
        """
        return f"Tables {' and '.join(str(number) for number in sorted({row.table for row in self.rows}))}"


@cache
def _tables() -> Mapping[TableName, PublishedTable]:
    import yaml

    text = (resources.files("training.comparison") / "published_tables.yaml").read_text(encoding="utf-8")
    return TypeAdapter(dict[TableName, PublishedTable]).validate_python(yaml.safe_load(text))


def published_table(table: TableName) -> PublishedTable:
    """Return what the paper prints for a table."""
    return _tables()[table]


def published_order(table: TableName, systems: tuple[str, ...]) -> tuple[str, ...]:
    """Return systems in the paper's order of rows; those that it does not have follow in the order given.

    >>> published_order("reconstruction", ("ours", "face-vid2vid", "fomm"))
    ('fomm', 'face-vid2vid', 'ours')
    """
    names = [row.system.casefold() for row in published_table(table).rows]
    return tuple(
        sorted(systems, key=lambda name: names.index(low) if (low := name.casefold()) in names else len(names))
    )
