"""Comparison of weight files with their digests in the registry.

A large file is read once: its digest is remembered in the cache, in ``.checked``, together with its size and time of
change, so that workers start without reading hundreds of megabytes. `models verify` reads every byte.
"""

import hashlib
import json
import logging
import os
from functools import lru_cache
from pathlib import Path

from foundation.storage.atomic import write_bytes_atomic
from foundation.storage.digest import file_sha256
from foundation.weights.asset import Asset, AssetFile, WrongAssetError
from foundation.weights.folders import cache_folder

__all__ = ["check_file", "disagreement", "path_digest", "recorded_digest"]

_log = logging.getLogger(__name__)

_WORTH_REMEMBERING_BYTES = 4_000_000
"""Reading and hashing less than this takes no longer than looking it up."""


def check_file(path: Path, file: AssetFile, asset: Asset, *, anew: bool = False) -> str:
    """Return the digest of the file at `path` after comparing it with the registry's of `file` of `asset`.

    Where the registry knows only its first digits, the digest found at the first use is recorded, in ``NAME.sha256`` in
    the cache, and later uses are compared with it; a mirror may have its own ``NAME.sha256`` next to the file.

    Args:
        path: the file.
        file: its record.
        asset: what it belongs to.
        anew: read every byte, whatever earlier checks found.

    Raises:
        WrongAssetError: the digests differ; the message holds both.
    """
    digest = file_sha256(path) if anew else path_digest(path)
    problem = disagreement(digest, path, file)
    if problem:
        pull = f"delete it and run `gaia-curate models pull {asset.name}`, or " if asset.sources else ""
        raise WrongAssetError(f"{path}: {problem}; it is another or a damaged file: {pull}put the right one there")
    if not file.is_pinned and recorded_digest(path, file) is None:
        _record_first_use(path, file, digest)
    return digest


def disagreement(digest: str, path: Path, file: AssetFile) -> str:
    """Return how the digest of the file at `path` differs from what is known of `file`; empty where it does not."""
    if not digest.startswith(file.sha256):
        published = file.sha256 if file.is_pinned else f"one that begins with {file.sha256}"
        return f"sha256 is {digest} ({path.stat().st_size} bytes), but {file.name} has {published}"
    recorded = None if file.is_pinned else recorded_digest(path, file)
    if recorded is not None and recorded[0] != digest:
        return (
            f"sha256 is {digest}, but {file.name} had {recorded[0]} when it was first used (says {recorded[1]}; "
            "delete that as well, where you know that the new file is right)"
        )
    return ""


def recorded_digest(path: Path, file: AssetFile) -> tuple[str, Path] | None:
    """Return the recorded digest of a file that is not pinned, and its record; None before its first use."""
    for record in (path.with_name(f"{file.name}.sha256"), cache_folder() / f"{file.name}.sha256"):
        try:
            words = record.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError):
            continue
        if words:
            return words[0], record
    return None


def path_digest(path: Path) -> str:
    """Return the sha256 of a file; of a folder, that of the lines which ``sha256sum *`` prints for its files.

    Raises:
        OSError: it cannot be read.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file())
        lines = "".join(f"{path_digest(file)}  {file.name}\n" for file in files)
        return hashlib.sha256(lines.encode()).hexdigest()
    status = path.stat()
    return _remembered_digest(path.absolute(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _remembered_digest(path: Path, size_bytes: int, mtime_ns: int) -> str:
    if size_bytes < _WORTH_REMEMBERING_BYTES:
        return file_sha256(path)
    key = hashlib.sha256(os.fsencode(path)).hexdigest()
    note = cache_folder() / ".checked" / f"{key}.json"
    file_state = {"path": str(path), "size_bytes": size_bytes, "mtime_ns": mtime_ns}
    try:
        # a note of another user is not believed: it would say that any file is the right one
        remembered = json.loads(note.read_text(encoding="utf-8")) if note.stat().st_uid == os.geteuid() else {}
    except (OSError, ValueError):
        remembered = {}
    if isinstance(remembered, dict) and remembered == {**file_state, "sha256": remembered.get("sha256")}:
        return str(remembered["sha256"])
    digest = file_sha256(path)
    _write_beside(note, json.dumps({**file_state, "sha256": digest}, allow_nan=False))
    return digest


def _record_first_use(path: Path, file: AssetFile, digest: str) -> None:
    record = cache_folder() / f"{file.name}.sha256"
    _log.warning("%s: only the first digits of its sha256 are published; taken on trust: %s", path, digest)
    if not _write_beside(record, f"{digest}  {file.name}\n"):
        _log.warning("%s cannot be written, so the next run will take the file on trust again", record)


def _write_beside(path: Path, text: str) -> bool:
    """Write a small file atomically; return False if the cache cannot be written, which stops no run."""
    try:
        write_bytes_atomic(path, text.encode())
    except OSError:
        return False
    return True
