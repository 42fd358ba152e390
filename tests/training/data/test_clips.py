import io
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.made_videos import counted_picture, read_count
from helpers.spoilt_clips import rewrite_array

from manifests.files.media import MediaError, frames_at, read_frames
from manifests.files.tar import read_member
from training.data.clips import ClipError, ClipReader, DamagedDataError, DamageLog
from training.data.selection import DataConfig, select_clips

MakeClips = Callable[..., Path]


@pytest.fixture(scope="module")
def reader(made_clips: Path) -> ClipReader:
    return ClipReader(select_clips(made_clips, DataConfig()))


@pytest.mark.parametrize("numbers", [[0], [299], [0, 1, 2], [11, 12, 13], [5, 250], [0, 6, 7, 14, 100, 106, 107, 299]])
def test_each_picture_is_the_one_that_was_asked_for(reader: ClipReader, numbers: list[int]) -> None:
    pictures = reader.frames(0, numbers, 64)
    assert [read_count(picture) for picture in pictures] == numbers


def test_pictures_are_those_of_a_reader_from_the_start(reader: ClipReader) -> None:
    row = reader.index.row(1)
    every = list(read_frames(read_member(reader.index.dataset, row.media, row.mp4)).frames)
    assert np.array_equal(reader.frames(1, [3, 50, 99], 64), np.stack([every[3], every[50], every[99]]))


def test_smaller_pictures_are_means_of_areas(reader: ClipReader) -> None:
    whole, half = (reader.frames(0, [7], size_px)[0].astype(float) for size_px in (64, 32))
    means = whole.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    assert np.abs(half - means)[4:-4, 4:-4].mean() < 2.0  # chroma is stored at half the size: it is averaged before


def test_arrays_are_those_of_the_clip(reader: ClipReader) -> None:
    assert np.array_equal(reader.array(0, "landmarks")[:, 5, 1], np.arange(300) / 8)
    assert reader.array(1, "landmarks").shape == (100, 68, 2)
    assert reader.array(2, "speech_features")[:, 0].tolist() == list(range(260))
    assert reader.array(2, "pose_deg")[259].tolist() == [259.0, -259.0, 0.0]


def test_an_array_that_a_clip_lacks_is_named(reader: ClipReader) -> None:
    with pytest.raises(ClipError, match=r"a-0000310-0000409: .*it has no speech_features"):
        reader.array(1, "speech_features")


def test_a_reader_keeps_few_columns(make_clips: MakeClips, tmp_path: Path) -> None:
    clips = [{"video": "a", "first": 10 * number, "n_frames": 2} for number in range(40)]
    dataset = make_clips(tmp_path / "dataset", *clips)
    file = dataset / "clips" / "a.parquet"  # of another writer, so that Arrow has to read it
    pq.write_table(pq.read_table(file, partitioning=None), file, row_group_size=1, compression="snappy")
    reader = ClipReader(select_clips(dataset, DataConfig()))
    for clip in (*range(40), 0):
        assert len(reader.array(clip, "pose_deg")) == 2
    assert len(reader._rows._columns) == 32


def test_a_dataset_of_larger_row_groups_is_read_too(made_clips: Path, tmp_path: Path) -> None:
    dataset = Path(shutil.copytree(made_clips, tmp_path / "dataset"))
    rows = pq.read_table(dataset / "clips" / "a.parquet", partitioning=None)
    pq.write_table(rows, dataset / "clips" / "a.parquet", row_group_size=16)
    index = select_clips(dataset, DataConfig())
    assert index.row(1).arrays["landmarks"][1:] == (0, 1, 0, 0)
    assert ClipReader(index).array(1, "landmarks").shape == (100, 68, 2)


def _spoilt(made_clips: Path, tmp_path: Path, spoil: Callable[[bytearray], None]) -> ClipReader:
    """Return a reader of the made dataset in which the video of clip 0 is spoilt."""
    dataset = Path(shutil.copytree(made_clips, tmp_path / "dataset"))
    index = select_clips(dataset, DataConfig())
    where = index.row(0).mp4
    tar = dataset / index.row(0).media
    content = bytearray(tar.read_bytes())
    mp4 = content[where.offset : where.offset + where.size]
    spoil(mp4)
    content[where.offset : where.offset + where.size] = mp4
    tar.write_bytes(content)
    return ClipReader(index)


def test_a_video_that_cannot_be_opened_is_named(made_clips: Path, tmp_path: Path) -> None:
    def spoil(mp4: bytearray) -> None:
        mp4[:] = bytes(len(mp4))

    reader = _spoilt(made_clips, tmp_path, spoil)
    with pytest.raises(ClipError, match=r"^a-0000000-0000299: media/a\.tar: the video cannot be decoded"):
        reader.frames(0, [3], 64)
    assert read_count(reader.frames(1, [3], 64)[0]) == 3


