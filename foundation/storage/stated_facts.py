"""Facts that a store or the system states about a file: its length, and what identifies its content."""

import re
import stat
from pathlib import Path

from foundation.storage.locations import is_remote, remote_of, store_errors

__all__ = ["content_md5", "content_version", "remote_size", "same_size_and_time"]

_VERSION_FIELDS = ("ETag", "etag", "md5Hash", "generation", "Content-MD5", "mtime", "LastModified", "Last-Modified")
"""Fields in which file systems identify the content of a file, the most specific first."""


def remote_size(path: Path) -> int | None:
    """Return the length of a remote file in bytes; None where its server does not say.

    Raises:
        OSError: there is no such file.
    """
    remote = remote_of(path)
    with store_errors(path):
        size = remote.fs.info(remote.path).get("size")
    return None if size is None else int(size)


def content_md5(path: Path) -> str | None:
    """Return the MD5 of a remote file's whole content, hexadecimal or base 64, where its store states it.

    Google's store states it as such. The ETag of S3 is one for an object that was uploaded in one request, unless it is
    encrypted with a key of the user's own; two objects with one such ETag are equal in either case. The ETags of web
    servers are made of size and time, and are nothing of the content.

    Raises:
        OSError: there is no such file.
    """
    remote = remote_of(path)
    with store_errors(path):
        facts = remote.fs.info(remote.path)
    if facts.get("md5Hash"):
        return str(facts["md5Hash"])
    tag = str(facts.get("ETag") or "").strip('"')
    return tag if remote.protocol in ("s3", "s3a") and re.fullmatch("[0-9a-f]{32}", tag) else None


def content_version(path: Path) -> str | None:
    """Return what identifies a file's present content, without reading it.

    Of a remote file it is an ETag, or a time of modification; None for a store that gives neither. Of a local file it
    is size, time of modification, time of change and number, as the system has them; None for what is no regular file.

    Raises:
        OSError: there is no such file.
    """
    if not is_remote(path):
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            return None
        # No user can set the time of change, not even with the time of modification of the file before.
        return f"{facts.st_size} bytes of {facts.st_mtime_ns}, {facts.st_ctime_ns} {facts.st_ino}"
    remote = remote_of(path)
    with store_errors(path):
        stated = remote.fs.info(remote.path)
    return next((f"{name} {stated[name]}" for name in _VERSION_FIELDS if stated.get(name)), None)


def same_size_and_time(version: str, other: str) -> bool:
    """Return whether two versions of a local file agree in size and time of modification.

    Number and time of change alone differ on another node of a cluster, and after a change of rights or links.
    """
    return version.partition(",")[0] == other.partition(",")[0]
