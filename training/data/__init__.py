"""Clips as the trainers read them: selection, order, decoding."""
