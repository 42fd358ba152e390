"""Sound comes from the programme of the pictures, where a transport stream carries several."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.made_videos import Coding, Sound, counted_picture, frame_times, read_count, write_video

from curation.media.audio import tick_audio
from curation.media.container import audio_streams_of, best_video_stream, open_media
from curation.media.frames import tick_frames
from curation.media.packets.programmes import programmes
from curation.media.probe import probe


def crc32_mpeg(content: bytes) -> int:
    """ISO/IEC 13818-1, annex A: polynomial 0x04C11DB7, first value all ones, no reflection."""
    value = 0xFFFFFFFF
    for byte in content:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
    return value


def association(maps: dict[int, int]) -> bytes:
    """A packet with the table of programmes: PIDs of their maps by number."""
    entries = b"".join(number.to_bytes(2, "big") + (0xE000 | pid).to_bytes(2, "big") for number, pid in maps.items())
    section = b"\x00" + (0xB000 | len(entries) + 9).to_bytes(2, "big") + b"\x00\x01\xc1\x00\x00" + entries
    section += crc32_mpeg(section).to_bytes(4, "big")
    return (b"\x47\x40\x00\x10\x00" + section).ljust(188, b"\xff")


def programme(path: Path, number: int, tone_hz: float, size: tuple[int, int], first_pid: int) -> list[bytes]:
    """Packets of a programme of 3 s: counted pictures from `number` on, and a tone."""
    samples = (0.3 * np.sin(2 * np.pi * tone_hz * np.arange(3 * 48_000) / 48_000)).astype(np.float32)
    options = {"mpegts_start_pid": hex(first_pid), "mpegts_pmt_start_pid": hex(first_pid + 0x80)}
    pictures = (counted_picture(number + k, *size) for k in range(75))
    write_video(
        path,
        frame_times(Fraction(25), 75),
        pictures,
        coding=Coding(muxer_options=options),
        sound=Sound(samples=samples),
    )
    content = path.read_bytes()
    packets = [content[at : at + 188] for at in range(0, len(content), 188)]
    return [packet for packet in packets if packet[1] & 0x1F or packet[2] > 0x1F]  # without association and services


def broadcast(folder: Path, sizes: list[tuple[int, int]], spacing: int = 188) -> Path:
    """Two programmes, packet by packet in turn: 0 to 74 with 440 Hz, 1000 to 1074 with 880 Hz."""
    one = programme(folder / "part.ts", 0, 440, sizes[0], 0x100)
    two = programme(folder / "part.ts", 1000, 880, sizes[1], 0x200)
    table = association({1: 0x180, 2: 0x280})
    packets = [table]
    while one or two:
        take_one = bool(one) and (not two or len(one) * 2 > len(two))
        packets.append((one if take_one else two).pop(0))
        if len(packets) % 50 == 0:
            packets.append(table)
    path = folder / ("broadcast.m2ts" if spacing == 192 else "broadcast.ts")
    path.write_bytes(b"".join(bytes(spacing - 188) + packet for packet in packets))
    return path


@pytest.mark.parametrize("spacing", [188, 192])
@pytest.mark.parametrize(
    ("sizes", "first", "tone_hz"), [([(160, 96), (320, 192)], 1000, 880), ([(320, 192), (160, 96)], 0, 440)]
)
def test_pictures_and_sound_come_from_one_programme(
    tmp_path: Path, sizes: list[tuple[int, int]], first: int, tone_hz: float, spacing: int
) -> None:
    info = probe(broadcast(tmp_path, sizes, spacing))
    assert info.n_ticks == 75
    rgb = next(tick_frames(info, 10, 11)).rgb
    assert rgb is not None
    assert read_count(rgb) == first + 10
    sound = tick_audio(info, 0, 75)
    assert sound is not None
    spectrum = np.abs(np.fft.rfft(sound[8000:40_000]))
    assert np.argmax(spectrum) / 2 == pytest.approx(tone_hz, abs=2)


def test_the_tracks_of_a_programme_are_listed(tmp_path: Path) -> None:
    path = broadcast(tmp_path, [(320, 192), (160, 96)])
    with open_media(path) as container:
        assert set(programmes(container)) == {frozenset({0x100, 0x101}), frozenset({0x200, 0x201})}
        large, small = sorted(container.streams.video, key=lambda stream: -stream.width)
        assert best_video_stream(container, path) is large
        assert [track.id for track in audio_streams_of(container, large)] == [0x101]
        assert [track.id for track in audio_streams_of(container, small)] == [0x201]
        assert [track.id for track in audio_streams_of(container, None)] == [0x101, 0x201]


def test_a_container_without_programmes_offers_all_its_tracks(tmp_path: Path) -> None:
    sound = Sound(samples=np.zeros(48_000, np.float32))
    path = write_video(tmp_path / "v.mkv", frame_times(Fraction(25), 25), map(counted_picture, range(25)), sound=sound)
    with open_media(path) as container:
        assert programmes(container) == []
        assert len(audio_streams_of(container, best_video_stream(container, path))) == 1
