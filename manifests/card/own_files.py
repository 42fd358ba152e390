"""Files of a card that the command wrote itself, and that nobody has changed since: only these may be replaced.

Each file states the SHA-256 of its content without that statement.
"""

import re
from hashlib import sha256
from pathlib import Path

from foundation.errors import UsageError
from foundation.storage.regular_files import FileTooLargeError, NotRegularFileError, read_small
from manifests.files.names import file_in

__all__ = ["CARD_FILES", "CardFileError", "require_own", "sealed"]

CARD_FILES = ("README.md", "croissant.json")
"""Files of a card in the folder of a dataset."""

_SEAL = re.compile(rb"gaia-curate card, sha256 of the rest [0-9a-f]{64}")

_BLANK = b"gaia-curate card, sha256 of the rest " + b"0" * 64

_MOST_BYTES = 64 << 20


class CardFileError(UsageError):
    """A file that the card would replace is not the command's own."""


def sealed(before: str, after: str) -> bytes:
    """Return the content of a file with its own digest.

    Args:
        before: what stands before the digest; no text of a dataset, which might look like a digest.
        after: what stands after it.
    """
    blank = before.encode() + _BLANK + after.encode()
    digest = sha256(blank).hexdigest().encode()
    return _SEAL.sub(_BLANK[:-64] + digest, blank, count=1)


def require_own(dataset: Path, name: str, replacement: bytes) -> None:
    """Refuse to replace a file of another origin, or one that was changed by hand.

    Args:
        dataset: the folder or address.
        name: name of the file in it.
        replacement: what would replace it; a file with this content is no obstacle.

    Raises:
        CardFileError: the command did not write the file as it is.
        UnsafeValueError: it is a link or no regular file.
        OSError: it cannot be read.
    """
    path = file_in(dataset, name)
    try:
        content = read_small(path, _MOST_BYTES, follow_links=False)
    except FileNotFoundError:
        return
    except (FileTooLargeError, NotRegularFileError) as error:
        raise CardFileError(f"{error}; move it away, and give the command again") from error
    if content != replacement and not _is_own(content):
        raise CardFileError(
            f"{path} was not written by `gaia-curate card`, or was changed since; move it away, and give the command "
            "again"
        )


def _is_own(content: bytes) -> bool:
    found = _SEAL.search(content)
    if found is None:
        return False
    digest = sha256(_SEAL.sub(_BLANK, content, count=1)).hexdigest().encode()
    return found[0].endswith(digest)
