"""Orientation and pixel aspect of frames: by headers, by messages of the codec, and changing in mid-stream."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.made_videos import Coding, counted_picture, counted_video, frame_times, read_count, write_video

from curation.media.frames import TickFrame, tick_frames
from curation.media.probe import probe
from curation.media.settings import MediaSettings
from foundation.array_types import RgbImage

LOSSLESS = {"preset": "veryfast", "bf": "0", "crf": "1"}
NUMBER = 0b101100111010
"""No picture of it is like its mirror image or upside down."""
THREE = frame_times(Fraction(25), 3)


def with_matrix(path: Path, a: float, b: float, c: float, d: float) -> Path:
    """Replace the matrix in the header of the first track of an MP4 file."""
    data = bytearray(path.read_bytes())
    header = data.find(b"tkhd") + 4
    at = header + 4 + (32 if data[header] else 20) + 16
    values = (round(a * 65536), round(b * 65536), 0, round(c * 65536), round(d * 65536), 0, 0, 0, 1 << 30)
    data[at : at + 36] = struct.pack(">9i", *values)
    path.write_bytes(data)
    return path


def by_definition(stored: RgbImage, a: int, b: int, c: int, d: int) -> RgbImage:
    """ISO/IEC 14496-12, 6.2.2: a point (p, q) is shown at (a p + c q, b p + d q); then all is moved into the window."""
    rows, columns = np.indices(stored.shape[:2])
    x, y = a * columns + c * rows, b * columns + d * rows
    x, y = x - x.min(), y - y.min()
    shown = np.zeros((int(y.max()) + 1, int(x.max()) + 1, 3), np.uint8)
    shown[y, x] = stored
    return shown


def difference(shown: RgbImage, truth: RgbImage) -> float:
    """Mean difference in levels: below 2 for the same picture, some 70 for another turn or flip of it."""
    assert shown.shape == truth.shape
    return float(np.abs(shown.astype(int) - truth.astype(int)).mean())


def all_frames(path: Path, media: MediaSettings | None = None) -> list[TickFrame]:
    info = probe(path)
    return list(tick_frames(info, 0, info.n_ticks, media or MediaSettings()))


@pytest.mark.parametrize(
    "matrix",
    [
        (1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1),
        (0, 1, 1, 0), (0, 1, -1, 0), (0, -1, 1, 0), (0, -1, -1, 0),
    ],
)  # fmt: skip
def test_every_flip_and_turn_of_the_display_matrix_is_heeded(tmp_path: Path, matrix: tuple[int, int, int, int]) -> None:
    stored = counted_picture(NUMBER)
    path = write_video(tmp_path / "v.mp4", THREE, [stored] * 3, coding=Coding(options=LOSSLESS))
    truth = by_definition(stored, *matrix)
    frames = all_frames(with_matrix(path, *matrix))
    assert probe(path).width_px, probe(path).height_px == truth.shape[1::-1]
    assert difference(frames[1].rgb, truth) < 2
    thumbnail = frames[1].shown.thumbnail(32, 18)
    coarse = av.VideoFrame.from_ndarray(truth, format="rgb24").reformat(width=32, height=18, interpolation="AREA")
    assert difference(thumbnail, coarse.to_ndarray(format="rgb24")) < 4


@pytest.mark.parametrize("matrix", [(0, 0, 0, 0), (1, 0, 0, 0), (1, 1, 1, 1)])
def test_a_matrix_that_shows_nothing_is_ignored(tmp_path: Path, matrix: tuple[int, int, int, int]) -> None:
    path = write_video(tmp_path / "v.mp4", THREE, [counted_picture(NUMBER)] * 3, coding=Coding(options=LOSSLESS))
    assert difference(all_frames(with_matrix(path, *matrix))[1].rgb, counted_picture(NUMBER)) < 2


@pytest.mark.parametrize(("angle_deg", "quarters"), [(7, 0), (80, 1), (-100, 3)])
def test_another_angle_is_brought_to_the_nearest_quarter_turn(tmp_path: Path, angle_deg: float, quarters: int) -> None:
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    path = write_video(tmp_path / "v.mp4", THREE, [counted_picture(NUMBER)] * 3, coding=Coding(options=LOSSLESS))
    # clockwise, and upside down before
    shown = all_frames(with_matrix(path, cos, sin, sin, -cos))[1].rgb
    assert difference(shown, np.rot90(counted_picture(NUMBER)[::-1], -quarters)) < 2


ORIENTATION_MESSAGE = bytes([0, 0, 1, 0x06, 47, 3, 0b01001000, 0, 0b00001001, 0x80])
"""H.264 annex D.1.27: not cancelled, flipped left to right, turned by 16384/65536 counterclockwise, and (repetition
period 1) so up to the next coded video sequence."""


def with_message(source: Path, target: Path, key_frame: int) -> Path:
    """Copy an H.264 transport stream and insert the message before the slice of one of its key frames."""
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        stream = read.streams.video[0]
        copied = write.add_stream_from_template(stream)
        n_key_frames = 0
        for packet in read.demux(stream):
            if packet.dts is None:
                continue
            data = bytes(packet)
            if packet.is_keyframe:
                if n_key_frames == key_frame:
                    slice_at = data.index(bytes([0, 0, 1, 0x65]))
                    data = data[:slice_at] + ORIENTATION_MESSAGE + data[slice_at:]
                n_key_frames += 1
            changed = av.Packet(data)
            changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
            changed.is_keyframe, changed.stream = packet.is_keyframe, copied
            write.mux(changed)
    return target


def test_a_display_orientation_message_holds_up_to_the_next_key_frame(tmp_path: Path) -> None:
    coding = Coding(options={**LOSSLESS, "g": "10"})
    times_s, stored = frame_times(Fraction(25), 30), counted_picture(NUMBER)
    path = with_message(
        write_video(tmp_path / "plain.ts", times_s, [stored] * 30, coding=coding), tmp_path / "turned.ts", 1
    )
    turned = np.rot90(stored[:, ::-1], 1)
    frames = all_frames(path)
    for tick in (0, 9, 20, 29):
        assert difference(frames[tick].rgb, stored) < 2
    for tick in (10, 11, 19):
        assert difference(frames[tick].rgb, turned) < 2
    window = list(tick_frames(probe(path), 17, 22))
    assert [frame.shown.shape for frame in window] == [frame.shown.shape for frame in frames[17:22]]


def joined(tmp_path: Path, aspects: tuple[Fraction, Fraction], codec: str, options: dict[str, str]) -> Path:
    """Two takes of 25 pictures in one transport stream, whose clock goes on; only the pixel aspect changes."""
    parts = []
    for number, aspect in enumerate(aspects):
        coding = Coding(
            codec=codec, options=options, pixel_aspect=aspect, start_s=Fraction(number + 1), time_base=Fraction(1, 25)
        )
        pictures = (counted_picture(25 * number + k, 320, 192) for k in range(25))
        parts.append(write_video(tmp_path / f"{number}.ts", frame_times(Fraction(25), 25), pictures, coding=coding))
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    return both


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize(
    ("codec", "options"),
    [("libx264", {"preset": "veryfast", "bf": "3", "g": "24", "crf": "16"}), ("mpeg2video", {"bf": "2", "b": "4M"})],
)
def test_every_frame_has_the_pixel_aspect_it_was_stored_with(
    tmp_path: Path, codec: str, options: dict[str, str], threads: int
) -> None:
    # 16:9 and 4:3 of the same 320 columns and 192 lines: pixels of 16/15 and 4/5, so 341 and 256 columns
    path = joined(tmp_path, (Fraction(16, 15), Fraction(4, 5)), codec, options)
    frames = [frame for frame in all_frames(path, MediaSettings(decode_threads=threads)) if frame.rgb is not None]
    widths = {read_count(frame.rgb): frame.rgb.shape[1] for frame in frames}
    assert widths == {number: 341 if number < 25 else 256 for number in widths}
    assert {24, 25, 26, 49} <= set(widths)
    window = [frame for frame in tick_frames(probe(path), 30, 40) if frame.rgb is not None]
    assert {frame.rgb.shape for frame in window} == {(192, 256, 3)}


def test_the_pixel_aspect_of_a_container_goes_before_that_of_the_codec(tmp_path: Path) -> None:
    coding = Coding(pixel_aspect=Fraction(3, 2), options=LOSSLESS)
    path = write_video(tmp_path / "v.mp4", THREE, map(counted_picture, range(3)), coding=coding)
    data = bytearray(path.read_bytes())
    at = data.find(b"pasp") + 4
    assert struct.unpack(">2I", data[at : at + 8]) == (3, 2)
    data[at : at + 8] = struct.pack(">2I", 2, 1)
    path.write_bytes(data)
    assert {frame.rgb.shape for frame in all_frames(path)} == {(192, 640, 3)}


def test_pictures_of_changing_size_come_each_in_its_own(tmp_path: Path) -> None:
    small = write_video(
        tmp_path / "a.ts", frame_times(Fraction(25), 25), (counted_picture(k, 160, 320) for k in range(25))
    )
    large = counted_video(tmp_path / "b.ts", frame_times(Fraction(25), 50), coding=Coding(start_s=Fraction(1)))
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    info = probe(both)
    frames = [frame for frame in tick_frames(info, 0, info.n_ticks) if frame.rgb is not None]
    assert (info.width_px, info.height_px) == (160, 320)
    assert [frame.rgb.shape for frame in frames] == [(320, 160, 3)] * 25 + [(192, 320, 3)] * (len(frames) - 25)
    assert read_count(frames[-1].rgb) == 49
    assert {frame.shown.thumbnail(48, 27).shape for frame in frames} == {(27, 48, 3)}
