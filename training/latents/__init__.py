"""Latents of a dataset's clips, encoded once and stored with it."""
