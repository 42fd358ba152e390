"""Measurement of a video: frames and audio in, evidence out."""
