import os
import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.made_videos import (
    Coding,
    Sound,
    counted_picture,
    counted_video,
    frame_times,
    read_count,
    variable_times,
    write_video,
)

from curation.media.errors import MediaError
from curation.media.frames import tick_frames
from curation.media.probe import probe

TWO_SECONDS = frame_times(Fraction(25), 50)


def refusal(path: Path) -> MediaError:
    with pytest.raises(MediaError) as caught:
        probe(path)
    assert str(path) in caught.value.detail
    return caught.value


def test_a_plain_file_is_described(tmp_path: Path) -> None:
    sound = Sound(samples=np.zeros(96_000, np.float32))
    path = counted_video(tmp_path / "plain.mp4", TWO_SECONDS, sound=sound)
    info = probe(path)
    assert (info.path, info.size_bytes) == (path, path.stat().st_size)
    assert (info.duration_s, info.n_ticks, info.fps) == (2.0, 50, Fraction(25))
    assert (info.width_px, info.height_px, info.rotation_deg) == (320, 192, 0)
    assert (info.codec, info.has_audio, info.variable_rate) == ("h264", True, False)


@pytest.mark.parametrize(
    ("fps", "n_frames", "duration_s", "n_ticks"),
    [
        (Fraction(24), 48, 2.0, 50),
        (Fraction(30_000, 1001), 60, 2.002, 50),
        (Fraction(50), 100, 2.0, 50),
        (Fraction(60), 120, 2.0, 50),
        (Fraction(1), 3, 3.0, 75),
        (Fraction(25), 1, 0.04, 1),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_rate_and_duration_are_those_of_the_pictures(
    tmp_path: Path, fps: Fraction, n_frames: int, duration_s: float, n_ticks: int, suffix: str
) -> None:
    info = probe(counted_video(tmp_path / f"v.{suffix}", frame_times(fps, n_frames), coding=Coding(rate=fps)))
    assert info.fps == fps
    assert info.duration_s == pytest.approx(duration_s, abs=0.001)
    assert info.n_ticks == n_ticks
    assert not info.variable_rate
    assert not info.has_audio


def test_variable_rate_is_noticed_and_averaged(tmp_path: Path) -> None:
    info = probe(counted_video(tmp_path / "v.mp4", variable_times(3)))
    assert info.variable_rate
    assert float(info.fps) == pytest.approx(20, abs=0.2)  # 20 steps make up a second


def test_a_longer_sound_track_does_not_lengthen_the_video(tmp_path: Path) -> None:
    for suffix in ("mp4", "mkv"):
        sound = Sound(samples=np.zeros(48_000 * 5, np.float32))
        assert probe(counted_video(tmp_path / f"v.{suffix}", TWO_SECONDS, sound=sound)).n_ticks == 50


@pytest.mark.parametrize("turn_deg", [90, 180, 270])
def test_size_is_that_of_the_upright_picture(tmp_path: Path, turn_deg: int) -> None:
    info = probe(counted_video(tmp_path / "v.mp4", TWO_SECONDS[:3], coding=Coding(turn_deg=turn_deg)))
    assert info.rotation_deg == turn_deg
    assert (info.width_px, info.height_px) == ((320, 192) if turn_deg == 180 else (192, 320))


def test_size_is_in_square_pixels(tmp_path: Path) -> None:
    coding = Coding(pixel_aspect=Fraction(4, 3))
    info = probe(counted_video(tmp_path / "v.mp4", TWO_SECONDS[:3], coding=coding))
    assert (info.width_px, info.height_px) == (427, 192)  # 320 * 4 / 3 = 426.7


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.mp4", b""),
        ("text.mp4", b"hello world\n" * 100),
        ("text.txt", b"hello world\n" * 100),
        ("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9.0,\nplain.mp4\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", b"ffconcat version 1.0\nfile plain.mp4\n"),
        ("zeros.mp4", bytes(5000)),
    ],
)
def test_what_is_no_media_file_is_unreadable(tmp_path: Path, name: str, content: bytes) -> None:
    counted_video(tmp_path / "plain.mp4", TWO_SECONDS[:3])  # a playlist that names it is not the video
    path = tmp_path / name
    path.write_bytes(content)
    assert refusal(path).code == "unreadable"


