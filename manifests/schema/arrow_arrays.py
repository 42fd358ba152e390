"""Conversion between NumPy arrays and Arrow's nested lists, without a Python loop over elements.

Lengths that a definition fixes (2, 3, 4, 9, 52) are part of the schema; K and D, which depend on the models, are not.
A fixed K has no advantage: random-walk landmarks [250,478,2] have the same size in Parquet and are not read faster.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from foundation.array_types import BoolArray, Int64Array
from foundation.text import count_text

__all__ = ["array_column", "block_column", "numpy_of", "rows_column"]

Numbers = npt.NDArray[np.generic]


def array_column(arrays: Sequence[Numbers | None], data_type: pa.DataType) -> pa.Array:
    """Return one Arrow value per array.

    Args:
        arrays: for `data_type` of d nested lists, arrays of d dimensions, whose sizes may differ; None is null.
            An array of shape (T, ...) is a sequence of T arrays, so a block of rows can be given as it is.
        data_type: lists in lists of numbers, such as a column's `type`.

    Raises:
        ValueError: an array has another number of dimensions, or a size that the type does not allow.
    """
    dims, leaf = _levels(data_type)
    missing = np.array([array is None for array in arrays], dtype=np.bool_)
    filler = np.zeros([max(size, 0) for size in dims], dtype=_numpy_type(leaf))
    rows = [filler if array is None else np.asarray(array) for array in arrays]
    for number, row in enumerate(rows):
        if row.ndim != len(dims) or any(size not in (-1, got) for size, got in zip(dims, row.shape, strict=True)):
            raise ValueError(f"row {number} has the shape {row.shape}, which does not fit {data_type}")
    flat = np.concatenate([row.reshape(-1) for row in rows]) if rows else filler.reshape(-1)[:0]
    shapes = np.array([row.shape for row in rows], dtype=np.int64).reshape(len(rows), len(dims))
    values = pa.array(flat.astype(_numpy_type(leaf), copy=False), leaf)
    for level in reversed(range(len(dims))):
        mask = pa.array(missing) if level == 0 and missing.any() else None
        if dims[level] >= 0:
            values = pa.FixedSizeListArray.from_arrays(values, dims[level], mask=mask)
        else:
            lengths = np.repeat(shapes[:, level], np.prod(shapes[:, :level], axis=1))
            values = pa.ListArray.from_arrays(_offsets(lengths), values, mask=mask)
    return values.cast(data_type)


def block_column(block: Numbers, known: BoolArray, data_type: pa.DataType) -> pa.Array:
    """Return one Arrow value per row of a block, like `array_column`, without a Python object per row.

    Args:
        block: (T, ...) arrays of one shape.
        known: (T,) False makes the row null, whatever `block` contains there.
        data_type: as for `array_column`.

    Raises:
        ValueError: the rows have another number of dimensions, or a size that the type does not allow.
    """
    dims, leaf = _levels(data_type)
    shape = block.shape[1:]
    if len(shape) != len(dims) or any(size not in (-1, got) for size, got in zip(dims, shape, strict=True)):
        raise ValueError(f"the rows have the shape {shape}, which does not fit {data_type}")
    # a null list of variable length is empty, one of fixed length takes its full space
    filled = known if dims[0] < 0 else np.ones_like(known)
    kept = block[known] if dims[0] < 0 else block
    values = pa.array(kept.reshape(-1).astype(_numpy_type(leaf), copy=False), leaf)
    for level in reversed(range(len(dims))):
        mask = pa.array(~known) if level == 0 and not known.all() else None
        if dims[level] >= 0:
            values = pa.FixedSizeListArray.from_arrays(values, dims[level], mask=mask)
        else:
            n_lists = len(kept) * int(np.prod(shape[:level]))
            lengths = filled * shape[0] if level == 0 else np.full(n_lists, shape[level])
            values = pa.ListArray.from_arrays(_offsets(lengths), values, mask=mask)
    return values.cast(data_type)


def numpy_of(column: pa.Array | pa.ChunkedArray) -> list[Numbers | None]:
    """Return the arrays of a column of nested lists; null becomes None.

    Raises:
        ValueError: a value is not rectangular: its inner lists differ in length.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # an empty column combines to no chunk
        array = pa.array([], column.type)
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    present = array.filter(pa.array(valid))
    dims, leaf = _levels(array.type)
    bounds = np.arange(len(present) + 1, dtype=np.int64)
    shapes = np.zeros((len(present), len(dims)), dtype=np.int64)
    for level, size in enumerate(dims):
        if size >= 0:  # the type fixes the length
            shapes[:, level], bounds = size, bounds * size
        else:
            lengths = np.asarray(present.value_lengths(), dtype=np.int64)
            shapes[:, level] = _common_length(lengths, bounds)
            bounds = np.concatenate([[0], np.cumsum(lengths)])[bounds]
        present = present.flatten()
    flat = np.asarray(present.to_numpy(zero_copy_only=False), dtype=_numpy_type(leaf))
    boxes = iter([flat[bounds[i] : bounds[i + 1]].reshape(shapes[i]) for i in range(len(shapes))])
    return [next(boxes) if known else None for known in valid]


def rows_column(table: pa.Table, counts: Int64Array) -> pa.Array:
    """Return lists of structs: the first `counts[0]` rows of `table`, then the next `counts[1]`, and so on.

    `frames.other_faces` is written this way: `table` has one row per face, `counts` the (T,) faces per tick.
    """
    if counts.sum() != len(table):
        raise ValueError(f"the counts add up to {counts.sum()}, the table has {count_text(len(table), 'row')}")
    columns = [table.column(name).combine_chunks() for name in table.column_names]
    structs = pa.StructArray.from_arrays(
        [c if isinstance(c, pa.Array) else pa.array([], c.type) for c in columns], names=table.column_names
    )
    return pa.ListArray.from_arrays(_offsets(counts), structs)


def _levels(data_type: pa.DataType) -> tuple[list[int], pa.DataType]:
    """Return the size of every level of nested lists, -1 if it varies, and the type of the numbers."""
    dims = []
    while pa.types.is_list(data_type) or pa.types.is_fixed_size_list(data_type):
        dims.append(data_type.list_size if pa.types.is_fixed_size_list(data_type) else -1)
        data_type = data_type.value_type
    return dims, data_type


def _numpy_type(leaf: pa.DataType) -> np.dtype[np.generic]:
    """Return NumPy's type of the numbers; PyArrow's `to_pandas_dtype` asks for pandas before 26.0."""
    numbers: Numbers = pa.array([], leaf).to_numpy(zero_copy_only=False)
    return numbers.dtype


def _offsets(lengths: Int64Array) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())


def _common_length(lengths: Int64Array, bounds: Int64Array) -> Int64Array:
    """Return per row the common length of its lists ``bounds[i]:bounds[i + 1]``; 0 if it has none."""
    common = np.zeros(len(bounds) - 1, dtype=np.int64)
    some = bounds[1:] > bounds[:-1]
    common[some] = lengths[bounds[:-1][some]]
    if np.any(np.repeat(common, np.diff(bounds)) != lengths):
        raise ValueError("the lists inside one value differ in length, so it is no array")
    return common
