"""Validation while a network trains: metrics on held-out clips, the best checkpoint, the early end."""
