import io

import av
import numpy as np
import pytest
import soundfile
from helpers.made_videos import counted_picture, read_count

from curation.media.encode import encode_flac, encode_mp4
from curation.media.settings import MediaSettings
from foundation.array_types import RgbImage


def pictures(n: int) -> list[RgbImage]:
    return [counted_picture(k, 256, 256) for k in range(n)]


def decoded(mp4: bytes) -> list[RgbImage]:
    with av.open(io.BytesIO(mp4)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_frame_k_is_at_k_ticks_with_nothing_before_it() -> None:
    with av.open(io.BytesIO(encode_mp4(pictures(40)))) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.codec_context.width, stream.codec_context.height) == (256, 256)
        assert (stream.average_rate, stream.start_time, stream.frames) == (25, 0, 40)
        packets = [packet for packet in container.demux(stream) if packet.size]
    assert [packet.pts * packet.time_base * 25 for packet in packets] == list(range(40))
    assert [packet.dts for packet in packets] == [packet.pts for packet in packets]


def test_the_pictures_come_back_in_order_and_alike() -> None:
    sent = pictures(30)
    got = decoded(encode_mp4(sent))
    assert [read_count(picture) for picture in got] == list(range(30))
    error = np.abs(got[7].astype(int) - sent[7].astype(int)).mean()
    assert error < 3


def test_key_frames_are_at_most_twelve_apart_even_in_still_pictures() -> None:
    rng = np.random.default_rng(0)
    for frames in (
        pictures(60),
        [counted_picture(1, 256, 256)] * 60,
        list(rng.integers(0, 255, (30, 256, 256, 3), np.uint8)),
    ):
        with av.open(io.BytesIO(encode_mp4(frames))) as container:
            keys = [k for k, packet in enumerate(container.demux(video=0)) if packet.size and packet.is_keyframe]
        assert keys[0] == 0
        assert max(np.diff([*keys, len(frames)])) <= 12


def test_the_tags_are_those_of_the_pixels() -> None:
    mp4 = encode_mp4(pictures(3))
    with av.open(io.BytesIO(mp4)) as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_range, frame.color_trc, frame.color_primaries) == (1, 1, 1, 1)
    # BT.709 limited range, from the definition: Y' = 16 + 219 (0.2126 R + 0.7152 G + 0.0722 B)
    red, green, blue = np.array([150, 20, 20]) / 255
    luma = 16 + 219 * (0.2126 * red + 0.7152 * green + 0.0722 * blue)
    plane = frame.to_ndarray()[:256]
    assert abs(float(plane[200:240, 20:100].mean()) - luma) < 1.5


def test_the_same_frames_give_the_same_bytes_and_no_date() -> None:
    first = encode_mp4(pictures(30))
    assert encode_mp4(iter(pictures(30))) == first
    with av.open(io.BytesIO(first)) as container:
        assert "creation_time" not in container.metadata
        assert "encoder" not in container.metadata


def test_quality_follows_the_setting() -> None:
    noise = list(np.random.default_rng(0).integers(0, 255, (5, 256, 256, 3), np.uint8))
    assert len(encode_mp4(noise, settings=MediaSettings(crf=35))) < len(
        encode_mp4(noise, settings=MediaSettings(crf=18))
    )


def test_wrong_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="no frame"):
        encode_mp4([])
    with pytest.raises(ValueError, match="frame 1 is uint8 of shape"):
        encode_mp4([counted_picture(0, 256, 256), counted_picture(1, 320, 192)])
    with pytest.raises(ValueError, match=r"frame 0 is \('yuv420p', 64, 64\)"):
        encode_mp4([av.VideoFrame(64, 64, "yuv420p")])
    with pytest.raises(ValueError, match="even"):
        encode_mp4([], size_px=255)


def test_sound_of_sixteen_bits_comes_back_unchanged() -> None:
    levels = np.random.default_rng(0).integers(-32_768, 32_768, 50_123)
    flac = encode_flac((levels / 32_768).astype(np.float32))
    samples, rate_hz = soundfile.read(io.BytesIO(flac), dtype="int16")  # libFLAC: another implementation
    assert rate_hz == 16_000
    np.testing.assert_array_equal(samples, levels)
    assert encode_flac((levels / 32_768).astype(np.float32)) == flac


def test_sound_beyond_full_scale_is_clipped_not_wrapped() -> None:
    samples, _ = soundfile.read(
        io.BytesIO(encode_flac(np.array([0.0, 1.0, 1.7, -1.0, -1.7], np.float32))), dtype="int16"
    )
    assert samples.tolist() == [0, 32_767, 32_767, -32_768, -32_768]


def test_wrong_sound_is_refused() -> None:
    for wrong in (np.zeros((2, 100), np.float32), np.zeros(0, np.float32), np.array([0.0, np.nan], np.float32)):
        with pytest.raises(ValueError, match="audio"):
            encode_flac(wrong)
