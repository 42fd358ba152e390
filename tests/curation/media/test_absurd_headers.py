"""Headers that claim what no file holds: days of pictures or sound, rates and sizes that nothing has."""

import resource
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.made_videos import Coding, Sound, counted_picture, counted_video, frame_times, read_count

from curation.media.audio import file_audio, sound_tracks, tick_audio
from curation.media.decoders import probe_for
from curation.media.display_shape import _shape
from curation.media.errors import MediaError
from curation.media.frames import tick_frames
from curation.media.packets.clocks import separate_clocks
from curation.media.packets.frame_times import frame_times as times_of
from curation.media.packets.scan import Hole, PacketScan
from curation.media.probe import probe
from curation.media.settings import MediaSettings

N = 50
"""Pictures of every file, 25 a second."""
PLAIN = Coding(codec="mpeg4", options={"g": "12"}, time_base=Fraction(1, 25))
TONE = (0.3 * np.sin(2 * np.pi * 440 * np.arange(48_000 * 2) / 48_000)).astype(np.float32)


def shown(path: Path) -> list[int | None]:
    info = probe(path)
    frames = list(tick_frames(info, 0, info.n_ticks))
    assert [frame.tick for frame in frames] == list(range(info.n_ticks))
    return [None if frame.rgb is None else read_count(frame.rgb) for frame in frames]


def made_scan(stamps: Iterable[int], time_base: Fraction) -> PacketScan:
    scan = PacketScan(time_base=time_base, format_names=frozenset({"nut"}), stream_ids=frozenset())
    for stamp in stamps:
        scan.pts.append(stamp)
        scan.dts.append(stamp)
        scan.durations.append(0)
    return scan


