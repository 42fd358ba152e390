"""How published data sets lie in their folders: who speaks in each video, and which stretches of it are asked for."""

from curation.choices import LayoutChoice, LayoutName
from curation.sources.layouts.recognition import LAYOUTS, labelled
from curation.sources.layouts.tree import Tree, note

__all__ = ["LAYOUTS", "LayoutChoice", "LayoutName", "Tree", "labelled", "note"]
