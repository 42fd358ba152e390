"""What a generated file says of itself: that a trained model made it."""

__all__ = ["COMMENT", "DIGITAL_SOURCE_TYPE"]

COMMENT = "AI-generated talking video, not a recording of a person. Made with gaia-avatar from one picture."
"""Stands in the container's `comment`, which players show."""

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for media that a trained model made."""
