"""Recognition of the layout of a folder: the one that the user names, or the one that fits the names of all videos."""

from collections.abc import Mapping

from curation.choices import LayoutChoice, LayoutName
from curation.sources.entries import SourceError
from curation.sources.layouts.casual_conversations_v1 import CC_V1
from curation.sources.layouts.casual_conversations_v2 import CC_V2
from curation.sources.layouts.folder import FOLDER
from curation.sources.layouts.hdtf import HDTF
from curation.sources.layouts.talkinghead_1kh import TALKINGHEAD_1KH
from curation.sources.layouts.tree import Labelled, Layout, Tree
from curation.sources.layouts.voxceleb2 import VOXCELEB2

__all__ = ["LAYOUTS", "labelled", "settings_of_layout"]

LAYOUTS: tuple[Layout, ...] = (HDTF, CC_V1, CC_V2, VOXCELEB2, TALKINGHEAD_1KH, FOLDER)


def settings_of_layout(name: LayoutName | None) -> Mapping[str, float]:
    """Return the settings that a layout brings, by dotted name; none where there is no layout."""
    return next((layout.settings for layout in LAYOUTS if layout.name == name), {})


def labelled(tree: Tree, choice: LayoutChoice) -> tuple[LayoutName, Labelled]:
    """Return a folder's layout and its videos with the labels of the layout.

    Raises:
        SourceError: the layout is unknown, or annotation is not what it should be.
        StorageError: its store cannot be reached.
    """
    if choice != "auto":
        named = next((layout for layout in LAYOUTS if layout.name == choice), None)
        if named is None:
            raise SourceError(f"layout {choice!r} is unknown; known are auto, {', '.join(one.name for one in LAYOUTS)}")
        return named.name, named.label(tree)
    fitting = [layout for layout in LAYOUTS if layout.has_marks(tree)]
    if len(fitting) == 1:
        (layout,) = fitting
        found = layout.label(tree)
        note_text = f"{tree.root} has the layout {layout.name}; --layout folder would take it as a plain folder."
        return layout.name, Labelled(entries=found.entries, notes=(note_text, *found.notes))
    found = FOLDER.label(tree)
    if fitting:
        names = " and ".join(layout.name for layout in fitting)
        note_text = f"{tree.root} may have the layouts {names}: it was taken as a plain folder. Name one with --layout."
        found = Labelled(entries=found.entries, notes=(note_text,))
    return FOLDER.name, found
