"""Clips that claim to be more than clips are: refused before memory is reserved, and without opening any address."""

import io
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from manifests.errors import MediaError
from manifests.files.media import frames_at, read_audio, read_frames
from manifests.files.tar import MemberRange, read_member

SDP = (
    b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 50004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)

_AT_MOST = {"stsz": (12, ">II", 1), "stts": (8, ">II", 1), "stsc": (16, ">I", None)}
"""Of the tables of an MP4's frames: offset from the type, and format, of what is overwritten with a count."""


def _mp4(n_frames: int = 4, side: int = 64, codec: str = "libx264") -> bytes:
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        for k in range(n_frames):
            frame = av.VideoFrame.from_ndarray(np.full((side, side, 3), 40 * k, dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return sink.getvalue()


def _silence(seconds: int) -> bytes:
    sink = io.BytesIO()
    with av.open(sink, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=16_000, layout="mono", format="s16")
        block = np.zeros((1, 4096), np.int16)
        for number in range(seconds * 16_000 // 4096 + 1):
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 16_000, number * 4096, Fraction(1, 16_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return sink.getvalue()


def _stating(mp4: bytes, count: int) -> bytes:
    """The same file with a header that states `count` frames of one byte each, in one run, in one chunk."""
    changed = bytearray(mp4)
    for box, (offset, form, first) in _AT_MOST.items():
        values = (count,) if first is None else (first, count)
        struct.pack_into(form, changed, changed.index(box.encode()) + offset, *values)
    return bytes(changed)


def _with_a_box(mp4: bytes, kind: bytes, content: bytes) -> bytes:
    return mp4 + struct.pack(">I4s", 8 + len(content), kind) + content


def test_the_frames_of_a_clip_are_read() -> None:
    video = read_frames(_mp4(4))
    assert (video.stated_frames, video.rate_hz, sum(1 for _ in video.frames)) == (4, 25, 4)
    assert frames_at(_mp4(4), [0, 3], clip_px=64).shape == (2, 64, 64, 3)
    samples, rate_hz = read_audio(_silence(1))
    assert (len(samples), rate_hz) == (16_384, 16_000)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (SDP, "no MP4 file"),
        (b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n", "no MP4 file"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "no MP4 file"),
        (_stating(_mp4(), 80_000_000), "states 80,000,000 frames, a clip has 15,000 at most"),
        (_with_a_box(_mp4(), b"moof", b""), "a box moof, which clips do not have"),
        (_with_a_box(_mp4(), b"free", b"stsz"), "no MP4 file of one track"),
        (_mp4(side=1040), "1040x1040 px; clips have 1024x1024 at most"),
        (_mp4(codec="mpeg4"), "the video is mpeg4, not h264"),
        (_mp4()[:400], "no MP4 file, or cut short"),
        (b"", "no MP4 file of one track"),
    ],
    ids=["sdp", "playlist", "list of files", "frames", "fragment", "tables", "pixels", "codec", "cut", "empty"],
)
def test_video_that_no_clip_has_is_refused(content: bytes, expected: str) -> None:
    with pytest.raises(MediaError, match=expected):
        frames_at(content, [0])
    with pytest.raises(MediaError, match=expected):
        list(read_frames(content).frames)


def test_a_frame_beyond_those_that_the_header_states_is_refused_before_memory_is_reserved() -> None:
    with pytest.raises(MediaError, match="the video has no frame 4"):
        frames_at(_mp4(4), range(2_000_000_000))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (SDP, "the audio has 0 channels"),
        (_mp4(), "the audio has 0 channels"),
        (_silence(601), "more than 9,600,000 samples"),
    ],
    ids=["sdp", "mp4", "silence"],
)
def test_sound_that_no_clip_has_is_refused(content: bytes, expected: str) -> None:
    with pytest.raises(MediaError, match=expected):
        read_audio(content)


def test_refusals_take_little_memory(tmp_path: Path) -> None:
    (tmp_path / "frames.mp4").write_bytes(_stating(_mp4(), 80_000_000))
    (tmp_path / "silence.flac").write_bytes(_silence(3_000))
    script = (
        "import sys; from pathlib import Path; from manifests.errors import MediaError;"
        "from manifests.files.media import frames_at, read_audio; refused = 0\n"
        "for read, name in ((lambda b: frames_at(b, [0]), 'frames.mp4'), (read_audio, 'silence.flac')):\n"
        "    try: read((Path(sys.argv[1]) / name).read_bytes())\n"
        "    except MediaError: refused += 1\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(refused, status.partition('VmHWM:')[2].split()[0])"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    refused, peak_kib = map(int, done.stdout.split())
    assert refused == 2
    assert peak_kib < 250 << 10  # 4 bytes a sample: 37 MB of sound at most


@pytest.mark.parametrize(
    ("size", "expected"), [(1 << 40, "longer than a clip"), (1 << 29, "goes past the end of the tar")]
)
def test_a_byte_range_is_held_against_the_tar_before_memory_is_reserved(
    tmp_path: Path, size: int, expected: str
) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "a.tar").write_bytes(bytes(10_240))
    with pytest.raises(MediaError, match=expected):
        read_member(tmp_path, "media/a.tar", MemberRange(offset=512, size=size))