def test_a_file_that_ends_before_its_index_is_unreadable(tmp_path: Path) -> None:
    whole = counted_video(tmp_path / "whole.mp4", TWO_SECONDS)
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert refusal(path).code == "unreadable"


def test_a_missing_file_and_a_folder_are_unreadable(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nothing.mp4").code == "unreadable"
    assert refusal(tmp_path).code == "unreadable"


def test_a_track_of_which_no_picture_decodes_is_unreadable(tmp_path: Path) -> None:
    whole = counted_video(tmp_path / "whole.mp4", TWO_SECONDS[:5]).read_bytes()
    begin = whole.index(b"mdat") + 4
    end = whole.index(b"moov") - 4
    assert begin < end
    path = tmp_path / "hollow.mp4"
    path.write_bytes(whole[:begin] + bytes(end - begin) + whole[end:])
    assert refusal(path).code == "unreadable"


def test_pictures_in_a_format_that_nobody_knows_are_unreadable(tmp_path: Path) -> None:
    path = counted_video(tmp_path / "v.mp4", TWO_SECONDS)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    error = refusal(path)
    assert error.code == "unreadable"
    assert "no decoder" in error.detail


@pytest.mark.parametrize("pixel_aspect", [Fraction(1000), Fraction(1, 1000)])
def test_pixels_that_cannot_be_so_wide_are_taken_for_square(tmp_path: Path, pixel_aspect: Fraction) -> None:
    info = probe(counted_video(tmp_path / "v.mp4", TWO_SECONDS, coding=Coding(pixel_aspect=pixel_aspect)))
    assert (info.width_px, info.height_px) == (320, 192)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), format="fltp", layout="mono")
        frame.rate = 48_000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert refusal(path).code == "no_video_stream"


