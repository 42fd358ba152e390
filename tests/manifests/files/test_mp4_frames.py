"""Frames that are decoded without a demuxer: those that a demuxer gives, and of any other file none."""

import io
import struct
import tracemalloc
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from manifests.errors import MediaError
from manifests.files import media
from manifests.files.media import frames_at
from manifests.files.mp4_frames import frame_table

N_FRAMES = 40


def _mp4(
    n_frames: int = N_FRAMES, rate: int = 25, side: int = 64, options: dict[str, str] | None = None, **container: object
) -> bytes:
    sink = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (n_frames, side, side, 3), dtype=np.uint8)
    with av.open(sink, "w", format="mp4", **container) as muxer:
        stream = muxer.add_stream(
            "libx264", rate=rate, options={"bf": "0", "g": "12", "sc_threshold": "0", **(options or {})}
        )
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(noise):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            muxer.mux(stream.encode(frame))
        muxer.mux(stream.encode())
    return sink.getvalue()


@pytest.fixture(scope="module")
def clip() -> bytes:
    return _mp4()


def test_the_table_is_the_one_of_a_demuxer(clip: bytes) -> None:
    table = frame_table(clip)
    assert table is not None
    with av.open(io.BytesIO(clip)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert table.extradata == container.streams.video[0].codec_context.extradata
    assert table.start.tolist() == [packet.pos for packet in packets]
    assert list(table.frames(clip, 0, N_FRAMES)) == [bytes(packet) for packet in packets]
    assert list(table.key_frames) == [number for number, packet in enumerate(packets) if packet.is_keyframe]
    assert (table.width_px, table.height_px) == (64, 64)
    assert [table.first_for(number) for number in (0, 11, 12, 39)] == [0, 0, 12, 36]


def test_frames_in_several_chunks_are_found() -> None:
    clip = _mp4(160, side=128, options={"qp": "0"})
    assert clip[clip.index(b"stco") + 8 : clip.index(b"stco") + 12] > b"\0\0\0\1"
    table = frame_table(clip)
    assert table is not None
    with av.open(io.BytesIO(clip)) as container:
        assert table.start.tolist() == [packet.pos for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize("numbers", [[0], [39], [0, 1, 2], [5, 13], [3, 9, 11, 12, 30, 31], list(range(N_FRAMES)), []])
@pytest.mark.parametrize("size_px", [None, 32, 100])
def test_pictures_are_those_of_a_demuxer(clip: bytes, numbers: list[int], size_px: int | None) -> None:
    found = frames_at(clip, numbers, size_px)
    assert np.array_equal(found, media._demuxed_images(clip, numbers, size_px, None))


def test_a_clip_of_ours_is_not_demuxed(clip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "_demuxed_images", None)
    assert frames_at(clip, [3, 30], clip_px=64).shape == (2, 64, 64, 3)


def _with(clip: bytes, box: str, offset: int, value: int) -> bytes:
    """The same file with another number in a box, `offset` bytes after its type."""
    changed = bytearray(clip)
    struct.pack_into(">I", changed, clip.rindex(box.encode()) + offset, value)
    return bytes(changed)


_CHANGES = {
    "an edit that begins later": ("elst", 16, 512),
    "an edit that ends sooner": ("elst", 12, 100),
    "another speed": ("elst", 20, 1 << 17),
    "another rate": ("mdhd", 16, 12_000),
    "two runs of times": ("stts", 8, 2),
    "fewer times": ("stts", 12, N_FRAMES - 1),
    "frames of one size": ("stsz", 8, 7),
    "a chunk beyond the end": ("stco", 12, 1 << 30),
    "a chunk of many frames": ("stsc", 16, 1 << 31),
    "another description": ("stsc", 20, 2),
    "frames that begin with no key frame": ("stss", 12, 2),
    "key frames that are not in order": ("stss", 16, 1),
    "two descriptions": ("stsd", 8, 2),
}


@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_a_file_that_is_not_as_clips_are_has_no_table(clip: bytes, change: tuple[str, int, int]) -> None:
    assert frame_table(_with(clip, *change)) is None


@pytest.mark.parametrize(
    "made", [{"rate": 30}, {"options": {"bf": "2"}}, {"container_options": {"movflags": "frag_keyframe"}}]
)
def test_other_videos_have_no_table(made: dict[str, Any]) -> None:
    assert frame_table(_mp4(**made)) is None


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\0\0\0\x08moov"])
def test_what_is_no_video_has_no_table(content: bytes) -> None:
    assert frame_table(content) is None


def test_a_clip_of_another_size_is_refused_as_before(clip: bytes) -> None:
    with pytest.raises(MediaError, match="64x64 px, not 256x256"):
        frames_at(clip, [0], clip_px=256)


def test_no_spoilt_header_leads_outside_the_file(clip: bytes) -> None:
    first = clip.index(b"moov") - 4
    draw = np.random.default_rng(3)
    for _ in range(400):
        spoilt = bytearray(clip)
        for at in draw.integers(first, len(clip), 3):
            spoilt[at] = draw.integers(256)
        table = frame_table(bytes(spoilt))
        if table is not None:
            assert table.start.min() >= 0
            assert (table.start + table.size).max() <= len(clip)
            assert all(0 <= key < len(table.start) for key in table.key_frames)


_MOST = 0xFFFFFFFF

_STATED = {
    "frames of four GiB": ("stsz", 16, _MOST),
    "an empty frame": ("stsz", 16, 0),
    "thousands of millions of sizes": ("stsz", 12, _MOST),
    "sizes whose length overflows 32 bits": ("stsz", 12, 1 << 30),
    "no sizes": ("stsz", 12, 0),
    "a chunk at four GiB": ("stco", 12, _MOST),
    "thousands of millions of chunks": ("stco", 8, _MOST),
    "no chunks": ("stco", 8, 0),
    "thousands of millions of runs of chunks": ("stsc", 8, _MOST),
    "no runs of chunks": ("stsc", 8, 0),
    "thousands of millions of frames in a chunk": ("stsc", 16, _MOST),
    "thousands of millions of key frames": ("stss", 8, _MOST),
    "no key frames": ("stss", 8, 0),
    "a key frame beyond the last": ("stss", 16, _MOST),
    "thousands of millions of times": ("stts", 12, _MOST),
    "no time between frames": ("stts", 16, 0),
    "a box of no length": ("stbl", -4, 0),
    "a box shorter than its head": ("stbl", -4, 7),
    "a box without content": ("stbl", -4, 8),
    "a box beyond the one around it": ("stbl", -4, _MOST),
    "a length of 64 bits": ("stbl", -4, 1),
    "a description of no length": ("avc1", -4, 0),
    "parameters beyond their description": ("avcC", -4, 1 << 20),
}


def _has_no_table(content: bytes) -> None:
    tracemalloc.start()
    try:
        assert frame_table(content) is None
        assert tracemalloc.get_traced_memory()[1] < (1 << 20) + 2 * len(content)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("change", _STATED.values(), ids=_STATED)
def test_what_a_box_only_states_gives_no_table_and_takes_no_memory(clip: bytes, change: tuple[str, int, int]) -> None:
    _has_no_table(_with(clip, *change))


_BOXES = {
    "boxes without content": b"\0\0\0\x08free" * 50_000,
    "thousands of kinds": b"".join(struct.pack(">II", 8, kind) for kind in range(1, 20_000)),
    "boxes of no length": b"\0\0\0\0moov" * 50_000,
    "a box in a box in a box": b"".join(struct.pack(">I4s", 8 * (20_000 - k), b"moov") for k in range(20_000)),
    "half a head": b"\0\0\0\x08free\0\0\0",
}


@pytest.mark.parametrize("content", _BOXES.values(), ids=_BOXES)
def test_boxes_without_end_give_no_table(content: bytes) -> None:
    _has_no_table(content)


@pytest.mark.parametrize(
    "frame",
    [b"", bytes(100_000), b"\xff" * 100_000, b"\0\0\0\1\7" * 20_000, b"\xff\xff\xff\xff\7", b"\0\0\0\1"],
    ids=["empty", "zeros", "ones", "parameters", "a unit beyond the end", "half a unit"],
)
def test_units_of_any_length_are_looked_through(clip: bytes, frame: bytes) -> None:
    table = frame_table(clip)
    assert table is not None
    assert table.is_pure(frame) == (len(frame) < 5)


def _sets_in_units(parameters: bytes) -> bytes:
    """The sets of parameters of an AVCDecoderConfigurationRecord as units with lengths of 4 bytes."""
    n_sps = int.from_bytes(parameters[6:8], "big")
    at = 8 + n_sps + 1
    n_pps = int.from_bytes(parameters[at : at + 2], "big")
    sets = parameters[8 : 8 + n_sps], parameters[at + 2 : at + 2 + n_pps]
    return b"".join(struct.pack(">I", len(one)) + one for one in sets)


def test_a_decoder_waits_for_the_next_clip_unless_frames_brought_parameters(
    clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "_decoders", {})
    table = frame_table(clip)
    assert table is not None
    frames_at(clip, [3])
    (decoder,) = media._decoders.values()
    frames_at(clip, [30])
    assert media._decoders == {table.extradata: decoder}
    (frame,) = table.frames(clip, 12, 13)
    assert table.is_pure(frame)
    assert not table.is_pure(_sets_in_units(table.extradata) + frame)
    monkeypatch.setattr(type(table), "is_pure", lambda *_: False)
    frames_at(clip, [30])
    assert media._decoders == {}


def test_a_decoder_that_met_damage_is_not_used_again(clip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "_decoders", {})
    table = frame_table(clip)
    assert table is not None
    spoilt = bytearray(clip)
    for at in range(int(table.start[5]) + 20, int(table.start[5] + table.size[5])):
        spoilt[at] ^= 0x5A
    with pytest.raises(MediaError):
        frames_at(bytes(spoilt), [8])
    assert media._decoders == {}
    assert np.array_equal(frames_at(clip, [8]), media._demuxed_images(clip, [8], None, None))
