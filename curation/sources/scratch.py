"""Scratch space: a bounded local folder for copies of remote sources during a unit of work.

A file of which most is needed is copied once, since it is read several times (packets, frames, audio, the ranges of
clips). A file that does not fit, and single windows of a long one, are read over the network by ranges instead, which
gives the same evidence; benchmarks/results/2026-11-scale.md has the figures.
"""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from curation.media.errors import MediaError
from curation.sources.content import content_of
from curation.sources.entries import SourceVideo
from curation.sources.unchanged import refuse_changed
from foundation.errors import GaiaError
from foundation.storage.locations import StorageError, can_seek, is_remote, open_remote, store_errors
from foundation.storage.path_text import plain_path
from foundation.storage.private_folder import UnsafeFolderError, new_private_file, private_folder, temporary_folder_of

__all__ = ["ScratchSettings", "readable", "require_scratch"]

_PIECE_BYTES = 16 << 20
"""Size of a read while a file is copied."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScratchSettings:
    """Folder and size of scratch space. They do not change what a dataset holds."""

    folder: Path = field(default_factory=lambda: temporary_folder_of("scratch"))
    """Local; all workers of a machine share it. It holds no other files, belongs to the user, and nobody else may enter
    it: others lose their rights on it."""
    limit_gib: float = 20.0
    """Limit of the copies of all workers of a machine. Ours: a few hours of video."""


def require_scratch(videos: Sequence[SourceVideo], scratch: ScratchSettings) -> None:
    """Refuse a run over remote sources whose scratch folder cannot be used.

    Raises:
        StorageError: it cannot be made or written.
    """
    if not any(is_remote(video.path) for video in videos):
        return
    try:
        with tempfile.TemporaryFile(dir=private_folder(scratch.folder)):
            pass
    except UnsafeFolderError as error:
        raise StorageError(f"--scratch {error}") from error
    except OSError as error:
        raise StorageError(f"--scratch {scratch.folder} cannot be written: {error.strerror}") from error


@contextmanager
def readable(video: SourceVideo, scratch: ScratchSettings, *, whole: bool = True) -> Iterator[Path]:
    """Yield a path from which PyAV can read a source until the block ends: its own, that of a copy, or its address.

    Errors about the copy name the source.

    Args:
        video: the source.
        scratch: where remote ones are copied to.
        whole: whether most of it will be read; less is read by ranges where the server allows it.

    Raises:
        MediaError: `changed`: a source was replaced or written to after it was listed, or while it was read;
            `unreachable`: its storage does not deliver it; `no_scratch`: it does not fit, and its server answers no
            ranges.
    """
    copy = _fetched(video, scratch, whole=whole) if is_remote(video.path) else None
    if copy is None:
        with _unchanged(video):
            yield video.path
        return
    try:
        yield copy
    except MediaError as error:
        raise MediaError(error.code, error.detail.replace(str(copy), str(video.path))) from error
    finally:
        copy.unlink(missing_ok=True)


@contextmanager
def _unchanged(video: SourceVideo) -> Iterator[None]:
    """Read a source at its own place in the block, and see that it is the listed one, before and after.

    Raises:
        MediaError: `changed`, also in place of damage that was found in a file that was replaced meanwhile.
    """
    if not is_remote(video.path):  # of a remote one this was asked before
        refuse_changed(video)
    try:
        yield
    except Exception as error:
        if isinstance(error, MediaError) or not isinstance(error, GaiaError | OSError):  # what a decoder may raise
            with suppress(OSError):
                refuse_changed(video)
        raise
    try:
        refuse_changed(video)
    except OSError as error:
        raise MediaError("unreachable", f"{video.path} cannot be read: {error}") from error


def _fetched(video: SourceVideo, scratch: ScratchSettings, *, whole: bool) -> Path | None:
    """Copy a source into the scratch folder; return None if it is to be read by ranges instead."""
    try:
        refuse_changed(video)
        seeks = not whole and can_seek(video.path)
        copy = None if seeks else _reserve(video, scratch)
        if copy is not None:
            _fill(copy, video)
        elif not (seeks or can_seek(video.path)):
            raise MediaError(
                "no_scratch",
                f"{video.path} takes {video.size_bytes / 2**30:.2f} GiB, its server sends whole files only, and "
                f"{scratch.folder} has no room for a copy; make room there, or raise --scratch-gib, now "
                f"{scratch.limit_gib:g}",
            )
    except UnsafeFolderError as error:
        raise MediaError("no_scratch", f"{video.path} cannot be copied: --scratch {error}") from error
    except OSError as error:
        with suppress(OSError):
            refuse_changed(video)  # a store refuses to go on with a file that was replaced
        raise MediaError("unreachable", f"{video.path} cannot be read: {error}") from error
    return copy


def _fill(copy: Path, video: SourceVideo) -> None:
    """Fetch a source into the file that was reserved for it, which is removed on an error."""
    try:
        with store_errors(video.path), open_remote(video.path, 0) as source, copy.open("r+b") as target:
            shutil.copyfileobj(source, target, _PIECE_BYTES)
            complete = target.tell() == video.size_bytes
        refuse_changed(video)
        if complete and content_of(copy, whole=False).is_of(video.video_id, video.size_bytes):
            return
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
    copy.unlink()
    raise MediaError("changed", f"{video.path} has other content than when it was listed; run again")


def _reserve(video: SourceVideo, scratch: ScratchSettings) -> Path | None:
    """Allocate a file of the source's size on disk; return None if there is no space."""
    private_folder(scratch.folder)
    with os.fdopen(os.open(scratch.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_leftovers(scratch.folder)
        taken = sum(path.stat().st_size for path in scratch.folder.iterdir())
        if taken + video.size_bytes > scratch.limit_gib * 2**30:
            return None
        # The suffix is kept, since the demuxer goes by it.
        copy = scratch.folder / f"{os.getpid()}-{video.video_id}{plain_path(video.path).suffix}"
        with os.fdopen(new_private_file(copy), "wb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, max(1, video.size_bytes))
                os.ftruncate(file.fileno(), video.size_bytes)
            except OSError as error:
                copy.unlink()
                if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    return None
                raise
        return copy


def _remove_leftovers(folder: Path) -> None:
    """Remove copies of processes that have ended."""
    for path in folder.iterdir():
        pid = path.name.partition("-")[0]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            path.unlink(missing_ok=True)
