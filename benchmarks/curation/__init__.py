"""Measurements of `gaia-curate` and its parts."""
