"""Another command that writes to a folder, as this process sees it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foundation.storage.lease_record import disown, own_record
from foundation.storage.lease_renewal import file_of


@contextmanager
def held_elsewhere(folder: Path, command: str) -> Iterator[None]:
    """Let the folder be held by a command of which this process knows nothing."""
    record, file = own_record(command), file_of(folder)
    assert file.create(record)
    try:
        yield
    finally:
        file.remove(record)
        disown(record)
