"""Casual Conversations, version 2: 26,467 videos of 5,567 paid people of seven countries.

Porgali et al., "The Casual Conversations v2 Dataset", CVPR Workshops 2023 (arXiv 2303.04838). From Meta, on request,
under a licence agreement of its own, which restricts the use of the data: read it before training on them.

Files are named `<person>_<language>_<scripted|nonscripted>_<number>.mp4`, such as `0007_portuguese_nonscripted_1.mp4`,
in any folders, as the archives were unpacked. The annotation, `CasualConversationsV2.json`, is a list with an object
per video, of which these are read:

    [{"video_name": "0007_portuguese_nonscripted_1.mp4", "subject_id": "0007", "age": "31", "gender": "cis woman",
      "fitzpatrick_skin_tone": {"type": "type iii", ...}, ...}, ...]

The language is that of the file's name. Age and gender are the person's own words, and `prefer not to say` is none;
annotators judged the type of skin, which becomes 1 to 6 as in version 1.

The speaker is the annotated `subject_id`, without annotation the number that the file's name begins with. Public
programs that read the data are the source of the format, not a description by Meta; some have `video_name` without the
ending, so endings are ignored. People are numbered from 0000 as in version 1, and are others.
"""

import json
import re
from dataclasses import replace
from pathlib import PurePosixPath

from curation.sources.entries import Entry, SourceError
from curation.sources.layouts.person_labels import person_labels
from curation.sources.layouts.tree import Labelled, Layout, Tree, note
from curation.sources.video_labels import NO_LABELS, VideoLabels
from manifests.files.names import UnsafeValueError

__all__ = ["CC_V2"]

_STEM = re.compile(r"(\d{4})_([a-z]+)_(?:non)?scripted_+\d+", re.IGNORECASE)

_ANNOTATION = "CasualConversationsV2.json"


def _has_marks(tree: Tree) -> bool:
    return bool(tree.videos) and all(_STEM.fullmatch(PurePosixPath(name).stem) for name in tree.videos)


def _label(tree: Tree) -> Labelled:
    annotated = _annotated(tree)
    entries, odd = [], []
    for name in tree.videos:
        stem = PurePosixPath(name).stem
        match = _STEM.fullmatch(stem)
        speaker, labels = annotated.get(stem, (match[1] if match else None, NO_LABELS))
        odd += [] if speaker else [name]
        labels = replace(labels, language=match[2].lower()) if match else labels
        entries.append(Entry(path=tree.root / name, source="cc_v2", speaker_id=speaker, labels=labels))
    note_text = (
        "are neither annotated nor named as Casual Conversations v2 names them: nobody is known to speak in them"
    )
    return Labelled(entries=tuple(entries), notes=note(odd, note_text))


def _annotated(tree: Tree) -> dict[str, tuple[str, VideoLabels]]:
    """Return speaker and labels of each annotated video by the stem of its name."""
    found = {}
    for name in (name for name in tree.others if PurePosixPath(name).name == _ANNOTATION):
        try:
            for video in json.loads(tree.text(name)):
                skin = (video.get("fitzpatrick_skin_tone") or {}).get("type")
                labels = person_labels(video.get("age"), video.get("gender"), skin)
                found[PurePosixPath(video["video_name"]).stem] = str(video["subject_id"]).zfill(4), labels
        except (ValueError, TypeError, AttributeError, KeyError, UnsafeValueError) as error:
            raise SourceError(
                f"{tree.root / name}: is not the annotation of Casual Conversations v2, a list of objects with "
                f"'video_name' and 'subject_id': {type(error).__name__}: {error}"
            ) from error
    return found


CC_V2 = Layout(name="cc_v2", has_marks=_has_marks, label=_label)
