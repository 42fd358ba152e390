"""Data sets on an S3 server: their layout is read there, annotation included, as it is on a disk."""

from pathlib import Path

import pytest

from curation.sources.discover import discover
from curation.sources.entries import SourceError
from curation.sources.trims import Trim
from foundation.storage.atomic import write_bytes_atomic

FILES = {
    "HDTF_dataset/WDA_annotion_time.txt": b"JoeNeguse.mp4 00:35-01:40 02:10-02:55 03:40-04:30\n",
    "_videos_raw/WDA_JoeNeguse.mp4": b"1",
    "WDA_ChrisCoons1_000.mp4": b"2",
}


@pytest.fixture
def hdtf(bucket: Path) -> Path:
    for name, content in FILES.items():
        write_bytes_atomic(bucket / "HDTF" / name, content)
    return bucket / "HDTF"


def test_speakers_and_stretches_are_those_of_the_folder_on_a_disk(hdtf: Path, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    there, here = discover(str(hdtf)), discover(str(tmp_path))
    assert (there.layout, there.ignored_files) == ("hdtf", 1)
    told, expected = (
        [(video.path.name, video.source, video.speaker_id, video.trims, video.video_id) for video in found.videos]
        for found in (there, here)
    )
    assert told == expected
    trims = (Trim(start=35.0, end=100.0), Trim(start=130.0, end=175.0), Trim(start=220.0, end=270.0))
    assert ("WDA_JoeNeguse.mp4", "hdtf", "JoeNeguse", trims) in [video[:4] for video in told]


def test_wrong_annotation_is_told_with_its_address_and_line(hdtf: Path) -> None:
    write_bytes_atomic(hdtf / "HDTF_dataset" / "WDA_annotion_time.txt", b"JoeNeguse.mp4 0035\n")
    with pytest.raises(SourceError, match=r"s3://.*/HDTF/HDTF_dataset/WDA_annotion_time\.txt:1: '0035' is no stretch"):
        discover(str(hdtf))


def test_a_part_of_a_data_set_is_known_by_the_folders_above_it(bucket: Path) -> None:
    write_bytes_atomic(bucket / "vox2" / "mp4" / "id00012" / "21Uxsk56VDQ" / "00001.mp4", b"1")
    (video,) = discover(str(bucket / "vox2" / "mp4" / "id00012")).videos
    assert (video.source, video.speaker_id) == ("voxceleb2", "id00012")
