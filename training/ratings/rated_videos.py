"""The videos that are rated: folders of results of several systems, matched by name."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from foundation.errors import UsageError
from foundation.storage.locations import resolved
from foundation.text import count_text, printable

__all__ = [
    "MOST_ITEMS",
    "MOST_SYSTEMS",
    "RatedVideos",
    "UnusableVideosError",
    "hashed",
    "matched_videos",
    "named_folder",
    "system_name",
    "videos_of",
]

_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})

MOST_SYSTEMS, MOST_ITEMS = 100, 20_000
"""Most that a key holds."""

_LONGEST_NAME = 200
"""Most characters of the name of a system or video."""


class UnusableVideosError(UsageError):
    """The videos cannot be used: they do not match, cannot be read, or are too large."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RatedVideos:
    """Videos that every system has."""

    systems: tuple[str, ...]
    """Names, in the order given."""
    videos: tuple[str, ...]
    """Names, sorted: paths within the folders, without suffix."""
    paths: Mapping[tuple[str, str], Path]
    """File by system and video."""
    n_unmatched: int
    """Names that only some systems have."""


def hashed(*parts: str | int) -> str:
    """Return 16 hexadecimal digits that depend on every part and on where one ends."""
    state = hashlib.blake2b(digest_size=8)
    for part in parts:
        text = str(part).encode(errors="surrogateescape")
        state.update(b"%d:%b" % (len(text), text))
    return state.hexdigest()


def matched_videos(outputs: Sequence[str], *, most: int | None, seed: int) -> RatedVideos:
    """Return the videos that are in all folders under the same name, whatever their suffixes.

    Args:
        outputs: folders, or NAME=FOLDER; a folder without a name has its own.
        most: draw this many of the names; None: take all.
        seed: of the draw.

    Raises:
        UnusableVideosError: a folder is missing or empty, two have the same name, or no name is in all of them; or
            there are more videos than a sheet has.
    """
    systems: dict[str, dict[str, Path]] = {}
    for given in outputs:
        name, folder = named_folder(given)
        if name in systems:
            raise UnusableVideosError(f"two systems are named {name}; give one of them another name: NAME={folder}")
        systems[name] = videos_of(folder)
    if not systems:
        raise UnusableVideosError("no folder of videos is given; give one for each system")
    shared = set.intersection(*(set(videos) for videos in systems.values()))
    everywhere = set.union(*(set(videos) for videos in systems.values()))
    if not shared:
        raise UnusableVideosError(
            f"no video has the same name in all folders ({', '.join(systems)}); results are matched by their paths "
            "within a folder, without suffix"
        )
    if len(systems) > MOST_SYSTEMS or len(systems) * min(len(shared), most or len(shared)) > MOST_ITEMS:
        raise UnusableVideosError(
            f"{count_text(len(systems), 'system has', 'systems have')} {count_text(len(shared), 'video')} each, and a "
            f"sheet has {MOST_SYSTEMS} systems and {MOST_ITEMS} videos at most; give --videos with a smaller number"
        )
    drawn = sorted(shared, key=lambda name: hashed(seed, "draw", name))[:most]
    return RatedVideos(
        systems=tuple(systems),
        videos=tuple(sorted(drawn)),
        paths={(system, name): videos[name] for system, videos in systems.items() for name in drawn},
        n_unmatched=len(everywhere - shared),
    )


def named_folder(given: str) -> tuple[str, Path]:
    """Return name and folder of a system, of a text NAME=FOLDER or of a folder alone.

    Raises:
        UnusableVideosError: the name is empty or too long.
    """
    name, sign, folder = given.partition("=")
    whole = Path(given)
    if not sign or whole.is_dir():
        return system_name(resolved(whole).name), whole
    return system_name(name), Path(folder)


def system_name(name: str) -> str:
    """Return the name of a system as it can be shown.

    Raises:
        UnusableVideosError: it is empty or too long.
    """
    name = printable(name.strip())
    if not 0 < len(name) <= _LONGEST_NAME:
        raise UnusableVideosError(
            f"the name of a system has {len(name)} characters, and 1 to {_LONGEST_NAME} are possible; give NAME=FOLDER"
        )
    return name


def videos_of(folder: Path) -> dict[str, Path]:
    """Return the videos of a folder by their names: paths within it, without suffix.

    Raises:
        UnusableVideosError: it is no folder or holds no video, or two have the same name.
    """
    if not folder.is_dir():
        raise UnusableVideosError(f"{folder} is no folder; give the folder of a system's videos")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in _SUFFIXES or not path.is_file():
            continue
        name = printable(path.relative_to(folder).with_suffix("").as_posix())
        if name in found:
            raise UnusableVideosError(
                f"{path} has the name of {found[name]}, and videos are matched by name; keep one of them"
            )
        if len(name) > _LONGEST_NAME:
            raise UnusableVideosError(f"{path} has a name of more than {_LONGEST_NAME} characters; shorten it")
        found[name] = path
    if not found:
        raise UnusableVideosError(f"{folder} holds no video; give a folder of {', '.join(sorted(_SUFFIXES))} files")
    return found