def avi(path: Path, scale: int, rate: int, *, coding: Coding = PLAIN, sound: Sound | None = None, n: int = N) -> Path:
    """Write an AVI file of `n` pictures, 2 s at 25 a second, whose header claims `scale / rate` seconds for each."""
    counted_video(path, frame_times(Fraction(25), n), coding=coding, sound=sound)
    content = bytearray(path.read_bytes())
    stream = content.index(b"strh") + 8  # type, handler, flags, priority, initial frames, then dwScale and dwRate
    assert content[stream : stream + 4] == b"vids"
    assert Fraction(*struct.unpack_from("<2I", content, stream + 20)) == Fraction(1, 25)
    struct.pack_into("<2I", content, stream + 20, scale, rate)
    struct.pack_into("<I", content, content.index(b"avih") + 8, min(2**32 - 1, scale * 1_000_000 // rate))
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("scale", "rate"), [(1000, 1), (61, 1), (2**31 - 1, 1), (2**32 - 1, 1), (1, 2**31 - 1), (1, 2**32 - 1)]
)
@pytest.mark.parametrize("with_sound", [False, True])
def test_pictures_of_an_avi_file_are_counted_where_its_header_claims_minutes_or_nothing_for_each(
    tmp_path: Path, scale: int, rate: int, with_sound: bool
) -> None:
    sound = Sound(samples=TONE, codec="mp3") if with_sound else None
    path = avi(tmp_path / "v.avi", scale, rate, sound=sound)
    assert shown(path) == list(range(N))
    info = probe(path)
    assert info.duration_s == N / 25
    heard = tick_audio(info, 0, N)
    assert (heard is not None) == with_sound
    if heard is not None:
        assert np.abs(heard[8_000:24_000]).max() > 0.2


def test_b_frames_are_shown_in_their_order_where_an_avi_header_claims_minutes_for_each(tmp_path: Path) -> None:
    coding = Coding(options={"preset": "veryfast", "bf": "3", "g": "24", "crf": "16"}, time_base=Fraction(1, 25))
    assert shown(avi(tmp_path / "v.avi", 1000, 1, coding=coding)) == list(range(N))


def test_one_picture_lasts_as_long_as_at_the_usual_rate_whatever_the_header_claims(tmp_path: Path) -> None:
    assert shown(avi(tmp_path / "v.avi", 1000, 1, n=1)) == [0]


def test_a_picture_a_minute_is_the_slowest_rate_that_is_believed(tmp_path: Path) -> None:
    assert probe(avi(tmp_path / "v.avi", 60, 1, n=3)).duration_s == 180.0


def test_the_last_picture_lasts_no_longer_than_a_minute_though_those_before_it_did(tmp_path: Path) -> None:
    path = counted_video(tmp_path / "v.mp4", [Fraction(0), Fraction(1000), Fraction(2000)])
    assert 2000.0 < probe(path).duration_s <= 2060.0


def test_decord_is_refused_a_file_whose_pictures_have_no_times(tmp_path: Path) -> None:
    pytest.importorskip("decord")
    with pytest.raises(MediaError, match="decoder_unfit"):
        probe_for(avi(tmp_path / "v.avi", 1000, 1), MediaSettings(decoder="decord"))


def test_pictures_that_an_mp4_header_shows_all_at_once_are_counted(tmp_path: Path) -> None:
    coding = Coding(time_base=Fraction(1, 25), muxer_options={"video_track_timescale": "25"})
    path = counted_video(tmp_path / "v.mp4", frame_times(Fraction(25), N), coding=coding)
    content = bytearray(path.read_bytes())
    at = content.index(b"mdhd") + 4 + 12  # version and flags, created, changed, then units per second
    assert struct.unpack_from(">I", content, at) == (25,)
    struct.pack_into(">I", content, at, 2**31 - 1)
    path.write_bytes(content)
    assert shown(path) == list(range(N))


def test_a_clock_whose_unit_is_longer_than_a_minute_counts_no_time(tmp_path: Path) -> None:
    scan = made_scan(range(N), Fraction(61))
    (found,) = times_of(tmp_path, scan, separate_clocks(scan.times_s(), ()))
    assert (found.stamps, found.pts.tolist()) == ("none", list(range(N)))


def test_several_recordings_that_are_longer_than_a_day_together_are_refused(tmp_path: Path) -> None:
    one = counted_video(
        tmp_path / "one.mp4", [Fraction(k * 60) for k in range(24 * 60 * 2 // 3)], coding=Coding(options={"g": "1"})
    )
    assert probe(one).duration_s == pytest.approx(16 * 3600, rel=0.01)
    path = tmp_path / "v.mp4"
    path.write_bytes(one.read_bytes() * 2)
    with pytest.raises(MediaError, match="32 hours of video, and at most 24 are read; divide it") as caught:
        probe(path)
    assert caught.value.code == "unreadable"


def test_time_stamps_further_apart_than_64_bits_are_no_video_of_a_day(tmp_path: Path) -> None:
    scan = made_scan([-(2**63) + 1 + k * (2**64 // 100) for k in range(100)], Fraction(1, 10**18))
    found = times_of(tmp_path, scan, separate_clocks(scan.times_s(), ()))
    assert sum(int(one.pts[-1]) - int(one.pts[0]) for one in found) <= 24 * 3600 * 10**18


@pytest.mark.parametrize("claim", ["both", "length alone"])
def test_a_header_that_claims_a_day_and_the_pictures_for_it_is_not_believed(tmp_path: Path, claim: str) -> None:
    path = avi(tmp_path / "v.avi", 1, 25)
    content = bytearray(path.read_bytes())
    stream, main = content.index(b"strh") + 8, content.index(b"avih") + 8
    struct.pack_into("<I", content, stream + 32, 20 * 3600 * 25)  # dwLength
    if claim == "both":
        struct.pack_into("<I", content, main + 16, 20 * 3600 * 25)  # dwTotalFrames
    path.write_bytes(content)
    assert shown(path) == list(range(N))


def wav_like(path: Path, rate_hz: int) -> Path:
    """Write 2 s of pictures and of sound of 48 kHz, 16 bits, whose header claims another rate."""
    counted_video(path, frame_times(Fraction(25), N), coding=PLAIN, sound=Sound(samples=TONE, codec="pcm_s16le"))
    content = bytearray(path.read_bytes())
    stream = content.index(b"auds")
    form = content.index(b"strf", stream) + 8  # tag, channels, then samples and bytes per second
    assert struct.unpack_from("<2H2I", content, form)[2] == 48_000
    struct.pack_into("<2I", content, form + 4, rate_hz, rate_hz * 2)
    struct.pack_into("<2I", content, stream + 20, 1, rate_hz)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("rate_hz", [1, 2, 999, 768_001, 2**31 - 1])
def test_sound_at_a_rate_that_nothing_has_is_silence(tmp_path: Path, rate_hz: int) -> None:
    path = wav_like(tmp_path / "v.avi", rate_hz)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    info = probe(path)
    assert info.n_ticks <= N + 1
    heard = tick_audio(info, 0, info.n_ticks)
    assert heard is None or np.abs(heard).max() == 0
    tracks = sound_tracks(path)
    assert tracks is None or file_audio(path, tracks.heard) is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 200 * 1024


def test_sound_that_claims_to_go_on_after_hours_of_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.mka"
    with av.open(str(path), "w", format="matroska") as output:
        track = output.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for start_s in (0, 1_000_000):
            frame = av.AudioFrame.from_ndarray(np.ones((1, 16_000), np.int16), format="s16", layout="mono")
            frame.rate, frame.pts, frame.time_base = 16_000, start_s * 16_000, Fraction(1, 16_000)
            output.mux(track.encode(frame))
    tracks = sound_tracks(path)
    assert tracks is not None
    with pytest.raises(MediaError, match="its sound stops for 277\\.8 hours; mend its time stamps"):
        file_audio(path, tracks.heard)


def test_sound_claimed_to_last_for_hours_does_not_fill_the_time_between_pictures(tmp_path: Path) -> None:
    """Two stretches of pictures hours apart, and one packet of sound that claims all of the time between."""
    times_s = [time_s if k < 25 else time_s + 7200 for k, time_s in enumerate(frame_times(Fraction(25), N))]
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25, options={"g": "12", "bf": "0", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = 320, 192, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        track = output.add_stream("pcm_s16le", rate=16_000, layout="mono")
        packets = []
        for k, time_s in enumerate(times_s):
            picture = av.VideoFrame.from_ndarray(counted_picture(k), format="rgb24").reformat(format="yuv420p")
            picture.pts, picture.time_base = int(time_s * 1000), Fraction(1, 1000)
            packets += video.encode(picture)
        packets += video.encode(None)
        sound = av.Packet(bytes(16_000))
        sound.stream, sound.pts, sound.dts, sound.time_base = track, 0, 0, Fraction(1, 1000)
        sound.duration = 7_300_000
        for packet in [sound, *packets]:
            output.mux(packet)
    assert probe(path).joins == (25,)


def test_a_window_of_a_file_whose_index_leads_out_of_it_shows_what_a_pass_from_the_start_shows(tmp_path: Path) -> None:
    path = avi(tmp_path / "v.avi", 1, 25, sound=Sound(samples=TONE, codec="pcm_s16le"))
    content = bytearray(path.read_bytes())
    first = content.rindex(b"idx1") + 8  # chunk, flags, offset, size, 4 bytes each
    struct.pack_into("<I", content, first + 8, 1 << 24)  # far behind the end of the file
    path.write_bytes(content)
    info = probe(path)
    whole = [frame.source_frame for frame in tick_frames(info, 0, N)]
    assert [frame.source_frame for frame in tick_frames(info, 20, N)] == whole[20:]
    assert tick_audio(info, 20, N) is not None


PEAK = """
import sys
from pathlib import Path
from curation.media.errors import MediaError
from curation.media.probe import probe
try:
    print(probe(Path(sys.argv[1])).n_ticks)
except MediaError as error:
    print(error)
# not ru_maxrss, which a process inherits from the one that started it
status = Path("/proc/self/status").read_text()
print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)
"""


def test_pictures_that_claim_more_than_67_million_pixels_are_not_decoded(tmp_path: Path) -> None:
    coding = Coding(codec="libvpx", options={"deadline": "realtime", "cpu-used": "8"}, time_base=Fraction(1, 1000))
    path = counted_video(tmp_path / "v.webm", frame_times(Fraction(25), 3), coding=coding)
    content = bytearray(path.read_bytes())
    at = content.index(b"\x9d\x01\x2a") + 3  # a key frame of VP8: width and height, 2 bytes each
    struct.pack_into("<2H", content, at, 16_000, 16_000)
    path.write_bytes(content)
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], check=True, capture_output=True, text=True)
    said, peak_mib = done.stdout.splitlines()
    assert "unreadable" in said
    assert "more than 67,108,864 pixels" in said
    assert int(peak_mib) < 400  # one such picture is 366 MiB, and as RGB 732


@pytest.mark.parametrize(("width", "height"), [(65_535, 1), (1, 65_535)])
def test_pixels_of_absurd_shapes_are_taken_for_square(tmp_path: Path, width: int, height: int) -> None:
    path = counted_video(tmp_path / "v.mp4", frame_times(Fraction(25), 3), coding=Coding(pixel_aspect=Fraction(3, 2)))
    content = bytearray(path.read_bytes())
    at = content.index(b"pasp") + 4  # ISO/IEC 14496-12, 12.1.4: two numbers of 4 bytes
    assert struct.unpack_from(">2I", content, at) == (3, 2)
    struct.pack_into(">2I", content, at, width, height)
    path.write_bytes(content)
    info = probe(path)
    assert (info.width_px, info.height_px) == (320, 192)


def test_a_pixel_aspect_that_makes_a_picture_too_large_is_taken_for_square() -> None:
    shape = _shape(8192, 4096, Fraction(4), (0, False))
    assert shape.size_px == (8192, 4096)
    assert _shape(4096, 2160, Fraction(4), (0, False)).size_px == (16_384, 2160)


def test_as_many_holes_as_stretches_of_sound_take_no_time(tmp_path: Path) -> None:
    """100,000 pictures 2 s apart with 1.8 s of sound between each two: 4 MB of packets claim two days."""
    scan = made_scan(range(0, 200_000, 2), Fraction(1))
    scan.audio_s = [(second + 0.1, second + 1.9) for second in range(0, 200_000, 2)]
    scan.holes = [
        Hole(before=k, start_s=2.0 * k, end_s=2.0 * k + 2, is_stated=False, has_traces=False) for k in range(99_999)
    ]
    begin = time.monotonic()
    heard = {hole.before for hole in scan.holes if scan.is_heard(hole.start_s, hole.end_s)}
    assert len(heard) == 99_999
    short = replace(scan, pts=scan.pts[:40_000], dts=scan.dts[:40_000], durations=scan.durations[:40_000])
    (found,) = times_of(tmp_path, short, separate_clocks(short.times_s(), heard))
    assert len(found.held_frames) == 39_999
    assert time.monotonic() - begin < 60  # each pair of a hole and a stretch of sound would take hours


_CLAIMS: dict[str, Callable[[bytearray, int, int], None]] = {
    "little": lambda content, at, value: struct.pack_into("<I", content, at, value),
    "big": lambda content, at, value: struct.pack_into(">I", content, at, value),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "coding", "order"),
    [
        ("avi", PLAIN, "little"),
        ("mp4", Coding(), "big"),
        ("mov", Coding(), "big"),
        ("mkv", Coding(), "big"),
        ("flv", Coding(), "big"),
        ("nut", Coding(), "big"),
        ("gif", Coding(codec="gif", pix_fmt="rgb8", options={}, time_base=Fraction(1, 100)), "little"),
    ],
)
def test_no_number_in_a_header_makes_more_than_a_day_of_video_or_an_error_without_a_code(
    tmp_path: Path, suffix: str, coding: Coding, order: str
) -> None:
    path = counted_video(tmp_path / f"v.{suffix}", frame_times(Fraction(25), N), coding=coding)
    original = path.read_bytes()
    random = np.random.default_rng(0)
    places = [*range(min(1000, len(original) - 4)), *range(max(0, len(original) - 1200), len(original) - 4)]
    for _ in range(150):
        content = bytearray(original)
        for _ in range(int(random.integers(1, 3))):
            value = int(random.choice([0, 1, 60, 61, 65_535, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]))
            _CLAIMS[order](content, int(random.choice(places)), value)
        path.write_bytes(content)
        try:
            info = probe(path)
        except MediaError:
            continue
        assert info.n_ticks <= 24 * 3600 * 25
        assert info.width_px * info.height_px <= 2**26
        for first, end in ((0, min(30, info.n_ticks)), (max(0, info.n_ticks - 30), info.n_ticks)):
            frames = list(tick_frames(info, first, end))
            assert [frame.tick for frame in frames] == list(range(first, end))
