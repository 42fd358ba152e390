"""A small mask classifier of our own: inference in `classifier`, the training beside it."""

from curation.perception.embedded_mask.classifier import EmbeddedMask

__all__ = ["EmbeddedMask"]
