"""Tables that are small as files and large in memory: cells of gigabytes, well packed."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.hostile.fields import Field
from benchmarks.hostile.material import Place
from benchmarks.hostile.values import Value
from manifests.schema.tables import TABLES

__all__ = ["large_cells_of"]

Bomb = Callable[[pa.DataType, int], pa.Array]
"""Make a column of a type and a number of rows."""


def large_cells_of(place: Place) -> Iterator[Field]:
    """Yield the columns of the tables with a cell of gigabytes in them, well packed."""
    for table in TABLES.values():
        files = sorted((place.sound / "dataset" / table.name).glob("*.parquet"), reverse=True)
        for column in table.columns:
            if pa.types.is_string(column.type):
                ways: dict[str, Bomb] = {"text of gigabytes": _text_bomb}
            elif pa.types.is_list(column.type) and not pa.types.is_struct(column.type.value_type):
                ways = {"list of gigabytes": _list_bomb}
            else:
                continue

            def put(
                place: Place,
                value: Value,
                name: str = column.name,
                file: str = f"{table.name}/{files[0].name}",
                ways: dict[str, Bomb] = ways,
            ) -> None:
                path = place.dataset / file
                content = pq.read_table(path)
                number = content.schema.get_field_index(name)
                bomb = ways[value.kind](content.schema.field(number).type, len(content))
                changed = content.set_column(number, pa.field(name, bomb.type), bomb)
                with path.open("wb") as stream:
                    pq.write_table(changed, stream, compression="zstd", store_schema=False)

            yield Field(
                "dataset",
                f"{table.name}/{files[0].name}",
                column.name,
                tuple(Value(way, None) for way in ways),
                put,
                whole=True,
            )


def _text_bomb(_data_type: pa.DataType, n: int) -> pa.Array:
    words = pa.array(["x" * (2**31 // max(n, 2) if n > 1 else 2**30)])
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), words)


def _list_bomb(data_type: pa.DataType, n: int) -> pa.Array:
    per_row, inner = 1, data_type.value_type
    while hasattr(inner, "value_type"):
        per_row *= inner.list_size if pa.types.is_fixed_size_list(inner) else 1
        inner = inner.value_type
    length = 500_000_000 // per_row // (2 if inner == pa.float32() else 1)
    if pa.types.is_string(inner):
        values = pa.DictionaryArray.from_arrays(pa.array(np.zeros(length // 8, np.int32)), pa.array(["x" * 64]))
        length //= 8
    else:
        values = pa.array(np.zeros(length * per_row, inner.to_pandas_dtype()), inner)
    levels, step = [], data_type.value_type
    while hasattr(step, "value_type"):
        levels.append(step)
        step = step.value_type
    for level in reversed(levels):
        if pa.types.is_fixed_size_list(level):
            values = pa.FixedSizeListArray.from_arrays(values, level.list_size)
        else:
            values = pa.ListArray.from_arrays(pa.array(np.arange(len(values) + 1, dtype=np.int32)), values)
    offsets = np.full(n + 1, len(values), np.int32)
    offsets[0] = 0
    return pa.ListArray.from_arrays(pa.array(offsets), values)
