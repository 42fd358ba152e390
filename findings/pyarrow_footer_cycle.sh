#!/usr/bin/env bash
# PyArrow 24.0 to 26.0: the footer of a Parquet file whose `schema` was looked at is not freed with the file.
#
# Seen on 2026-11-30 with pyarrow 24.0.0, 25.0.1, 26.0.0 and NumPy 2.4.6 on Python 3.11, Linux x86-64.
# Expected: a ParquetFile that is closed, and to which nobody refers any more, takes no memory.
# Seen: FileMetaData.schema, and so ParquetFile.schema, remembers an object that refers back to its footer: a cycle. It
#   is freed when Python next looks for cycles, which it does by the number of Python objects, and a footer is one. A
#   table of clips with a row group a video, 700 row groups of 100 columns, has a footer of 38 MB in memory: a loop that
#   reads a row from each of 150 such files held 6 GB. ParquetSchema(metadata) gives the same without the cycle.
# Exit code: 0 if this is still what happens, 1 if it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3.11}

cat > "$folder/look.py" <<'PYTHON'
import gc
import sys

import pyarrow as pa
import pyarrow.parquet as pq

path = sys.argv[1]
pq.write_table(pa.table({"a": range(10)}), path, row_group_size=1)
gc.collect()
gc.disable()
for name, look in (
    ("no schema", lambda file: file.metadata.row_group(0)),
    ("schema", lambda file: file.schema),
    ("ParquetSchema", lambda file: pq.ParquetSchema(file.metadata)),
):
    for _ in range(5):
        with pq.ParquetFile(path) as file:
            look(file)
    del file
    kept = sum(isinstance(one, pq.FileMetaData) for one in gc.get_objects())
    gc.collect()
    left = sum(isinstance(one, pq.FileMetaData) for one in gc.get_objects())
    print(f"{pa.__version__}, {name}: {kept} footers kept, {left} after the search for cycles")
PYTHON

for version in 24.0.0 25.0.1 26.0.0; do
  "$python" -m pip install --quiet --disable-pip-version-check --target "$folder/$version" \
    "pyarrow==$version" numpy==2.4.6 2> /dev/null
  PYTHONPATH="$folder/$version" "$python" -S "$folder/look.py" "$folder/table.parquet"
done | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
24.0.0, no schema: 0 footers kept, 0 after the search for cycles
24.0.0, schema: 5 footers kept, 0 after the search for cycles
24.0.0, ParquetSchema: 0 footers kept, 0 after the search for cycles
25.0.1, no schema: 0 footers kept, 0 after the search for cycles
25.0.1, schema: 5 footers kept, 0 after the search for cycles
25.0.1, ParquetSchema: 0 footers kept, 0 after the search for cycles
26.0.0, no schema: 0 footers kept, 0 after the search for cycles
26.0.0, schema: 5 footers kept, 0 after the search for cycles
26.0.0, ParquetSchema: 0 footers kept, 0 after the search for cycles
SEEN
