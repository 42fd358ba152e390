#!/usr/bin/env bash
# What does fsspec do with a folder below the first one that it fails to list?
#
# `walk`, and through it `find` and `glob`, take an argument `on_error`: "omit" (the default), "raise", or a function that is
# called with each error. fsspec/asyn.py and fsspec/spec.py hand it to the first folder; the question is about the others.
#
# Expected: with "raise", an error in any folder is raised.
# Seen on 2026-11-29 on Linux, fsspec 2026.9.0: AsyncFileSystem._walk does not pass `on_error` on to the folders below, so
# that a subfolder that cannot be listed is empty, and the listing a part that looks like everything.
#
# Ends with 0 while this is still so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fsspec==2026.9.0
"$folder/venv/bin/python" - <<'PYTHON'
from fsspec.asyn import AsyncFileSystem


class Shelf(AsyncFileSystem):
    """Two files; the folder of the second cannot be listed."""

    async def _ls(self, path, detail=True, **options):
        if path == "shelf":
            names = [("shelf/one.mp4", "file"), ("shelf/locked", "directory")]
            return [{"name": name, "type": kind, "size": 1} for name, kind in names]
        raise PermissionError(path)

    async def _info(self, path, **options):
        return {"name": path, "type": "directory", "size": 0}


found = Shelf(asynchronous=False, skip_instance_cache=True).find("shelf", on_error="raise")
print("found without an error:", found)
assert found == ["shelf/one.mp4"]
PYTHON
