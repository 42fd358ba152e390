#!/usr/bin/env bash
# PyArrow 24.0 and 25.0: a type of numbers does not name NumPy's type without pandas; 26.0 does.
#
# Seen on 2026-11-29 with pyarrow 24.0.0, 25.0.0, 25.0.1, 26.0.0 and NumPy 2.4.6 on Python 3.11, Linux x86-64.
# Expected: pyarrow.float32().to_pandas_dtype() returns numpy.float32, as the documentation says, and pandas, which is no
#   dependency of pyarrow, is not asked for.
# Seen: up to 25.0.1 ModuleNotFoundError: No module named 'pandas'; 26.0.0 returns numpy.float32.
# Beside it, 24.0.0 alone: ListArray.from_arrays makes a list null by its mask and leaves its values in place, as the
#   format allows, and the writer of Parquet refuses it, "Lists with non-zero length null components are not supported".
# Exit code: 0 if this is still what happens, 1 if it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3.11}

cat > "$folder/look.py" <<'PYTHON'
import io

import pyarrow as pa
import pyarrow.parquet as pq

try:
    named = pa.float32().to_pandas_dtype().__name__
except ModuleNotFoundError as error:
    named = str(error)
ends, values = pa.array([0, 1, 3, 4]), pa.array([1.0, 2.0, 3.0, 4.0])
lists = pa.ListArray.from_arrays(ends, values, mask=pa.array([False, True, False]))
try:
    pq.write_table(pa.table({"lists": lists}), io.BytesIO())
    written = "written"
except pa.ArrowNotImplementedError as error:
    written = str(error)
print(f"{pa.__version__}: {named}; {written}")
PYTHON

for version in 24.0.0 25.0.1 26.0.0; do
  "$python" -m pip install --quiet --disable-pip-version-check --target "$folder/$version" \
    "pyarrow==$version" numpy==2.4.6 2> /dev/null
  PYTHONPATH="$folder/$version" "$python" -S "$folder/look.py"
done | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
24.0.0: No module named 'pandas'; Lists with non-zero length null components are not supported
25.0.1: No module named 'pandas'; written
26.0.0: float32; written
SEEN
