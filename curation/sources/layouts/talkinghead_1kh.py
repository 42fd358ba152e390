"""TalkingHead-1KH: 500,000 clips of talking heads, about 1,000 hours, out of YouTube videos under CC BY 3.0.

Wang, Mallya and Liu, "One-Shot Free-View Neural Talking-Head Synthesis for Video Conferencing", CVPR 2021. What is
published are lists and scripts, under MIT: https://github.com/tcwang0509/TalkingHead-1KH, whose README,
`videos_split.sh` and `videos_crop.py` are the source of what follows. They make, for `train`, `val` or `small`:

- `train/raw_videos/<YouTube id>.mp4`: as downloaded, without audio.
- `train/1min_clips/<YouTube id>_0000.mp4`: pieces of about a minute, cut at key frames.
- `train/cropped_clips/<YouTube id>_0000_S210_E926_L568_T63_R792_B351.mp4`: the faces; first and last frame in the
  piece, then the box.
- `data_list/train_video_tubes.txt`: a line per face, `<YouTube id>_0000,H,W,S,E,L,T,R,B`.

Taken is what is cut furthest: clips; pieces of videos that have no clip here, of which the stretches `S` to `E` (that
picture too) are curated; whole videos of which there is neither. In whole videos the stretches are not known: where a
piece begins depends on key frames.

The speaker is the YouTube id: the lists do not name people. A channel's other videos count as other speakers then.
"""

import re
from pathlib import PurePosixPath

from curation.sources.entries import Entry, SourceError
from curation.sources.layouts.tree import Labelled, Layout, Tree, note
from curation.sources.trims import Trim, united

__all__ = ["TALKINGHEAD_1KH"]

_NAME = re.compile(
    r"(?P<video>[A-Za-z0-9_-]{11})(?P<piece>_\d{4})?(?P<box>_S\d+_E\d+_L-?\d+_T-?\d+_R-?\d+_B-?\d+)?",
)

_TUBES = re.compile(r"\w+_video_tubes\.txt")

_N_FIELDS = 9


def _has_marks(tree: Tree) -> bool:
    if not tree.videos or not all(_match(name) for name in tree.videos):
        return False
    has_tubes = any(_TUBES.fullmatch(PurePosixPath(name).name) for name in tree.others)
    return has_tubes or any(match and match["box"] for match in map(_match, tree.videos))


def _label(tree: Tree) -> Labelled:
    tubes = _tubes(tree)
    named = {name: _match(name) for name in tree.videos}
    cropped = {match["video"] for match in named.values() if match and match["box"]}
    in_pieces = cropped | {match["video"] for match in named.values() if match and match["piece"]}
    entries, odd, is_cut, unlisted, whole = [], [], [], [], []
    for name, match in named.items():
        trims: tuple[Trim, ...] = ()
        if match is None:
            odd.append(name)
        elif not match["box"]:
            if match["video"] in (cropped if match["piece"] else in_pieces):
                is_cut.append(name)
                continue
            piece = PurePosixPath(name).stem
            if match["piece"] and tubes and piece not in tubes:
                unlisted.append(name)
                continue
            trims = tubes.get(piece, ())
            whole += [] if trims else [name]
        speaker = match["video"] if match else None
        entries.append(Entry(path=tree.root / name, source="talkinghead_1kh", speaker_id=speaker, trims=trims))
    return Labelled(
        entries=tuple(entries),
        notes=(
            *note(is_cut, "were passed over: what is cut out of them is here"),
            *note(unlisted, "were passed over: *_video_tubes.txt finds no face in them"),
            *note(whole, "are taken whole: no *_video_tubes.txt says which stretches of them to take"),
            *note(odd, "are not named as TalkingHead-1KH names them: nobody is known to speak in them"),
        ),
    )


def _match(name: str) -> re.Match[str] | None:
    match = _NAME.fullmatch(PurePosixPath(name).stem)
    return None if match and match["box"] and not match["piece"] else match


def _tubes(tree: Tree) -> dict[str, tuple[Trim, ...]]:
    """Return the stretches in which the lists find a face, by the piece's name."""
    found: dict[str, list[Trim]] = {}
    for name in (name for name in tree.others if _TUBES.fullmatch(PurePosixPath(name).name)):
        for number, line in enumerate(tree.text(name).splitlines(), start=1):
            if not line.strip():
                continue
            fields = [field.strip() for field in line.split(",")]
            if len(fields) != _N_FIELDS or not (fields[3].isdecimal() and fields[4].isdecimal()):
                raise SourceError(
                    f"{tree.root / name}:{number}: {line!r} is no line name,H,W,S,E,L,T,R,B with the numbers of the "
                    "first and last picture as S and E"
                )
            first, last = int(fields[3]), int(fields[4])
            if first > last:
                raise SourceError(f"{tree.root / name}:{number}: S {first} is after E {last}")
            found.setdefault(fields[0], []).append(Trim(start=float(first), end=float(last + 1), unit="pictures"))
    return {piece: united(trims) for piece, trims in found.items()}


TALKINGHEAD_1KH = Layout(name="talkinghead_1kh", has_marks=_has_marks, label=_label)
