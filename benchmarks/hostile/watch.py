"""What happens to the canaries: every opening, reading and change, as the kernel tells it (inotify)."""

import ctypes
import hashlib
import os
import struct
from collections.abc import Sequence
from pathlib import Path

__all__ = ["Canaries"]

_OPEN, _ACCESS, _MODIFY, _ATTRIB = 0x20, 0x01, 0x02, 0x04
_MOVED, _CREATE, _DELETE = 0xC0, 0x100, 0x200
_WATCHED = _OPEN | _ACCESS | _MODIFY | _ATTRIB | _MOVED | _CREATE | _DELETE
_IS_FOLDER = 0x40000000
_HEAD = struct.Struct("iIII")


class Canaries:
    """Folders that no command may open, read or change."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = -1
        self._names: dict[int, Path] = {}
        self._before: dict[str, tuple[object, ...]] = {}
        self.watch()

    def watch(self) -> None:
        """Take the canaries as they are now for what they have to be, and watch them from now on."""
        if self._inotify >= 0:
            os.close(self._inotify)
        self._before = self._state()
        self._inotify = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._inotify < 0:
            raise OSError(ctypes.get_errno(), "inotify is not to be had")
        self._names = {}
        for root in self._folders:
            for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
                number = self._libc.inotify_add_watch(self._inotify, os.fsencode(folder), _WATCHED)
                if number < 0:
                    raise OSError(ctypes.get_errno(), f"{folder} cannot be watched")
                self._names[number] = folder

    def touched(self) -> list[str]:
        """Return the canaries that were opened, read or changed since the last call."""
        found: dict[str, None] = {}
        while True:
            try:
                content = os.read(self._inotify, 1 << 16)
            except BlockingIOError:
                return list(found)
            at = 0
            while at < len(content):
                number, mask, _, length = _HEAD.unpack_from(content, at)
                name = content[at + _HEAD.size : at + _HEAD.size + length].rstrip(b"\0")
                at += _HEAD.size + length
                if mask & _WATCHED:
                    folder = self._names.get(number, Path("?"))
                    found[f"{_verb(mask)} {folder / os.fsdecode(name)}"] = None

    def changed(self) -> list[str]:
        """Return the canaries that are other than they were; to look at them counts as no touch."""
        now = self._state()
        self.touched()
        return sorted(name for name in {*now, *self._before} if now.get(name) != self._before.get(name))

    def _state(self) -> dict[str, tuple[object, ...]]:
        """Return what each file is, where it lies, and a digest of its content."""
        state: dict[str, tuple[object, ...]] = {}
        for root in self._folders:
            for path in (root, *root.rglob("*")):
                stat = path.lstat()
                if path.is_dir():
                    state[str(path)] = (stat.st_ino, stat.st_mode)
                else:
                    digest = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
                    state[str(path)] = (stat.st_ino, stat.st_mode, stat.st_mtime_ns, stat.st_size, digest)
        return state


def _verb(mask: int) -> str:
    if mask & (_CREATE | _DELETE | _MOVED | _MODIFY | _ATTRIB):
        return "changed"
    return "listed" if mask & _IS_FOLDER else "read"
