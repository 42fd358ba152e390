"""Settings of decoding and encoding."""

from typing import Literal

from pydantic import Field

from foundation.settings import Settings

__all__ = ["DEFAULT_MEDIA_SETTINGS", "MediaSettings"]


class MediaSettings(Settings):
    """Settings of the decoder and of the video encoder."""

    decoder: Literal["auto", "pyav", "decord"] = "auto"
    """Library that decodes the frames. `auto` is PyAV, which was faster on every file measured. `decord` is an extra
    package; a video that it would time or show wrongly fails with the reason (`decoder_unfit`)."""
    decode_threads: int = Field(default=1, ge=1, le=16)
    """Threads of one decoder. 1, so that several workers share a machine without competing."""
    audio_track: str = Field(default="auto", pattern="^(auto|[1-9][0-9]?)$")
    """Which audio track of a file is heard: its number, 1 for the first, or `auto`: the one that the file prefers,
    unless another one speaks more than twice as much. A file with fewer tracks is taken as with `auto`."""
    crf: int = Field(default=18, ge=0, le=40)
    """libx264's constant rate factor; 18 is commonly taken as visually lossless."""
    key_frame_every: int = Field(default=12, ge=1, le=250)
    """Largest distance between key frames, frames: the most that a trainer decodes in vain at a random start."""
    encode_preset: str = Field(default="faster", pattern="^(ultrafast|superfast|veryfast|faster|fast|medium|slow)$")
    """libx264's preset: time against size. A dataset may be continued with another one."""


DEFAULT_MEDIA_SETTINGS = MediaSettings()
