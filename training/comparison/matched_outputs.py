"""Result videos of several systems, matched to the true videos by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.ratings.rated_videos import UnusableVideosError, named_folder, system_name, videos_of

__all__ = ["MatchedOutputs", "match_outputs", "reference_of"]

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchedOutputs:
    """The videos that are compared."""

    systems: tuple[str, ...]
    """Names, in the order given."""
    videos: tuple[str, ...]
    """Names of true videos of which a system has a result, sorted: paths within the folder, without suffix."""
    truth: Mapping[str, Path]
    """By video."""
    results: Mapping[str, Mapping[str, Path]]
    """By system and video."""
    notes: tuple[str, ...]
    """What has no partner."""


def match_outputs(outputs: Mapping[str, str | Path] | Sequence[str], truth: str | Path) -> MatchedOutputs:
    """Return the videos of each system that have the name of a true one, whatever their suffixes.

    Args:
        outputs: folders by the names of the systems, or texts NAME=FOLDER.
        truth: folder of the true videos.

    Raises:
        UnusableVideosError: a folder is missing or empty, two videos or systems have the same name, or a system has no
            result of a true video.
    """
    named = (
        [(system_name(name), Path(folder)) for name, folder in outputs.items()]
        if isinstance(outputs, Mapping)
        else [named_folder(given) for given in outputs]
    )
    if not named:
        raise UnusableVideosError("no folder of results is given; give one for each system")
    true = videos_of(Path(truth))
    results: dict[str, dict[str, Path]] = {}
    notes: list[str] = []
    for name, folder in named:
        if name in results:
            raise UnusableVideosError(f"two systems are named {name}; give one of them another name: NAME={folder}")
        found = videos_of(folder)
        results[name] = {video: path for video, path in found.items() if video in true}
        if not results[name]:
            raise UnusableVideosError(
                f"no video in {folder} has the name of one in {truth}; results are matched by their paths within a "
                f"folder, without suffix: there {min(found)}, here {min(true)}"
            )
        if extra := sorted(set(found) - set(true)):
            notes.append(f"{name}: {_files(extra)} without a true video left out")
        if absent := sorted(set(true) - set(found)):
            notes.append(f"{name}: {_files(absent, 'true video')} without a result")
    videos = sorted({video for of_system in results.values() for video in of_system})
    return MatchedOutputs(systems=tuple(results), videos=tuple(videos), truth=true, results=results, notes=tuple(notes))


def reference_of(folder: Path, video: str) -> Path | None:
    """Return the picture or video of the person whom the results of a video show; None where there is none.

    Raises:
        UnusableVideosError: `folder` is no folder.
    """
    if not folder.is_dir():
        raise UnusableVideosError(f"{folder} is no folder; give the folder of reference pictures")
    for suffix in (*_PICTURES, *(suffix.upper() for suffix in _PICTURES)):
        if (path := folder / f"{video}{suffix}").is_file():
            return path
    parent = (folder / video).parent
    if not parent.is_dir():
        return None
    name = Path(video).name
    return next((path for path in sorted(parent.iterdir()) if path.stem == name and path.is_file()), None)


def _files(names: Sequence[str], noun: str = "video") -> str:
    """Return how many there are, and the first of them."""
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'} ({names[0]}{', ...' if len(names) > 1 else ''})"
