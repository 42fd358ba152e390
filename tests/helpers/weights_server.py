"""A web server and an empty cache."""

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from foundation.weights import cache_folder
from helpers.web_server import FileServer, handler_of


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A web server on this machine."""
    files = FileServer(url="")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(files)) as http_server:
        files.url = f"http://127.0.0.1:{http_server.server_port}"
        thread = threading.Thread(target=http_server.serve_forever, args=(0.02,))
        thread.start()
        yield files
        http_server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache, which does not exist yet; no mirror, no proxy."""
    monkeypatch.setenv("GAIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GAIA_MODELS", raising=False)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return cache_folder()