def test_a_cover_picture_and_a_still_picture_are_no_video(tmp_path: Path) -> None:
    covered = tmp_path / "covered.mp3"
    cover = tmp_path / "cover.png"
    with av.open(str(cover), "w", format="image2") as output:
        stream = output.add_stream("png", rate=1, width=64, height=64, pix_fmt="rgb24")
        output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        output.mux(stream.encode(None))
    # ID3v2.3: one APIC frame before an MPEG audio stream
    picture = b"\x00image/png\x00\x03\x00" + cover.read_bytes()
    tag = b"APIC" + len(picture).to_bytes(4, "big") + b"\x00\x00" + picture
    size = bytes((len(tag) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    silence = (b"\xff\xfb\x90\xc4" + bytes(413)) * 40
    covered.write_bytes(b"ID3\x03\x00\x00" + size + tag + silence)
    with av.open(str(covered)) as container:
        assert len(container.streams.video) == 1
    assert refusal(covered).code == "no_video_stream"
    assert refusal(cover).code == "no_video_stream"


def test_names_with_signs_of_every_kind_open(tmp_path: Path) -> None:
    for name in ("a b.mp4", 'it\'s "q".mp4', "new\nline.mp4", "Zoë 視頻 %03d.mp4", "http:x.mp4", "-i.mp4"):
        assert probe(counted_video(tmp_path / name, TWO_SECONDS[:3])).n_ticks == 3


def test_odd_sizes_are_kept(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "odd.webm",
        TWO_SECONDS[:3],
        (counted_picture(k, 321, 193) for k in range(3)),
        coding=Coding(codec="libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"}),
    )
    info = probe(path)
    assert (info.width_px, info.height_px) == (321, 193)


@pytest.mark.parametrize(
    ("encoder", "suffix", "options", "codec"),
    [
        ("libsvtav1", "mkv", {"preset": "12"}, "av1"),
        ("libvpx-vp9", "webm", {"deadline": "realtime", "cpu-used": "8"}, "vp9"),
        ("libx265", "mp4", {"preset": "ultrafast", "x265-params": "log-level=none"}, "hevc"),
    ],
)
def test_the_codec_is_called_by_its_own_name_whatever_decodes_it(
    tmp_path: Path, encoder: str, suffix: str, options: dict[str, str], codec: str
) -> None:
    coding = Coding(codec=encoder, options=options)
    assert probe(counted_video(tmp_path / f"v.{suffix}", TWO_SECONDS[:5], coding=coding)).codec == codec


def slide(path: Path, seconds: int, *, sound_s: int = 0) -> Path:
    """Two seconds of pictures; the last of them stays; two seconds of pictures."""
    times_s = [*TWO_SECONDS, *(time_s + 2 + seconds for time_s in TWO_SECONDS)]
    sound = Sound(samples=np.zeros(48_000 * sound_s, np.float32)) if sound_s else None
    return counted_video(path, times_s, sound=sound)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("seconds", [5, 90])
@pytest.mark.parametrize("has_sound", [True, False])
def test_a_picture_that_stays_for_long_is_a_stretch_like_any_other(
    tmp_path: Path, suffix: str, seconds: int, has_sound: bool
) -> None:
    info = probe(slide(tmp_path / f"v.{suffix}", seconds, sound_s=seconds + 4 if has_sound else 0))
    assert info.n_ticks == 100 + 25 * seconds
    assert info.joins == ()
    assert info.fps == 25
    numbers = [None if frame.rgb is None else read_count(frame.rgb) for frame in tick_frames(info, 0, info.n_ticks)]
    assert numbers == [*range(50), *[49] * 25 * seconds, *range(50, 100)]
    window = [frame.source_frame for frame in tick_frames(info, 80, 90)]
    assert len(set(window)) == 1
    assert None not in window


def test_a_hole_in_pictures_and_sound_is_a_loss(tmp_path: Path) -> None:
    path = tmp_path / "v.ts"
    write_both = slide(path, 5, sound_s=9).read_bytes()
    # the packets of sound between the two parts are taken out of the file
    info = probe(path)
    begin, end = (_first_byte_at(path, seconds) for seconds in (3.0, 6.0))
    path.write_bytes(write_both[:begin] + write_both[end:])
    assert probe(path).n_ticks == info.n_ticks == 225
    assert [frame.shown for frame in tick_frames(probe(path), 80, 120)] == [None] * 40


def _first_byte_at(path: Path, seconds: float) -> int:
    """Byte at which the packet of sound begins that is heard at a time after the first picture."""
    with av.open(str(path)) as container:
        start = next(container.demux(video=0)).pts
    with av.open(str(path)) as container:
        return next(p.pos for p in container.demux(audio=0) if p.pos and p.pts - start >= seconds * 90_000)


def test_the_error_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(MediaError("unreadable", "x.mp4 is empty")))  # noqa: S301 - our own bytes
    assert (error.code, error.detail) == ("unreadable", "x.mp4 is empty")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("talk.mp4", "ffconcat version 1.0\nfile pipe.ts\n"),
        ("talk.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\npipe.ts\n"),
    ],
)
def test_what_a_text_names_is_not_opened_before_the_text_is_refused(tmp_path: Path, name: str, text: str) -> None:
    """A named pipe is opened for ever, so that the process would not end."""
    os.mkfifo(tmp_path / "pipe.ts")
    (tmp_path / name).write_text(text)
    script = (
        "import sys; from pathlib import Path; from curation.media.container import open_media\n"
        "from curation.media.errors import MediaError\n"
        "try:\n    with open_media(Path(sys.argv[1])): pass\n"
        "except MediaError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / name], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.startswith("unreadable: ")
    assert "is a text file" in done.stdout
