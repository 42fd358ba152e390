"""Command `gaia-train`."""
