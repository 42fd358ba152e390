"""Casual Conversations, version 2: 26,467 videos of 5,567 paid people of seven countries.

Porgali et al., "The Casual Conversations v2 Dataset", CVPR Workshops 2023 (arXiv 2303.04838). From Meta, on request,
under a licence agreement of its own, which restricts the use of the data: read it before training on them.

Files are named `<person>_<language>_<scripted|nonscripted>_<number>.mp4`, such as `0007_portuguese_nonscripted_1.mp4`,
in any folders, as the archives were unpacked. The annotation, `CasualConversationsV2.json`, is a list with an object
per video, of which `video_name` and `subject_id` are read:

    [{"video_name": "0007_portuguese_nonscripted_1.mp4", "subject_id": "0007", ...}, ...]

The speaker is the annotated `subject_id`, without annotation the number that the file's name begins with. Public
programs that read the data are the source of the format, not a description by Meta; some have `video_name` without the
ending, so endings are ignored. People are numbered from 0000 as in version 1, and are others.
"""

import json
import re
from pathlib import PurePosixPath

from curation.sources.entries import Entry, SourceError
from curation.sources.layouts.tree import Labelled, Layout, Tree, note

__all__ = ["CC_V2"]

_STEM = re.compile(r"(\d{4})_[a-z]+_(?:non)?scripted_+\d+", re.IGNORECASE)

_ANNOTATION = "CasualConversationsV2.json"


def _has_marks(tree: Tree) -> bool:
    return bool(tree.videos) and all(_STEM.fullmatch(PurePosixPath(name).stem) for name in tree.videos)


def _label(tree: Tree) -> Labelled:
    annotated = _annotated(tree)
    entries, odd = [], []
    for name in tree.videos:
        stem = PurePosixPath(name).stem
        match = _STEM.fullmatch(stem)
        speaker = annotated.get(stem) or (match[1] if match else None)
        odd += [] if speaker else [name]
        entries.append(Entry(path=tree.root / name, source="cc_v2", speaker_id=speaker))
    note_text = (
        "are neither annotated nor named as Casual Conversations v2 names them: nobody is known to speak in them"
    )
    return Labelled(entries=tuple(entries), notes=note(odd, note_text))


def _annotated(tree: Tree) -> dict[str, str]:
    """Return the speaker of each annotated video by the stem of its name."""
    speaker_of = {}
    for name in (name for name in tree.others if PurePosixPath(name).name == _ANNOTATION):
        try:
            for video in json.loads(tree.text(name)):
                speaker_of[PurePosixPath(video["video_name"]).stem] = str(video["subject_id"]).zfill(4)
        except (ValueError, TypeError, KeyError) as error:
            raise SourceError(
                f"{tree.root / name}: is not the annotation of Casual Conversations v2, a list of objects with "
                f"'video_name' and 'subject_id': {type(error).__name__}: {error}"
            ) from error
    return speaker_of


CC_V2 = Layout(name="cc_v2", has_marks=_has_marks, label=_label)
