"""The real videos that the network is taught and measured on: who is in them, and what is known of their sound."""

import csv
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curation.operations.spoken_stretches import gather_stretches
from curation.output.folder import DatasetFolder
from curation.perception.sync.fitting.stretches import SpokenStretch
from curation.sources.scratch import ScratchSettings
from curation.speech.whisper import WhisperTinyEncoder

_CLIPS = {
    "WDA_KatieHill_000": ("person-083", "OpenTalker/SadTalker"),
    "WDA_AlexandriaOcasioCortez_000": ("person-052", "OpenTalker/SadTalker"),
    "latentsync_demo1": ("latentsync_demo1", "bytedance/LatentSync"),
    "lp_d6": ("lp_d6", "KwaiVGI/LivePortrait"),
    "lp_d12": ("lp_d12", "KwaiVGI/LivePortrait"),
    "lp_d20": ("lp_d20", "KwaiVGI/LivePortrait"),
    "talkvid_10": ("talkvid_10", "FreedomIntelligence/TalkVid"),
    "dj_video4": ("dj_video4", "datajuicer/data-juicer"),
}
"""Videos of `clips` whose sound is presumed to be that of the faces, by name: person and repository."""

_FOREIGN = re.compile(r"sync (dubbed|voice-over|music)|no human face|cartoon|animation")
"""In the flags: lips and sound are known not to belong together, or may be fitted to each other."""


@dataclass(frozen=True, kw_only=True)
class SharedVideo:
    """What is known of a video."""

    people: frozenset[str]
    repository: str
    presumed_true: bool
    """Real, and its sound is presumed to be that of the face, by its origin; not measured."""
    not_foreign: bool
    """Nothing is known that speaks against the sound being that of the face."""
    taught: bool = True
    """Its repository does not exclude commercial use, so that the package's network may be taught on it."""


def shared_videos(shared: Path) -> dict[str, SharedVideo]:
    """Return what is known of the videos of `clips` and `talk`, by the names of their files without suffix."""
    videos = {
        name: SharedVideo(people=frozenset([person]), repository=repository, presumed_true=True, not_foreign=True)
        for name, (person, repository) in _CLIPS.items()
    }
    with (shared / "talk" / "manifest.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            flags = row["flags"]
            people = re.findall(r"person-\d+", row["identity"].partition("(")[0])
            videos[Path(row["file"]).stem] = SharedVideo(
                people=frozenset(people or [row["file"]]),
                repository=row["repo"],
                presumed_true=flags.startswith("real;") and "sync ok-presumed" in flags,
                not_foreign=not _FOREIGN.search(flags),
                taught="NC" not in row["licence"],
            )
    return videos


def blocks(videos: Mapping[str, SharedVideo]) -> dict[str, str]:
    """Return, by video, the block that stays in one fold: all that shares people or a repository, however far on."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for video in videos.values():
        for name in (*sorted(video.people), video.repository):
            parent[root(name)] = root(video.repository)
    return {name: root(video.repository) for name, video in videos.items()}


def shared_stretches(datasets: Sequence[Path], shared: Path, cache: Path | None = None) -> list[SpokenStretch]:
    """Return the stretches of datasets made of `clips` and `talk`, grouped by blocks, but for foreign sound.

    Args:
        datasets: made by `gaia-curate run --preset embedded`.
        shared: the folder with `clips` and `talk`.
        cache: a file that keeps what was gathered; made if it is not there, and trusted if it is.
    """
    videos = shared_videos(shared)
    block = blocks(videos)
    if cache is not None and cache.exists():
        found: list[SpokenStretch] = pickle.loads(cache.read_bytes())  # noqa: S301  written by this program
    else:
        encoder, scratch = WhisperTinyEncoder(), ScratchSettings()
        gathered = [gather_stretches(DatasetFolder.existing(path), encoder, scratch) for path in datasets]
        found = [one for part in gathered for one in part.stretches]
        if cache is not None:
            cache.write_bytes(pickle.dumps(found))
    named = [replace(one, file=Path(one.file).stem) for one in found]
    return [replace(one, group=block[one.file]) for one in named if one.file in videos and videos[one.file].not_foreign]
