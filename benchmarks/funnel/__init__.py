"""Whole runs of two checkouts over made footage of which a known share is kept."""
