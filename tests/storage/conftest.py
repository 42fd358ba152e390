"""An S3 server on this machine that tells what was asked of it, and small made videos."""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from manifests.storage import location

_ACCESS = {
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass
class StoreServer:
    """What was asked of the server, and how much it sent."""

    url: str
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each."""
    sent_bytes: int = 0
    before: Callable[[str, str], None] | None = None
    """Called with method and path before a request is answered."""

    def place(self, bucket: str) -> Path:
        """Make a bucket and return its address."""
        place = location(f"s3://{bucket}")
        place.fs.mkdir(bucket)  # type: ignore[attr-defined]
        return place

    def forget(self) -> None:
        self.requests.clear()
        self.sent_bytes = 0


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    application = DomainDispatcherApplication(create_backend_app)
    told = StoreServer(url="")

    def counting(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        told.requests.append((method, path))
        if told.before is not None:
            told.before(method, path)
        for piece in application(environ, start_response):
            told.sent_bytes += len(piece) if method != "HEAD" else 0
            yield piece

    server = make_server("127.0.0.1", 0, counting, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    before = {name: os.environ.get(name) for name in (*_ACCESS, "AWS_ENDPOINT_URL")}
    os.environ.update(_ACCESS, AWS_ENDPOINT_URL=told.url)
    yield told
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    server.shutdown()


_numbers = iter(range(1_000_000))


@pytest.fixture
def bucket(s3: StoreServer) -> Iterator[Path]:
    """Address of a new, empty bucket."""
    yield s3.place(f"bucket-{next(_numbers)}")
    s3.before = None
