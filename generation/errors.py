"""The one way in which a video cannot be made of what was given."""

from foundation.errors import UsageError

__all__ = ["GenerationError"]


class GenerationError(UsageError):
    """A picture, sound, video or run is not what a talking video can be made of; the message says what to do."""
