"""An S3 server on this machine that tells what was asked of it, and small made videos."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from helpers.store_server import StoreServer

from foundation.storage.atomic import write_bytes_atomic

_ACCESS = {
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="session")
def s3() -> Iterator[StoreServer]:
    from moto.moto_server.werkzeug_app import create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class KeptOpen(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"  # as a store answers: one connection for many requests

        def log_request(self, *_: object) -> None:
            pass

    application = create_backend_app("s3")
    told = StoreServer(url="")

    def counting(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        told.requests.append((method, path))
        if told.before is not None:
            told.before(method, path)
        if told.before_signed is not None:
            told.before_signed(_access_key(environ), method, path)
        for piece in application(environ, start_response):
            told.sent_bytes += len(piece) if method != "HEAD" else 0
            yield piece

    server = make_server("127.0.0.1", 0, counting, threaded=True, request_handler=KeptOpen)
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


def _access_key(environ: WSGIEnvironment) -> str:
    """Return the key in `AWS4-HMAC-SHA256 Credential=KEY/20261123/us-east-1/s3/...`; empty without one."""
    return environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition("/")[0]


_numbers = iter(range(1_000_000))


@pytest.fixture
def bucket(s3: StoreServer) -> Iterator[Path]:
    """Address of a new, empty bucket."""
    yield s3.place(f"bucket-{next(_numbers)}")
    s3.before = s3.before_signed = None


@pytest.fixture(scope="session")
def copied(s3: StoreServer, curated_sample: Path) -> Path:
    """The curated sample, copied as it is onto the server; read it, never write to it."""
    place = s3.place("copied") / "talks"
    for path in curated_sample.rglob("*"):
        if path.is_file():
            write_bytes_atomic(place / path.relative_to(curated_sample).as_posix(), path.read_bytes())
    return place
