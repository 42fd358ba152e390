"""Whether a source still has the content that it was listed with, by which its rows are called.

A store says it by a version. A local file is asked twice, before it is read and after, for what the system notes of
it: size, time of change, number. Where these are others, its content is compared; a copy that was put in its place with
the same bytes is the same video.
"""

from functools import lru_cache
from pathlib import Path

from curation.media.errors import MediaError
from curation.sources.content import content_of
from curation.sources.entries import SourceVideo
from foundation.storage.locations import is_remote
from foundation.storage.regular_files import NotRegularFileError, require_regular
from foundation.storage.stated_facts import content_version, same_size_and_time

__all__ = ["refuse_changed"]


def refuse_changed(video: SourceVideo) -> None:
    """Refuse a source whose content has changed since it was listed.

    A local file that is gone is left to whoever opens it.

    Raises:
        MediaError: `changed`; `unreadable` where there is a pipe, a socket or a device now, for which a decoder would
            wait.
        OSError: a store does not answer.
    """
    if is_remote(video.path):
        now = content_version(video.path)
        if now != video.version:
            raise _changed(video, f"then {video.version}, now {now}")
        return
    try:
        require_regular(video.path)
        now = content_version(video.path)
        if now is None or video.version is None or now == video.version:  # without a version it was not listed
            return
        whole = not same_size_and_time(now, video.version)
        size = video.path.stat().st_size
        same = size == video.size_bytes and _has_content(video.path, now, video.video_id, size, whole=whole)
    except NotRegularFileError as error:
        raise MediaError("unreadable", str(error)) from error
    except OSError:
        return
    if not same:
        raise _changed(video, f"then {video.size_bytes} bytes, now {size}" if size != video.size_bytes else "same size")


@lru_cache(maxsize=64)
def _has_content(path: Path, _version: str, video_id: str, size_bytes: int, *, whole: bool) -> bool:
    """Return whether a file of this version has the content of an id; each window of a long video asks it."""
    return content_of(path, whole=whole).is_of(video_id, size_bytes)


def _changed(video: SourceVideo, how: str) -> MediaError:
    return MediaError(
        "changed",
        f"{video.path} was replaced or written to since it was listed ({how}); run again to take it as the new video "
        "that it is",
    )
