"""A web server of a few files whose connections break on demand, and made-up models on it."""

import hashlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from foundation.weights import Asset, AssetFile, UrlSource, ZipSource


@dataclass
class Served:
    """A file of the server."""

    content: bytes
    etag: str = '"1"'
    cut_after: int | None = None
    """Number of bytes after which the next connection breaks."""
    status: int | None = None
    """Respond with this code alone."""
    knows_ranges: bool = True


@dataclass
class FileServer:
    """The files of the server, and the requests to it."""

    url: str
    files: dict[str, Served] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range of each request."""

    def serve(self, name: str, content: bytes) -> str:
        """Offer a file and return its URL."""
        self.files[f"/{name}"] = Served(content)
        return f"{self.url}/{name}"

    def asset(self, *contents: bytes, sources: tuple[UrlSource | ZipSource, ...], digest: str | None = None) -> Asset:
        """Return the record of a model called `fake`: a file `w.bin`, or of several contents a folder of `0`, `1`..."""
        is_folder = len(contents) > 1
        files = tuple(
            AssetFile(
                name=str(place) if is_folder else "w.bin",
                sha256=hashlib.sha256(content).hexdigest() if digest is None else digest,
                size_bytes=len(content),
            )
            for place, content in enumerate(contents)
        )
        return Asset(
            name="group/fake" if is_folder else "fake",
            what="a made-up model",
            kind="onnx",
            files=files,
            licence="MIT",
            licence_url="https://example.org/licence",
            commercial_use=True,
            sources=sources,
            is_folder=is_folder,
        )


def handler_of(server: FileServer) -> type[BaseHTTPRequestHandler]:
    """Return a handler of requests for the files of `server`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested = self.headers.get("Range")
            server.asked.append((self.path, requested))
            served = server.files.get(self.path)
            if served is None or served.status is not None:
                self.send_error(404 if served is None or served.status is None else served.status)
                return
            begin = 0
            if requested and served.knows_ranges and self.headers.get("If-Range", served.etag) == served.etag:
                begin = int(requested.removeprefix("bytes=").removesuffix("-"))
            body = served.content[begin:]
            self.send_response(206 if begin else 200)
            if begin:
                end, size = len(served.content) - 1, len(served.content)
                self.send_header("Content-Range", f"bytes {begin}-{end}/{size}")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", served.etag)
            self.end_headers()
            cut, served.cut_after = served.cut_after, None
            self.wfile.write(body if cut is None else body[:cut])

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return Handler
