"""Videos with sound that a browser plays: clips as they were rendered, and small copies of stretches of a source."""

import base64
import io
from fractions import Fraction

import av
import numpy as np

from curation.analysis.speaking_track import heard_by_number
from curation.media.audio import tick_audio
from curation.media.decoders import probe_for
from curation.media.frames import tick_frames
from curation.media.settings import MediaSettings
from foundation.array_types import Float32Array, RgbImage
from foundation.storage.path_text import path_of_text
from manifests.clip import Clip
from manifests.timeline import AUDIO_RATE_HZ, TICK_RATE_HZ, TickRange

__all__ = ["clip_video", "source_video", "video_address"]

_HEIGHT_PX = 200

_AAC_FRAME = 1024

_AUDIO_BPS = 48_000


def video_address(mp4: bytes) -> str:
    """Return a video as an address that holds it."""
    return f"data:video/mp4;base64,{base64.b64encode(mp4).decode('ascii')}"


def clip_video(clip: Clip) -> bytes:
    """Return a clip's pictures, as they are stored, and its sound in one MP4.

    Raises:
        MediaError: the clip is damaged, or its media are gone.
        DatasetError: its row is gone.
    """
    mp4, samples = clip.mp4(), clip.audio()
    content = io.BytesIO()
    with (
        av.open(io.BytesIO(mp4), mode="r", format="mov") as stored,
        av.open(content, mode="w", format="mp4") as output,
    ):
        pictures = stored.streams.video[0]
        copied = output.add_stream_from_template(pictures)
        sound = None if samples is None else _sound_stream(output)
        for packet in stored.demux(pictures):
            if packet.dts is not None:
                packet.stream = copied
                output.mux(packet)
        if sound is not None and samples is not None:
            _write_sound(output, sound, samples)
    return content.getvalue()


def source_video(path: str, audio_track: int | None, ticks: TickRange, media: MediaSettings) -> bytes:
    """Return a stretch of a source, 200 pixels high, with its sound.

    Args:
        path: as the table `videos` has it.
        audio_track: number of the audio track that was heard; None without one.
        ticks: of the stretch.
        media: how the source is decoded.

    Raises:
        MediaError: the source cannot be decoded, or has no picture in the stretch.
    """
    info = probe_for(path_of_text(path), media)
    info = info if audio_track is None else heard_by_number(info, audio_track)
    first, end = ticks[0], min(ticks[1], info.n_ticks)
    samples = tick_audio(info, first, end)
    content = io.BytesIO()
    with av.open(content, mode="w", format="mp4") as output:
        pictures = output.add_stream("libx264", rate=TICK_RATE_HZ, options={"crf": "30", "preset": "veryfast"})
        pictures.width = max(2, round(_HEIGHT_PX * info.width_px / info.height_px / 2) * 2)
        pictures.height, pictures.pix_fmt = _HEIGHT_PX, "yuv420p"
        pictures.codec_context.thread_count = 1
        sound = None if samples is None else _sound_stream(output)
        shown: RgbImage = np.zeros((pictures.height, pictures.width, 3), np.uint8)
        for number, frame in enumerate(tick_frames(info, first, end, media)):
            if frame.shown is not None:
                shown = frame.shown.thumbnail(pictures.width, pictures.height)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(shown), format="rgb24")
            picture.pts, picture.time_base = number, 1 / TICK_RATE_HZ
            output.mux(pictures.encode(picture))
        output.mux(pictures.encode(None))
        if sound is not None and samples is not None:
            _write_sound(output, sound, samples)
    return content.getvalue()


def _sound_stream(output: av.container.OutputContainer) -> av.AudioStream:
    stream = output.add_stream("aac", rate=AUDIO_RATE_HZ, layout="mono")
    stream.bit_rate = _AUDIO_BPS
    return stream


def _write_sound(output: av.container.OutputContainer, stream: av.AudioStream, samples: Float32Array) -> None:
    for first in range(0, len(samples), _AAC_FRAME):
        block = np.ascontiguousarray(samples[None, first : first + _AAC_FRAME], dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = AUDIO_RATE_HZ, first, Fraction(1, AUDIO_RATE_HZ)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
