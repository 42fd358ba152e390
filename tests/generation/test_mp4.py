import io
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from generation.mp4 import talking_mp4

RATE_HZ = 48_000


def _frames(n: int) -> list[np.ndarray]:
    return [np.full((64, 64, 3), 40 + 2 * k, np.uint8) for k in range(n)]


def _decoded_sound(mp4: bytes) -> np.ndarray:
    with av.open(io.BytesIO(mp4)) as opened:
        heard = [frame.to_ndarray()[0] for frame in opened.decode(audio=0)]
    return np.concatenate(heard)


def test_pictures_and_sound_begin_together_and_last_as_long_as_the_pictures() -> None:
    click = np.zeros(3 * RATE_HZ, np.float32)
    click[24_000:24_020] = 0.9
    mp4 = talking_mp4(_frames(50), 64, click, RATE_HZ, {})
    with av.open(io.BytesIO(mp4)) as opened:
        video, audio = opened.streams.video[0], opened.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.frames, video.average_rate, video.start_time, audio.start_time) == (50, 25, 0, 0)
        assert video.duration * video.time_base == 2
        assert audio.duration * audio.time_base == 2
        assert sum(1 for _ in opened.decode(video=0)) == 50
    assert abs(int(np.argmax(np.abs(_decoded_sound(mp4)))) - 24_010) < 48  # 1 ms


def test_sound_that_ends_early_is_followed_by_silence() -> None:
    tone = (0.3 * np.sin(np.arange(RATE_HZ) * 0.05)).astype(np.float32)
    heard = _decoded_sound(talking_mp4(_frames(50), 64, tone, RATE_HZ, {}))
    assert len(heard) >= 2 * RATE_HZ
    assert np.abs(heard[RATE_HZ + 4800 :]).max() < 1e-3
    assert np.abs(heard[:RATE_HZ]).max() > 0.25


def test_packets_of_both_tracks_lie_side_by_side() -> None:
    mp4 = talking_mp4(_frames(100), 64, np.zeros(4 * RATE_HZ, np.float32), RATE_HZ, {})
    with av.open(io.BytesIO(mp4)) as opened:
        at = [(packet.pos, float(packet.dts * packet.time_base)) for packet in opened.demux() if packet.dts is not None]
    times = [time_s for _, time_s in sorted(at)]
    assert max(earlier - later for earlier, later in pairwise(times)) < 0.5


def test_without_sound_there_is_no_sound_track() -> None:
    with av.open(io.BytesIO(talking_mp4(_frames(5), 64, None, RATE_HZ, {}))) as opened:
        assert not opened.streams.audio
        assert opened.duration == Fraction(1, 5) * av.time_base


def test_tags_are_in_the_container_and_the_same_arguments_give_the_same_bytes() -> None:
    made = [talking_mp4(_frames(5), 64, np.zeros(100, np.float32), RATE_HZ, {"comment": "made"}) for _ in range(2)]
    with av.open(io.BytesIO(made[0])) as opened:
        assert opened.metadata["comment"] == "made"
    assert made[0] == made[1]


def test_no_picture_is_an_error() -> None:
    with pytest.raises(ValueError, match="no frame"):
        talking_mp4([], 64, None, RATE_HZ, {})
