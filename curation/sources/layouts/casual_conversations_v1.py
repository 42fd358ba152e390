"""Casual Conversations, version 1: 45,186 videos of 3,011 paid people of the USA, who gave age and gender themselves.

Hazirbas et al., "Towards Measuring Fairness in AI: the Casual Conversations Dataset", 2021. From Meta, on request,
under a licence agreement of its own, which restricts the use of the data: read it before training on them.

Folders `CasualConversationsA`, `CasualConversationsB` ... hold a folder per person, and the annotation a file
`CasualConversations.json`, of the smaller edition `CasualConversations_mini.json`:

    {"1178": {"label": {"age": "29", "gender": "Female", "skin-type": "3"},
              "files": ["CasualConversationsA/1178/1178_08.MP4", ...], "dark_files": [...]}, ...}

The speaker is the key under which a video's file stands; without annotation, the folder's number, by which the files
are named too. Age, gender and type of skin (Fitzpatrick's, 1 to 6, judged by annotators) become labels; `N/A` is none.
Public programs that read the data are the source of the format, not a description by Meta; whether all
keys have four digits is not known, so they are filled up to four.
"""

import json
import re
from pathlib import PurePosixPath

from curation.sources.entries import Entry, SourceError
from curation.sources.layouts.person_labels import person_labels
from curation.sources.layouts.tree import Labelled, Layout, Tree, note
from curation.sources.video_labels import NO_LABELS, VideoLabels
from manifests.files.names import UnsafeValueError

__all__ = ["CC_V1"]

_STEM = re.compile(r"(\d{4})_\d{2}")

_ANNOTATION = re.compile(r"CasualConversations(?:_mini)?\.json")


def _has_marks(tree: Tree) -> bool:
    return bool(tree.videos) and all(_folder_of(tree, name) for name in tree.videos)


def _label(tree: Tree) -> Labelled:
    annotated = _annotated(tree)
    entries, odd = [], []
    for name in tree.videos:
        speaker, labels = annotated.get(tree.parts(name)[-2:], (_folder_of(tree, name), NO_LABELS))
        odd += [] if speaker else [name]
        entries.append(Entry(path=tree.root / name, source="cc_v1", speaker_id=speaker, labels=labels))
    note_text = "are neither annotated nor named as Casual Conversations names them: nobody is known to speak in them"
    return Labelled(entries=tuple(entries), notes=note(odd, note_text))


def _folder_of(tree: Tree, name: str) -> str | None:
    """Return the person's number that names the folder of a file; None where its name does not begin with it."""
    parts = tree.parts(name)
    match = _STEM.fullmatch(parts[-1])
    return match[1] if match and parts[-2:-1] == (match[1],) else None


def _annotated(tree: Tree) -> dict[tuple[str, ...], tuple[str, VideoLabels]]:
    """Return speaker and labels of each annotated file, by the last folder and the stem of its name."""
    found: dict[tuple[str, ...], tuple[str, VideoLabels]] = {}
    for name in (name for name in tree.others if _ANNOTATION.fullmatch(PurePosixPath(name).name)):
        try:
            for key, person in json.loads(tree.text(name)).items():
                label = person.get("label", {})
                labels = person_labels(label.get("age"), label.get("gender"), label.get("skin-type"))
                for file in person["files"]:
                    path = PurePosixPath(file)
                    found[(path.parent.name, path.stem)] = key.zfill(4), labels
        except (ValueError, TypeError, AttributeError, KeyError, UnsafeValueError) as error:
            raise SourceError(
                f"{tree.root / name}: is not the annotation of Casual Conversations, an object of people with their "
                f"'files': {type(error).__name__}: {error}"
            ) from error
    return found


CC_V1 = Layout(name="cc_v1", has_marks=_has_marks, label=_label)
