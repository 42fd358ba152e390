"""VoxCeleb2: about a million utterances of 6,112 celebrities, cut out of 150,480 YouTube interviews.

Chung, Nagrani and Zisserman, "VoxCeleb2: Deep Speaker Recognition", Interspeech 2018;
https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox2.html, on request. The metadata are under CC BY 4.0; the videos stay
their owners'.

- `dev/mp4/id00012/21Uxsk56VDQ/00001.mp4`: person, YouTube id, utterance: the face at 25 frames a second.
- `txt/id00012/21Uxsk56VDQ/00001.txt`: position of the utterance in the interview. Lines `Identity`, `Reference`,
  `Offset`, `FV Conf`, `ASD Conf`, then `FRAME X Y W H` and a line for each frame, such as
  `008809 0.123 0.136 0.422 0.749`.
- `id10283#r9-0pljhZqs#009636#009808.mp4`, `id10257#fI-1LgrsNNE#00005.txt#000.mp4`, `id00017#01dfn2spqyE#001.mp4`: the
  same as one name, as programs write it that crop VoxCeleb for face animation: person, YouTube id, and an utterance
  with a number, or first and last picture. With `-` or `_` in place of `#` it is an utterance of Kaldi's recipes; below
  a person's folder the name may begin with the YouTube id.
- `vox2_meta.csv`: names, gender and split of the people; not read, for the ids are what stands in the paths.

The speaker is the folder `id...`, or what the name begins with. Uncut interviews, which people have from YouTube, are
known where they are named by the 11 letters of their id: what is curated of them are the utterances of the `txt` files.
That pictures are counted there at 25 a second is how public programs read them; no description by the authors was
found.

The clips are 224 by 224 px, in which a face is some 80 to 120 px wide: much of it is under the limits that a preset has
for videos in general. The layout has limits of its own, because GAIA trains on these clips all the same (Table 7).
"""

import re
from collections.abc import Iterator

from curation.sources.entries import Entry, SourceError
from curation.sources.layouts.tree import Labelled, Layout, Tree, note
from curation.sources.trims import Trim, united

__all__ = ["VOXCELEB2"]

_PERSON = re.compile(r"id\d{5}")

_YOUTUBE = re.compile(r"[A-Za-z0-9_-]{11}")

_UTTERANCE = re.compile(r"\d{5}")

_JOINED = re.compile(
    r"(?:(?P<person>id\d{5})[#_-])?(?P<video>[A-Za-z0-9_-]{11})[#_-]\d{3,6}(?:\.txt)?(?:[#_-]\d{3,6})?"
)
"""An utterance as one name."""

_FRAMES_PER_S = 25


def _has_marks(tree: Tree) -> bool:
    interviews = _utterance_files(tree)
    return bool(tree.videos) and all(
        _person_and_video(tree.parts(name)) or tree.parts(name)[-1] in interviews for name in tree.videos
    )


def _label(tree: Tree) -> Labelled:
    files = _utterance_files(tree)
    utterances = {name: _person_and_video(tree.parts(name)) for name in tree.videos}
    cut = {utterance[1] for utterance in utterances.values() if utterance}
    entries, odd, is_cut, shared = [], [], [], []
    for name in tree.videos:
        parts = tree.parts(name)
        speaker, trims = None, tuple[Trim, ...]()
        utterance = utterances[name]
        if utterance:
            speaker = utterance[0]
        elif parts[-1] in cut:
            is_cut.append(name)
            continue
        elif _YOUTUBE.fullmatch(parts[-1]):
            people = files.get(parts[-1], {})
            own = parts[-2] if _PERSON.fullmatch(parts[-2]) else None
            if own is None and len(people) > 1:
                shared.append(name)
                continue
            speaker = own or next(iter(people), None)
            trims = united(_utterance(tree, file) for file in people.get(speaker or "", ()))
        odd += [] if speaker else [name]
        entries.append(Entry(path=tree.root / name, source="voxceleb2", speaker_id=speaker, trims=trims))
    return Labelled(
        entries=tuple(entries),
        notes=(
            *note(is_cut, "are uncut and were passed over: their utterances are here"),
            *note(shared, "were passed over: the txt files find several people in them; put them in a person's folder"),
            *note(odd, "do not lie as VoxCeleb2 lies: nobody is known to speak in them"),
        ),
    )


def _is_utterance(parts: tuple[str, ...]) -> bool:
    patterns = (_PERSON, _YOUTUBE, _UTTERANCE)
    return len(parts) >= len(patterns) and all(
        pattern.fullmatch(part) for pattern, part in zip(patterns, parts[-3:], strict=True)
    )


def _person_and_video(parts: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the person and the YouTube id of an utterance; None of any other file."""
    if _is_utterance(parts):
        return parts[-3], parts[-2]
    joined = _JOINED.fullmatch(parts[-1])
    if joined is None:
        return None
    person = joined["person"] or next((part for part in parts[-2:-1] if _PERSON.fullmatch(part)), None)
    return None if person is None else (person, joined["video"])


def _utterance_files(tree: Tree) -> dict[str, dict[str, list[str]]]:
    """Return the names of the `txt` files by YouTube id and person."""
    found: dict[str, dict[str, list[str]]] = {}
    for name in tree.others:
        parts = tree.parts(name)
        if name.endswith(".txt") and _is_utterance(parts):
            found.setdefault(parts[-2], {}).setdefault(parts[-3], []).append(name)
    return found


def _utterance(tree: Tree, name: str) -> Trim:
    """Return the stretch from the first to the last frame that a `txt` file lists."""
    numbers = list(_frame_numbers(tree, name))
    if not numbers:
        raise SourceError(f"{tree.root / name}: lists no picture below a line that begins with FRAME")
    return Trim(start=min(numbers) / _FRAMES_PER_S, end=(max(numbers) + 1) / _FRAMES_PER_S)


def _frame_numbers(tree: Tree, name: str) -> Iterator[int]:
    below = False
    for number, line in enumerate(tree.text(name).splitlines(), start=1):
        words = line.split()
        if below and words:
            if not words[0].isdecimal():
                raise SourceError(f"{tree.root / name}:{number}: {words[0]!r} is not the number of a picture")
            yield int(words[0])
        below = below or words[:1] == ["FRAME"]


VOXCELEB2 = Layout(
    name="voxceleb2",
    has_marks=_has_marks,
    label=_label,
    settings={"rules.small_face.strict_px": 80.0, "rules.small_face.loose_px": 64.0},
)
