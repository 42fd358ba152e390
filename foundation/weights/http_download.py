"""Resumable downloads over HTTP.

The bytes are kept in ``.download-KEY.part`` in the cache until the file is complete, with the server's mark of the
file's version (ETag, else Last-Modified) in ``.download-KEY.json``. A request for the rest is conditional on that mark
(``If-Range``): a server whose file has changed sends it from its beginning.
"""

import contextlib
import hashlib
import json
import os
import re
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

from foundation.address_text import address_without_secrets
from foundation.storage.atomic import write_json_atomic
from foundation.weights.asset import DownloadError

if TYPE_CHECKING:
    from requests import RequestException, Response

__all__ = ["Download", "DownloadWatcher"]

_CHUNK_BYTES = 1 << 16
"""Most bytes that a broken connection loses."""

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC

_CONNECT_S = 10.0

_SILENCE_S = 30.0
"""Longest time in which a server sends nothing, seconds."""

_WORTH_GOING_ON_BYTES = 1_000_000
"""A connection that broke is taken up again at once if it brought as much; else it counts as failed."""

_HUB = "https://huggingface.co/"


class DownloadWatcher(Protocol):
    """Receiver of the progress of a download."""

    def advance(self, name: str, done_bytes: int, total_bytes: int) -> None:
        """Show that `done_bytes` of `total_bytes` of the file called `name` are there."""


class Download:
    """Download of one file from a URL into a folder."""

    def __init__(self, url: str, folder: Path) -> None:
        """Find the bytes of an earlier attempt in `folder`.

        Args:
            url: of the file. For the Hugging Face hub, the server that ``HF_ENDPOINT`` names takes the hub's place.
            folder: the cache; no other process downloads into it meanwhile.
        """
        self.url = url
        endpoint = os.environ.get("HF_ENDPOINT")
        self._asked = f"{endpoint.rstrip('/')}/{url.removeprefix(_HUB)}" if endpoint and url.startswith(_HUB) else url
        key = hashlib.sha256(url.encode()).hexdigest()[:16]
        self.path = folder / f".download-{key}.part"
        """File of the bytes so far; complete once `fetch` has returned."""
        self._note = folder / f".download-{key}.json"

    def fetch(self, name: str, most_bytes: int, watcher: DownloadWatcher | None) -> None:
        """Download what is missing.

        Args:
            name: what to call the file in messages and in front of the watcher.
            most_bytes: largest size that the file can have; also for the watcher, where the server states none.
            watcher: receives the progress.

        Raises:
            DownloadError: the server cannot be reached, refuses, or times out, and the bytes so far are kept; or it
                has another file, which is larger, and nothing is kept.
            OSError: the disk refused.
        """
        from requests import RequestException

        while True:
            before = self._size()
            try:
                if self._receive(name, most_bytes, watcher):
                    return
                reason = "the connection was closed early"
            except RequestException as error:
                reason = _reason(error)
            if self._size() - before < _WORTH_GOING_ON_BYTES:
                kept = f"; {self._size() / 1e6:.1f} MB are kept, the next attempt goes on there" if self._size() else ""
                raise DownloadError(f"{reason}{kept}")

    def discard(self) -> None:
        """Remove the bytes so far and their record."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def _receive(self, name: str, most_bytes: int, watcher: DownloadWatcher | None) -> bool:
        """Write the bytes of one connection; return whether the file is complete."""
        have, mark, total = self._earlier()
        if have and have == total:
            return True
        import requests

        headers = {"Accept-Encoding": "identity"}  # a compressed answer has other positions
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": mark}
        with requests.get(self._asked, headers=headers, stream=True, timeout=(_CONNECT_S, _SILENCE_S)) as response:
            if response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                raise DownloadError(f"the server answers {response.status_code} {response.reason}")
            begin, total = _range_of(response)
            if begin != have:
                if begin:
                    raise DownloadError(f"the server sends bytes from {begin} on, but {have} was asked for")
                self.discard()
                have = 0
            if total is not None and total > most_bytes:
                self._refuse(f"the server states {total:,} bytes", most_bytes)
            self._remember(response, total)
            with os.fdopen(os.open(self.path, _APPEND, 0o600), "ab") as file:
                for chunk in response.iter_content(_CHUNK_BYTES):
                    have += len(chunk)
                    if have > most_bytes:
                        self._refuse(f"the server has sent {have:,} bytes and goes on", most_bytes)
                    file.write(chunk)
                    if watcher is not None:
                        watcher.advance(name, have, total or most_bytes)
        return total is None or have == total

    def _refuse(self, what: str, most_bytes: int) -> NoReturn:
        """End a download of another file than the registered one.

        Raises:
            DownloadError: always.
        """
        self.discard()
        raise DownloadError(f"{what}, and the registered file has {most_bytes:,}: it is another, and was deleted")

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _earlier(self) -> tuple[int, str, int | None]:
        """Return the number of bytes so far, their version and the total; 0 bytes if the download cannot be resumed."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            note = json.loads(self._note.read_text(encoding="utf-8"))
            if note["url"] == address_without_secrets(self._asked) and note["mark"]:
                return self._size(), str(note["mark"]), note["total_bytes"]
        self.discard()
        return 0, "", None

    def _remember(self, response: "Response", total: int | None) -> None:
        """Record the version of the file that the bytes belong to; a weak ETag does not identify bytes."""
        etag = response.headers.get("ETag", "")
        mark = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
        write_json_atomic(self._note, {"url": address_without_secrets(self._asked), "mark": mark, "total_bytes": total})


def _range_of(response: "Response") -> tuple[int, int | None]:
    """Return the first byte of a response and the size of the file; None where the server does not state them."""
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if found is None:
            raise DownloadError(
                f"the server sends a part without saying which: {response.headers.get('Content-Range')}"
            )
        return int(found[1]), int(found[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _reason(error: "RequestException") -> str:
    """Return the cause of an error, without the layers of libraries around it."""
    from requests import Timeout

    if isinstance(error, Timeout):
        return "the server does not answer in time"
    cause: BaseException = error
    while cause.__context__ is not None:
        cause = cause.__context__
    return f"{type(error).__name__}: {cause}"
