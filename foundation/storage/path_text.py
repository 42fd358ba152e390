"""Paths as text: any file name, valid UTF-8 or not, as a string that Parquet can store; no address with its secrets."""

import os
import urllib.parse
from pathlib import Path, PurePath, PurePosixPath

from foundation.address_text import address_without_secrets
from foundation.storage.locations import is_remote, remote_path

__all__ = ["has_secrets", "path_of_text", "plain_path", "text_of_path"]


def text_of_path(path: Path) -> str:
    r"""Return a path as valid Unicode, which `path_of_text` turns back into the same path.

    File names are bytes. A byte that is not valid UTF-8 becomes `%` and two hex digits, and a `%` becomes `%25`; all
    other text stays as it is. Of an address, passwords, tokens and signatures are left out: it names the same file, and
    may not open it any more.

    >>> text_of_path(Path("a b/100%.mp4"))
    'a b/100%25.mp4'
    >>> text_of_path(Path("caf\udce9.mp4"))
    'caf%E9.mp4'
    """
    text = address_without_secrets(str(path)) if is_remote(path) else str(path)
    escaped = text.replace("%", "%25")
    return "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in escaped)


def has_secrets(path: Path) -> bool:
    """Return whether an address carries a password, a token or a signature, so that its text opens it no more.

    >>> has_secrets(Path("raw/talk.mp4"))
    False
    """
    return is_remote(path) and address_without_secrets(str(path)) != str(path)


def path_of_text(text: str) -> Path:
    r"""Return the path that `text_of_path` wrote as `text`.

    >>> path_of_text("caf%E9.mp4") == Path("caf\udce9.mp4")
    True
    >>> text_of_path(path_of_text("s3://bucket/100%25.mp4"))
    's3://bucket/100%25.mp4'
    """
    return remote_path(os.fsdecode(urllib.parse.unquote_to_bytes(text)))


def plain_path(path: Path) -> PurePath:
    """Return a path for its names alone: of an address on the web without its query, in which slashes may stand.

    >>> plain_path(Path("raw/talk.mp4")).name
    'talk.mp4'
    """
    if not is_remote(path):
        return path
    address = str(path)
    if address.startswith(("http://", "https://")):
        address = address.partition("?")[0].partition("#")[0]
    return PurePosixPath(address)
