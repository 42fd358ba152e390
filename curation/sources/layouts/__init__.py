"""Layouts of published data sets: the speaker of each video, and the stretches of it to curate."""

from curation.choices import LayoutChoice, LayoutName
from curation.sources.layouts.recognition import LAYOUTS, labelled, settings_of_layout
from curation.sources.layouts.tree import Tree, note

__all__ = ["LAYOUTS", "LayoutChoice", "LayoutName", "Tree", "labelled", "note", "settings_of_layout"]
