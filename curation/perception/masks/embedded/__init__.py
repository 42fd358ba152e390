"""A small mask classifier of our own: inference in `classifier`, the training beside it."""

from curation.perception.masks.embedded.classifier import EmbeddedMask

__all__ = ["EmbeddedMask"]
