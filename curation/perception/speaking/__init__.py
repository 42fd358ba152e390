"""The active speaker: whether the face that is seen is the one that is heard."""