@pytest.mark.parametrize("intact", [1 / 3, 3 / 4])  # the decoder gives up; it goes on with what it has
def test_damage_reaches_as_far_as_the_next_key_frame(reader: ClipReader, intact: float) -> None:
    row = reader.index.row(0)
    mp4 = bytearray(read_member(reader.index.dataset, row.media, row.mp4))
    with av.open(io.BytesIO(mp4)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [number for number, packet in enumerate(packets[:30]) if packet.is_keyframe] == [0, 12, 24]
    struck = packets[3]
    for at in range(struck.pos + int(struck.size * intact), struck.pos + struck.size):
        mp4[at] ^= 0x5A
    for number in (2, 12, 20):
        assert read_count(frames_at(bytes(mp4), [number], 64)[0]) == number
    for number in (3, 8, 11):
        with pytest.raises(MediaError):
            frames_at(bytes(mp4), [number], 64)


def test_a_frame_that_is_left_out_is_not_the_one_after_it() -> None:
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in (0, 1, 2, 4, 5):
            frame = av.VideoFrame.from_ndarray(counted_picture(number, 64, 64), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert [read_count(picture) for picture in frames_at(sink.getvalue(), [2, 4], 64)] == [2, 4]
    with pytest.raises(MediaError, match="has no frame 3"):
        frames_at(sink.getvalue(), [3], 64)


def test_a_tar_that_ends_too_soon_is_named(made_clips: Path, tmp_path: Path) -> None:
    reader = _spoilt(made_clips, tmp_path, lambda _: None)
    tar = reader.index.dataset / "media" / "a.tar"
    tar.write_bytes(tar.read_bytes()[:2000])
    with pytest.raises(ClipError, match="goes past the end of the tar"):
        reader.frames(0, [3], 64)


def test_a_frame_after_the_last_is_refused(reader: ClipReader) -> None:
    row = reader.index.row(1)
    with pytest.raises(MediaError, match="no frame 100"):
        frames_at(read_member(reader.index.dataset, row.media, row.mp4), [100], 64)


def test_a_damaged_file_is_found_when_its_arrays_are_read(made_clips: Path, tmp_path: Path) -> None:
    reader = _spoilt(made_clips, tmp_path, lambda _: None)
    file = reader.index.row(0).file
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(ClipError, match=r"^a-0000000-0000299: .*column landmarks cannot be read"):
        reader.array(0, "landmarks")


def test_each_damaged_clip_is_counted_and_named_once(made_clips: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = DamageLog(select_clips(made_clips, DataConfig(max_damaged_share=0.5)))
    for reasons in ([], ["a: tar: torn"], ["a: tar: torn", "a: tar: torn"], ["b: tar: empty"]):
        log.record(reasons)
    assert len(log) == 2
    assert [record.message for record in caplog.records] == [
        "clip skipped: a: tar: torn",
        "clip skipped: b: tar: empty",
    ]


def test_too_many_damaged_clips_stop_the_run(made_clips: Path) -> None:
    log = DamageLog(select_clips(made_clips, DataConfig(max_damaged_share=0.5)))
    log.record(["a: x", "b: x"])
    with pytest.raises(DamagedDataError, match=r"3 of 4 clips .*max_damaged_share 0\.5; .*gaia-curate validate"):
        log.record(["c: x"])


def test_one_damaged_clip_never_stops_the_run(made_clips: Path) -> None:
    log = DamageLog(select_clips(made_clips, DataConfig(max_damaged_share=0.0)))
    log.record(["a: x"])
    with pytest.raises(DamagedDataError):
        log.record(["b: x"])


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["landmarks", "pose_deg", "speech_features"])
def test_an_array_whose_numbers_are_not_finite_is_damage(
    column: str, number: float, made_clips: Path, tmp_path: Path
) -> None:
    dataset = Path(shutil.copytree(made_clips, tmp_path / "dataset"))

    def spoil(array: np.ndarray) -> np.ndarray:
        array[-1].flat[0] = number
        return array

    rewrite_array(dataset, "a", 0, column, spoil)
    reader = ClipReader(select_clips(dataset, DataConfig()))
    for _ in range(2):  # what was found is no different the second time
        with pytest.raises(ClipError, match=rf"^a-0000000-0000299: .*column {column} holds .* not finite"):
            reader.array(0, column)
    assert len(reader.array(2, column)) == 260


def test_landmarks_of_another_number_of_points_are_damage(made_clips: Path, tmp_path: Path) -> None:
    dataset = Path(shutil.copytree(made_clips, tmp_path / "dataset"))
    rewrite_array(dataset, "a", 0, "landmarks", lambda array: array[:, :60])
    reader = ClipReader(select_clips(dataset, DataConfig()))
    with pytest.raises(ClipError, match=r"column landmarks has 60 points a frame, ibug68 has 68"):
        reader.array(0, "landmarks")
    assert reader.array(1, "landmarks").shape == (100, 68, 2)
