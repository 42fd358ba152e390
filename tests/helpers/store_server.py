"""Requests and traffic of a test's S3 server."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from foundation.storage.locations import location, remote_of


@dataclass
class StoreServer:
    """Requests to the server, and the bytes that it sent."""

    url: str
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each."""
    sent_bytes: int = 0
    before: Callable[[str, str], None] | None = None
    """Called with method and path before the response to a request."""
    before_signed: Callable[[str, str, str], None] | None = None
    """Called likewise with the access key that signed the request, method and path."""

    def place(self, bucket: str) -> Path:
        """Make a bucket and return its address."""
        address = location(f"s3://{bucket}")
        remote_of(address).fs.mkdir(bucket)
        return address

    def forget(self) -> None:
        self.requests.clear()
        self.sent_bytes = 0
