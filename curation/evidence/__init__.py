"""Evidence of a video: one row per tick and one per face."""
