"""Ids of listed files, and which of them are copies of each other."""

import errno
import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace
from http import HTTPStatus
from pathlib import Path
from threading import Event

from curation.sources.content import Content, content_of
from curation.sources.entries import Entry, SourceVideo
from curation.sources.layouts import note
from foundation.address_text import address_without_secrets, without_secrets
from foundation.storage.locations import is_remote
from foundation.storage.path_text import text_of_path
from foundation.storage.stated_facts import content_md5, content_version

__all__ = ["Known", "identified", "listed_again"]

Known = Mapping[str, tuple[str, int]]
"""By path as text: id and size in bytes of a file that a dataset knows."""

_REMOTE_LOOKS = 32
"""Remote files that are read at the same time: they keep waiting."""

_LOCAL_LOOKS = 4
"""Local files that are read at the same time. More of them would only disturb a disk with a moving head."""

_TOLD_BYTES = 10 * 10**9
"""Size of local files from which the user is told that they are read: some seconds on a fast disk."""

_BATCH = 1024
"""Files whose reading is planned at a time."""


@dataclass(frozen=True, slots=True)
class _Look:
    """Properties of a file when it was listed."""

    entry: Entry
    content: Content | None
    """None where it cannot be read."""
    version: str | None = None
    read_error: str | None = None
    unreachable: bool = False

    @property
    def video_id(self) -> str:
        """Id of the content, or of the path where there is none."""
        if self.content is not None:
            return self.content.video_id
        return id_of_path(self.entry.path)


def id_of_path(path: Path) -> str:
    """Return the id of a video whose content cannot be read: of its path, without what opens it."""
    name = address_without_secrets(str(path)) if is_remote(path) else str(path)
    return hashlib.sha256(b"path\0" + os.fsencode(name)).hexdigest()[:16]


def listed_again(video: SourceVideo) -> SourceVideo | None:
    """Return a video that was listed before; None where its file has other content now.

    A file that could not be read then has the id of its content now.

    Raises:
        OSError: the file cannot be read.
    """
    version = content_version(video.path)
    content = content_of(video.path, whole=not is_remote(video.path))
    if video.video_id == id_of_path(video.path):
        return replace(
            video,
            video_id=content.video_id,
            other_ids=content.other_ids,
            size_bytes=content.size_bytes,
            version=version,
        )
    return replace(video, version=version) if content.is_of(video.video_id, video.size_bytes) else None


def identified(
    entries: Sequence[Entry],
    limit: int | None = None,
    *,
    whole: bool = True,
    known: Known | None = None,
    told: Callable[[int, int], None] | None = None,
) -> tuple[tuple[SourceVideo, ...], tuple[str, ...]]:
    """Read files for their ids; of those with the same content the first by path is analysed.

    Args:
        entries: the files.
        limit: read this many at most, the first by path.
        whole: whether to read local files whole, otherwise their samples: enough to count and find videos.
        known: files that a dataset knows; where path, size and samples are the same, the rest is not read again.
        told: is called with the number and the bytes of the local files before they are read whole, if they are large.

    Returns:
        The videos by path, and a line about copies whose labels differ from those of the first.
    """
    known = known or {}
    ordered = sorted(set(entries), key=_name)[:limit]
    if told is not None and whole:
        new = (entry for entry in ordered if not _is_known(entry, _local_bytes(entry.path), known))
        sizes = [size for entry in new if (size := _local_bytes(entry.path))]
        if sum(sizes) >= _TOLD_BYTES:
            told(len(sizes), sum(sizes))
    looks = list(_looks(ordered, known, whole=whole))
    looks = _told_apart(looks) if whole else looks
    first_with: dict[str, Entry] = {}
    videos = []
    differing = []
    for look in looks:
        entry, content, video_id = look.entry, look.content, look.video_id
        original = None if content is None else first_with.get(video_id)
        first_with.setdefault(video_id, entry)
        if original and _differs(entry, original):
            differing.append(text_of_path(entry.path))
        videos.append(
            SourceVideo(
                path=entry.path,
                video_id=video_id,
                other_ids=() if content is None else content.other_ids,
                source=entry.source,
                speaker_id=entry.speaker_id,
                labels=entry.labels,
                trims=entry.trims,
                size_bytes=0 if content is None else content.size_bytes,
                duplicate_of=original.path if original else None,
                read_error=look.read_error,
                unreachable=look.unreachable,
                version=look.version,
            )
        )
    note_text = "are copies with another speaker, other labels or other stretches than the first by path, whose hold"
    return tuple(videos), note(differing, note_text)


