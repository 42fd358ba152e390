"""Folders and files of one user on a machine that several share: the temporary folder is open to all of them.

Whoever knows the name of such a folder can make it first, as a folder of his own or as a link to some other place. So a
folder is used only where it is no link and belongs to the user of this process, and its files are made new.
"""

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from foundation.errors import CannotStartError

__all__ = ["UnsafeFolderError", "cache_folder_of", "new_private_file", "private_folder", "temporary_folder_of"]

_OWNER_ONLY = 0o700


class UnsafeFolderError(CannotStartError, OSError):
    """A folder for private files is a link, or belongs to another user."""


def temporary_folder_of(purpose: str) -> Path:
    """Return the name of this user's own folder for a purpose in the system's temporary folder; it may not exist.

    >>> temporary_folder_of("scratch").name == f"gaia-scratch-{os.getuid()}"
    True
    """
    return Path(tempfile.gettempdir(), f"gaia-{purpose}-{os.getuid()}")


def cache_folder_of(purpose: str) -> Path:
    """Return this user's folder for what can be made anew, in ``GAIA_CACHE`` or the user's cache; it may not exist."""
    import platformdirs

    override = os.environ.get("GAIA_CACHE")
    root = Path(override).expanduser() if override else Path(platformdirs.user_cache_dir("gaia", appauthor=False))
    return root / purpose


def private_folder(path: Path, *, open_to_readers: bool = False) -> Path:
    """Make a folder that only this user can enter, or check the one that is there; return `path`.

    Rights of others on a folder that is there are taken away, whatever the umask was when it was made.

    Args:
        path: the folder; folders above it are made where they are missing.
        open_to_readers: leave others the right to read a folder that is there, and take away that to write.

    Raises:
        UnsafeFolderError: it is a link, or belongs to another user.
        OSError: it cannot be made, or is no folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(mode=_OWNER_ONLY)
    try:
        # Opened once and asked then: between two questions about a name, it may come to mean another folder.
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except NotADirectoryError as error:  # also a link
        if not path.is_symlink():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        raise UnsafeFolderError(
            f"{path} is a link, which may lead to where others can read or replace what is kept there; remove it, or "
            "name the folder itself"
        ) from error
    except PermissionError as error:
        if (owner := path.lstat().st_uid) == os.geteuid():
            raise
        raise _of_another(path, owner) from error
    try:
        status = os.fstat(folder)
        if status.st_uid != os.geteuid():
            raise _of_another(path, status.st_uid)
        allowed = stat.S_IMODE(status.st_mode) & 0o755 if open_to_readers else _OWNER_ONLY
        if stat.S_IMODE(status.st_mode) != allowed:
            os.fchmod(folder, allowed)
    finally:
        os.close(folder)
    return path


def _of_another(path: Path, owner: int) -> UnsafeFolderError:
    return UnsafeFolderError(
        f"{path} belongs to the user with number {owner}, not to you ({os.geteuid()}), who could read or replace what "
        "is kept there; name a folder of your own"
    )


def new_private_file(path: Path) -> int:
    """Make a new file that only this user can read, whatever the umask, and return its descriptor for writing.

    A file or link of that name is removed first, and not followed.

    Raises:
        OSError: it cannot be made.
    """
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.fchmod(file, 0o600)  # a umask may have taken the user's own rights, too
    return file
