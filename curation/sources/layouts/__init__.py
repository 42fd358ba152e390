"""Layouts of published data sets: who speaks in each video, and which stretches of it to curate."""

from curation.sources.layouts.recognition import LAYOUTS, LayoutChoice, labelled
from curation.sources.layouts.tree import LayoutName, Tree, note

__all__ = ["LAYOUTS", "LayoutChoice", "LayoutName", "Tree", "labelled", "note"]