def _differs(copy: Entry, original: Entry) -> bool:
    """Return whether a copy states something that its original does not; the stretches are stated by both."""
    stated = ((copy.speaker_id, original.speaker_id), *zip(astuple(copy.labels), astuple(original.labels), strict=True))
    return copy.trims != original.trims or any(ours not in (None, theirs) for ours, theirs in stated)


def _local_bytes(path: Path) -> int:
    """Return the size of a local file, 0 of a remote one and of one that is not there."""
    try:
        return 0 if is_remote(path) else path.stat().st_size
    except OSError:
        return 0


def _is_known(entry: Entry, size_bytes: int, known: Known) -> bool:
    return known.get(text_of_path(entry.path), ("", None))[1] == size_bytes


def _looks(entries: Sequence[Entry], known: Known, *, whole: bool) -> Iterator[_Look]:
    stop = Event()
    remote = any(is_remote(entry.path) for entry in entries)
    pool = ThreadPoolExecutor(_REMOTE_LOOKS if remote else _LOCAL_LOOKS)
    try:
        for first in range(0, len(entries), _BATCH):
            batch = entries[first : first + _BATCH]
            yield from pool.map(
                lambda entry: _look(entry, stop, known, whole=whole and not is_remote(entry.path)), batch
            )
    finally:
        stop.set()  # after Ctrl-C: a large file is not read to its end
        pool.shutdown(wait=False, cancel_futures=True)


def _look(entry: Entry, stop: Event, known: Known, *, whole: bool) -> _Look:
    try:
        version = content_version(entry.path)
        if whole and _is_known(entry, _local_bytes(entry.path), known):
            sampled = content_of(entry.path, whole=False, stop=stop)
            if sampled.is_of(*known[text_of_path(entry.path)]):
                return _Look(entry, sampled, version)
        return _Look(entry, content_of(entry.path, whole=whole, stop=stop), version)
    except OSError as problem:
        return _unreadable(entry, problem)


def _unreadable(entry: Entry, problem: OSError) -> _Look:
    is_gone = isinstance(problem, FileNotFoundError) and _stated_as_gone(problem)
    # a store's package gives the name of a missing file alone, and what a server answered as the cause
    told = problem if is_gone or problem.__cause__ is None else problem.__cause__
    reason = os.strerror(errno.ENOENT) if is_gone else problem.strerror or str(told)
    return _Look(entry, None, read_error=without_secrets(reason), unreachable=is_remote(entry.path) and not is_gone)


def _stated_as_gone(problem: FileNotFoundError) -> bool:
    """Return whether nothing is there, and not a web server that refuses or cannot be reached: fsspec calls both so."""
    cause = problem.__cause__
    return cause is None or getattr(cause, "status", None) in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


def _told_apart(looks: Sequence[_Look]) -> list[_Look]:
    """Return the looks after reading those remote files whole that agree with another file in size and samples."""
    alike: dict[tuple[int, str], list[int]] = defaultdict(list)
    for number, look in enumerate(looks):
        if look.content is not None:
            alike[look.content.size_bytes, look.content.samples].append(number)
    result = list(looks)
    for numbers in alike.values():
        if len(numbers) > 1 and any(_is_sampled(looks[number]) for number in numbers):
            for number, look in zip(numbers, _read_whole([looks[number] for number in numbers]), strict=True):
                result[number] = look
    return result


def _is_sampled(look: _Look) -> bool:
    return look.content is not None and look.content.whole is None


def _read_whole(looks: Sequence[_Look]) -> Sequence[_Look]:
    """Return looks at files that agree in their samples, with `whole` of each, unless all are copies of one another."""
    all_sampled = all(map(_is_sampled, looks))
    stated = {_stated_md5(look.entry.path) for look in looks} if all_sampled else set()
    if len(stated) == 1 and None not in stated:
        return looks
    stop = Event()
    pool = ThreadPoolExecutor(_REMOTE_LOOKS)
    try:
        complete = list(pool.map(lambda look: _whole_look(look, stop) if _is_sampled(look) else look, looks))
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
    contents = {look.content.whole for look in complete if look.content is not None}
    return looks if len(contents) == 1 and all_sampled else complete


def _whole_look(look: _Look, stop: Event) -> _Look:
    try:
        return replace(look, content=content_of(look.entry.path, whole=True, stop=stop))
    except OSError as problem:
        return _unreadable(look.entry, problem)


def _stated_md5(path: Path) -> str | None:
    try:
        return content_md5(path)
    except OSError:
        return None


def _name(entry: Entry) -> bytes:
    return os.fsencode(str(entry.path))
