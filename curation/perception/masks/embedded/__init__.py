"""Small mask classifier of this project: inference in `classifier`, training in `teaching`."""

from curation.perception.masks.embedded.classifier import EmbeddedMask

__all__ = ["EmbeddedMask"]
