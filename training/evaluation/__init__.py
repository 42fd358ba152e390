"""Metrics of generated videos: pictures, landmarks, lip synchronisation, identity, motion."""
