"""Declaration of columns and tables. The tables themselves are in `manifests.schema.tables`."""

from dataclasses import dataclass

import pyarrow as pa

__all__ = ["SCHEMA_VERSION", "Column", "Table"]

SCHEMA_VERSION = 3
"""Version of the schema, increased by changes that older readers would misread; stored in every file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """Column of a table."""

    name: str
    type: pa.DataType
    unit: str
    """Unit of the values; empty if there is none."""
    shape: str
    """Shape of one row's value in letters (N ticks of a clip, K landmarks, D numbers); empty for a scalar."""
    meaning: str
    nullable: bool
    later: bool = False
    """Whether the column came after the first files of this version of the schema: a file may lack it, and it is null
    in such files."""

    @property
    def field(self) -> pa.Field:
        """Arrow field of the column."""
        return pa.field(self.name, self.type, nullable=self.nullable)


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Table of a dataset: the Parquet files in the folder of its name."""

    name: str
    columns: tuple[Column, ...]
    meaning: str
    row_group_rows: int
    """Rows per Parquet row group: fixed, so that equal rows give equal bytes, and small for large rows, because random
    access reads at least one row group."""
    later: bool = False
    """Came after the first datasets of this schema version: without its files, it has no rows."""

    def arrow_schema(self) -> pa.Schema:
        """Return the schema of the table's files: the columns in order, the version in the metadata."""
        metadata = {"gaia_table": self.name, "gaia_schema_version": str(SCHEMA_VERSION)}
        return pa.schema([column.field for column in self.columns], metadata=metadata)

    def scalars(self) -> list[str]:
        """Return the names of the columns that hold one value a row, and no array."""
        return [column.name for column in self.columns if not column.shape]

    def column(self, name: str) -> Column:
        """Return a column by its name.

        Raises:
            KeyError: the table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name!r}; it has {', '.join(c.name for c in self.columns)}")


TEXT = pa.string()

F32 = pa.float32()

F64 = pa.float64()

I32 = pa.int32()

I64 = pa.int64()

TRIMS = pa.list_(pa.struct([("start", F64), ("end", F64), ("unit", TEXT)]))

WORDS = pa.list_(pa.struct([("word", TEXT), ("start_s", F64), ("end_s", F64), ("confidence", F32)]))

PATH = "path of the file at the time of the run, as foundation.storage.path_text.text_of_path writes it"


def required(name: str, data_type: pa.DataType, unit: str, meaning: str, shape: str = "") -> Column:
    return Column(name=name, type=data_type, unit=unit, shape=shape, meaning=meaning, nullable=False)


def optional(
    name: str, data_type: pa.DataType, unit: str, meaning: str, shape: str = "", *, later: bool = False
) -> Column:
    return Column(name=name, type=data_type, unit=unit, shape=shape, meaning=meaning, nullable=True, later=later)
