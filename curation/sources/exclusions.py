"""Exclusion lists: people and videos that a user leaves out, applied before a video is decoded."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from curation.sources.entries import SourceError, SourceVideo
from foundation.address_text import address_without_secrets
from foundation.storage.locations import is_remote
from foundation.storage.path_text import plain_path, text_of_path
from foundation.storage.regular_files import open_regular
from foundation.text import count_text
from manifests.record import ExclusionList

__all__ = ["NOBODY", "Exclusions", "names_of", "read_exclusions", "require_speakers", "unused"]

_SPEAKERS, _VIDEOS = "--exclude-speakers", "--exclude-videos"


@dataclass(frozen=True, kw_only=True, slots=True)
class Exclusions:
    """Content of the lists."""

    speakers: frozenset[str] = frozenset()
    """Speaker ids."""
    videos: frozenset[str] = frozenset()
    """Video ids, paths, or the ends of paths: a name, a folder and a name."""
    lists: tuple[ExclusionList, ...] = ()
    """Description of the lists for the record of the dataset."""


NOBODY = Exclusions()


def read_exclusions(speakers: str | Path | None, videos: str | Path | None) -> Exclusions:
    """Read the lists: one entry a line, blank lines skipped; None: there is no such list.

    Raises:
        SourceError: a list cannot be read.
    """
    paths = {_SPEAKERS: speakers, _VIDEOS: videos}
    contents = {option: _content(Path(path), option) for option, path in paths.items() if path is not None}
    entries = {option: _entries(content) for option, content in contents.items()}
    return Exclusions(
        speakers=entries.get(_SPEAKERS, frozenset()),
        videos=entries.get(_VIDEOS, frozenset()),
        lists=tuple(
            ExclusionList(option=option, sha256=sha256(content).hexdigest(), entries=len(entries[option]))
            for option, content in contents.items()
        ),
    )


def require_speakers(videos: Sequence[SourceVideo], exclusions: Exclusions) -> None:
    """Stop a run whose list of speakers cannot be applied.

    Raises:
        SourceError: speakers are to be left out, and no video has a speaker id.
    """
    if exclusions.speakers and not any(video.speaker_id for video in videos):
        raise SourceError(
            f"{_SPEAKERS} cannot be applied: none of the {count_text(len(videos), 'video')} of this source has a "
            "speaker id. Name the layout of the data set with --layout, give a list with a column speaker_id, or use "
            f"{_VIDEOS}"
        )


def unused(videos: Sequence[SourceVideo], exclusions: Exclusions) -> tuple[str, ...]:
    """Return a line for each list with entries that match nothing in the source: misspelt, or of another source."""
    speakers = exclusions.speakers.difference(_normal(video.speaker_id) for video in videos if video.speaker_id)
    named = set(exclusions.videos)
    for video in videos if named else ():
        named -= _names(video)
    return tuple(
        f"{count_text(len(left), f'entry of {option} names', f'entries of {option} name')} nothing of this source, "
        f"such as {min(left)!r}."
        for option, left in ((_SPEAKERS, speakers), (_VIDEOS, named))
        if left
    )


def names_of(video_id: str, path: Path) -> set[str]:
    """Return all names by which an entry may refer to a video: its id, its path, and every end of the path."""
    full = address_without_secrets(str(path)) if is_remote(path) else str(path.absolute())
    parts = _normal(full).split("/")
    ends = {"/".join(parts[first:]) for first in range(len(parts))}
    return {video_id, _normal(str(path)), _normal(text_of_path(path)), plain_path(path).name, *ends} - {""}


def exclusion_reasons(videos: Iterable[SourceVideo], exclusions: Exclusions) -> dict[str, str]:
    reason_of: Mapping[str, str] = {
        one.option: f"left out by {one.option} (the list of {count_text(one.entries, 'entry', 'entries')} with sha256 "
        f"{one.sha256[:12]})"
        for one in exclusions.lists
    }
    reasons: dict[str, str] = {}
    for video in videos:
        if video.speaker_id is not None and _normal(video.speaker_id) in exclusions.speakers:
            reasons[video.video_id] = reason_of[_SPEAKERS]
        elif exclusions.videos and not exclusions.videos.isdisjoint(_names(video)):
            reasons[video.video_id] = reason_of[_VIDEOS]
    return reasons


def _names(video: SourceVideo) -> set[str]:
    return names_of(video.video_id, video.path).union(video.other_ids)


def _normal(text: str) -> str:
    """Return text in the one form of its letters that compares equal; some systems store an accent apart."""
    return unicodedata.normalize("NFC", text.strip())


def _content(path: Path, option: str) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read()
    except OSError as error:
        raise SourceError(f"{option} {path}: cannot be read: {error.strerror or error}") from error


def _entries(content: bytes) -> frozenset[str]:
    text = content.decode("utf-8-sig", errors="surrogateescape")  # a file name may be no Unicode
    return frozenset(_normal(line) for line in text.split("\n") if line.strip())
