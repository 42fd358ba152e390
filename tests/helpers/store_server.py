"""What a test's S3 server tells."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from foundation.storage.locations import location, remote_of


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
        remote_of(place).fs.mkdir(bucket)
        return place

    def forget(self) -> None:
        self.requests.clear()
        self.sent_bytes = 0
