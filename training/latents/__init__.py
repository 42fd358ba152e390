"""Latents of a dataset's clips, encoded once and cached beside it."""
