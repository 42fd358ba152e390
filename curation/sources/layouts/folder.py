"""Plain folder: its first subfolders name the sources, and speakers are unknown.

What is not one of the known data sets. A folder of several data sets is one too: give each to a run of its own, with
the same dataset, so that their speakers are known.
"""

from pathlib import PurePosixPath

from curation.sources.entries import Entry
from curation.sources.layouts.tree import Labelled, Layout, Tree

__all__ = ["FOLDER"]


def _label(tree: Tree) -> Labelled:
    entries = []
    for name in tree.videos:
        parts = PurePosixPath(name).parts
        entries.append(Entry(path=tree.root / name, source=parts[0] if len(parts) > 1 else tree.name))
    return Labelled(entries=tuple(entries))


FOLDER = Layout(name="folder", has_marks=lambda _: False, label=_label)
