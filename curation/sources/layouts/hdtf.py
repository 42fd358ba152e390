"""HDTF, the High-definition Talking Face data set: about 16 hours of more than 300 subjects, from YouTube.

Zhang et al., "Flow-Guided One-Shot Talking Face Generation With a High-Resolution Audio-Visual Dataset", CVPR 2021.

What is published is a list, not videos: https://github.com/MRzzm/HDTF, whose README and `HDTF_dataset/*.txt` are the
source of what follows (files of the commits 428273f6 and be1ba974), and its `download.py`. It names no licence of the
lists at that state; the videos stay their owners'. Per subset (`RD`, `WDA`, `WRA`):

- `WDA_video_url.txt`: `KatieHill https://...`, a video's name and address.
- `WDA_annotion_time.txt` (spelt so): `JoeNeguse.mp4 00:35-01:40 02:10-02:55`, the stretches of a video, minutes and
  seconds.
- `WDA_crop_wh.txt`, `WDA_crop_ratio.txt`, `WDA_resolution.txt`: not read; the face is found again here.

The script writes clips `WDA_JoeNeguse_000.mp4`, one per stretch, and keeps the uncut `_videos_raw/WDA_JoeNeguse.mp4`.
By hand, after the README, they are called `JoeNeguse_0.mp4` and `JoeNeguse.mp4`. Of an uncut video only the stretches
are curated. They are united: one line of the lists overlaps itself (`MittRomney.mp4 08:10-08:30 00:33-08:53`).

A name ends in a number where a person has several videos (`AmyKlobuchar0`, `AmyKlobuchar1`, `ChrisCoons`,
`ChrisCoons1`): the speaker is the name without it. `Radio1` to `Radio59` of subset `RD` do not name anybody: each is
taken for a speaker of its own, which may separate one person's videos.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from curation.sources.entries import Entry, SourceError
from curation.sources.layouts.tree import Labelled, Layout, Tree, note
from curation.sources.trims import Trim, united

__all__ = ["HDTF"]

_NAME = re.compile(r"(?:(?P<subset>RD|WDA|WRA)_)?(?P<video>[A-Za-z][A-Za-z0-9-]*)(?:_(?P<clip>\d+))?")

_TIMES = re.compile(r"(?:RD|WDA|WRA)_annotion_time\.txt")

_STRETCH = re.compile(r"(\d+):(\d\d)-(\d+):(\d\d)")

_NOBODY = re.compile(r"Radio\d+")


def _has_marks(tree: Tree) -> bool:
    listed = {video for _, video, _ in _lines(tree)}
    names = (_NAME.fullmatch(PurePosixPath(name).stem) for name in tree.videos)
    return bool(tree.videos) and all(name and (name["subset"] or name["video"] in listed) for name in names)


def _label(tree: Tree) -> Labelled:
    stretches = _stretches(tree)
    named = {name: _NAME.fullmatch(PurePosixPath(name).stem) for name in tree.videos}
    cut = {match["video"] for match in named.values() if match and match["clip"]}
    entries, odd, is_cut, unlisted, whole = [], [], [], [], []
    for name, match in named.items():
        trims: tuple[Trim, ...] = ()
        if match is None:
            odd.append(name)
        elif not match["clip"]:
            if match["video"] in cut:
                is_cut.append(name)
                continue
            if stretches and match["video"] not in stretches:
                unlisted.append(name)
                continue
            trims = stretches.get(match["video"], ())
            whole += [] if trims else [name]
        speaker = None if match is None else _speaker(match["video"])
        entries.append(Entry(path=tree.root / name, source="hdtf", speaker_id=speaker, trims=trims))
    return Labelled(
        entries=tuple(entries),
        notes=(
            *note(is_cut, "are uncut and were passed over: their clips are here"),
            *note(unlisted, "were passed over: *_annotion_time.txt does not list them"),
            *note(whole, "are taken whole: no *_annotion_time.txt is here that says which stretches to take"),
            *note(odd, "are not named as HDTF names them: nobody is known to speak in them"),
        ),
    )


def _speaker(video: str) -> str:
    return video if _NOBODY.fullmatch(video) else video.rstrip("0123456789")


def _time_files(tree: Tree) -> list[str]:
    return [name for name in tree.others if _TIMES.fullmatch(PurePosixPath(name).name)]


def _lines(tree: Tree) -> Iterator[tuple[str, str, list[str]]]:
    """Yield position, video's name and stretches of each line of the lists."""
    for name in _time_files(tree):
        for number, line in enumerate(tree.text(name).splitlines(), start=1):
            if words := line.split():
                yield f"{tree.root / name}:{number}", words[0].removesuffix(".mp4"), words[1:]


def _stretches(tree: Tree) -> dict[str, tuple[Trim, ...]]:
    """Return the stretches of each video that the lists name."""
    found: dict[str, list[Trim]] = {}
    for place, video, words in _lines(tree):
        for word in words:
            match = _STRETCH.fullmatch(word)
            times = [] if match is None else [int(number) for number in match.groups()]
            if not times or 60 * times[0] + times[1] >= 60 * times[2] + times[3]:
                raise SourceError(f"{place}: {word!r} is no stretch of a video; write it as 00:35-01:40, start first")
            trim = Trim(start=float(60 * times[0] + times[1]), end=float(60 * times[2] + times[3]))
            found.setdefault(video, []).append(trim)
    return {video: united(trims) for video, trims in found.items()}


HDTF = Layout(name="hdtf", has_marks=_has_marks, label=_label)
