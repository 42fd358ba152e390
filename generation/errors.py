"""The one way in which a video cannot be made of what was given."""

__all__ = ["GenerationError"]


class GenerationError(ValueError):
    """A picture, sound, video or run is not what a talking video can be made of; the message says what to do."""
