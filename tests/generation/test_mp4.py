import errno
import io
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from curation.media.encode import encode_mp4
from foundation.array_types import Float32Array
from generation.mp4 import write_talking_mp4
from manifests.files.h264_mp4 import with_sound

RATE_HZ = 48_000


def _frames(n: int) -> list[np.ndarray]:
    return [np.full((64, 64, 3), 40 + 2 * k, np.uint8) for k in range(n)]


def talking_mp4(
    frames: Iterable[np.ndarray], size_px: int, audio: Float32Array | None, rate_hz: int, tags: Mapping[str, str]
) -> bytes:
    file = io.BytesIO()
    write_talking_mp4(file, frames, size_px, audio, rate_hz, tags)
    return file.getvalue()


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


def _without_average_rate(mp4: bytes) -> bytes:
    """Return a file with zeros for the average bit rate of its pictures: the last four bytes of the first btrt box."""
    at = mp4.index(b"btrt") + 4 + 8
    return mp4[:at] + bytes(4) + mp4[at + 4 :]


@pytest.mark.parametrize("n_frames", [1, 40, 333])
@pytest.mark.parametrize("n_samples", [None, 10, 40 * 1920, 400 * 1920])
def test_a_video_written_as_its_frames_come_is_that_of_all_frames_at_once(n_frames: int, n_samples: int | None) -> None:
    audio = None if n_samples is None else np.random.default_rng(0).uniform(-0.2, 0.2, n_samples).astype(np.float32)
    frames = [
        np.roll(np.tile(np.arange(64, dtype=np.uint8), (64, 3, 1)).transpose(0, 2, 1), k, 1) for k in range(n_frames)
    ]
    at_once = with_sound(encode_mp4(frames, 64), audio, RATE_HZ, {"comment": "made"})
    written = talking_mp4(iter(frames), 64, audio, RATE_HZ, {"comment": "made"})
    assert written == _without_average_rate(at_once)


def test_the_start_of_a_video_is_in_the_file_while_the_rest_is_made() -> None:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (300, 64, 64, 3), np.uint8)
    sizes = []

    def watched() -> Iterator[np.ndarray]:
        for frame in noise:
            sizes.append(len(file.getbuffer()))
            yield frame

    write_talking_mp4(file, watched(), 64, np.zeros(RATE_HZ, np.float32), RATE_HZ, {})
    # after 100 of 300 frames, a third less what encoder and muxer keep, 2 s
    assert sizes[100] > 1 / 6 * len(file.getvalue())
    assert sizes[299] > 5 / 6 * len(file.getvalue())


def test_a_full_disk_ends_a_video_with_its_own_error() -> None:
    class Full(io.BytesIO):
        def write(self, _content: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as raised:
        write_talking_mp4(Full(), _frames(50), 64, None, RATE_HZ, {})
    assert raised.value.errno == errno.ENOSPC
