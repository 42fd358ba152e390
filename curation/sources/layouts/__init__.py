"""Layouts of published data sets: who speaks in each video, and which stretches of it to curate."""

from curation.choices import LayoutChoice, LayoutName
from curation.sources.layouts.recognition import LAYOUTS, labelled
from curation.sources.layouts.tree import Tree, note

__all__ = ["LAYOUTS", "LayoutChoice", "LayoutName", "Tree", "labelled", "note"]
