#!/usr/bin/env bash
# What do readers of Parquet make of nested columns of landmarks, half floats, nulls and byte stream split?
#
# Expected of a reader: it returns the values that were written, or says that it cannot.
# Seen on 2026-11-29, Python 3.11 on Linux: PyArrow 25.0.1, DuckDB 2.0.1, pandas 3.1.1, Polars 2.1.0, Datasets 5.2.0,
# Daft 0.7.26 and Lance 14.0.2 return all values and nulls; DuckDB widens half floats to FLOAT. fastparquet 2026.9.0
# returns None for every nested column, without an error or a warning, and raises NotImplementedError for byte stream split.
#
# Ends with 0 while this is still so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==25.0.1 duckdb==2.0.1 pandas==3.1.1 \
    polars==2.1.0 datasets==5.2.0 daft==0.7.26 pylance==14.0.2 fastparquet==2026.9.0 numpy==2.4.6
cd "$folder"
HF_HOME="$folder/hf" "$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

POINTS = np.arange(2 * 3 * 4 * 2, dtype=np.float32).reshape(2, 3, 4, 2) / 8  # rows, frames, points, x and y
SHAPES = np.arange(2 * 3 * 5, dtype=np.float16).reshape(2, 3, 5) / 8
TABLE = pa.table(
    {
        "points": pa.array([[list(map(list, frame)) for frame in row] for row in POINTS.tolist()],
                           pa.list_(pa.list_(pa.list_(pa.float32(), 2)))),
        "shapes": pa.array(list(SHAPES.tolist()), pa.list_(pa.list_(pa.float16(), 5))),
        "speaker": pa.array([None, "anna"]),
        "value": pa.array([1.5, None], pa.float32()),
    }
)
pq.write_table(TABLE, "plain.parquet")
pq.write_table(TABLE, "split.parquet", use_dictionary=False, use_byte_stream_split=["points.list.element.list.element.list.element", "value"])


def with_pyarrow(path):
    return pq.read_table(path).to_pydict()


def with_duckdb(path):
    import duckdb

    rows = duckdb.connect().execute(f"SELECT points, shapes, speaker, typeof(shapes) FROM '{path}'").fetchall()
    assert rows[0][3] == "FLOAT[][]", rows[0][3]
    return {"points": [r[0] for r in rows], "shapes": [r[1] for r in rows], "speaker": [r[2] for r in rows]}


def with_pandas(path):
    import pandas

    frame = pandas.read_parquet(path)
    nested = {name: [[np.stack(list(one)).tolist() if name == "points" else one.tolist() for one in row] for row in frame[name]]
              for name in ("points", "shapes")}
    return nested | {"speaker": [None if pandas.isna(name) else name for name in frame["speaker"]]}


def with_polars(path):
    import polars

    return polars.read_parquet(path).to_dict(as_series=False)


def with_datasets(path):
    import datasets

    return datasets.load_dataset("parquet", data_files=path, split="train")[:]


def with_daft(path):
    import daft

    return daft.read_parquet(path).to_pydict()


def with_lance(path):
    import lance

    return lance.write_dataset(pq.read_table(path), path + ".lance").to_table().to_pydict()


for path in ("plain.parquet", "split.parquet"):
    for read in (with_pyarrow, with_duckdb, with_pandas, with_polars, with_datasets, with_daft, with_lance):
        found = read(path)
        assert np.array_equal(np.array(found["points"], np.float32), POINTS), (read, path)
        assert np.array_equal(np.array(found["shapes"], np.float16), SHAPES), (read, path)
        assert list(found["speaker"]) == [None, "anna"], (read, path)
        print(f"{read.__name__[5:]:10} {path}: as written")

import fastparquet

found = fastparquet.ParquetFile("plain.parquet").to_pandas()
nested = {name: [found[name].iloc[row] for row in range(2)] for name in found.columns if name not in ("speaker", "value")}
print("fastparquet plain.parquet:", nested)
assert all(value is None for column in nested.values() for value in column), "fastparquet reads nested columns now"
try:
    fastparquet.ParquetFile("split.parquet").to_pandas()
except NotImplementedError as error:
    print("fastparquet split.parquet: NotImplementedError:", error)
else:
    raise SystemExit("fastparquet reads byte stream split now")
PYTHON
