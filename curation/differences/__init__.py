"""Differences: what one dataset keeps and another, or the same under other settings, does not, and why."""
